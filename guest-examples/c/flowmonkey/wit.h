/* Between the texts and values of this binding and those of the generated one. */
#ifndef FLOWMONKEY_WIT_H
#define FLOWMONKEY_WIT_H

#include "generated/complete_job_handler.h"
#include "internal.h"

typedef complete_job_handler_string_t wit_string;

/* A borrowed text for the host, which would trap on bytes that are not UTF-8. */
wit_string fm_to_wit(const char *text);
/* The same text for a result: the generated code frees it. */
wit_string fm_to_wit_owned(const char *text);
/* JSON text, to be freed by the caller or the generated code. */
wit_string fm_json_to_wit(const fm_json *value);

/* These take over what the host has handed out. */
char *fm_from_wit(wit_string text);
fm_status fm_json_from_wit(wit_string text, fm_json **value);
fm_status fm_refused(flowmonkey_jobs_types_host_error_t *error);

#endif

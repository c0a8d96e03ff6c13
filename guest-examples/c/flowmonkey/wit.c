#include "wit.h"

#include <stdlib.h>
#include <string.h>

static char *repaired(const char *text, const char *end) {
    fm_buffer buffer = {};
    while (text < end) {
        const size_t size = fm_utf8_size(text, end);
        if (size > 0)
            fm_buffer_add(&buffer, text, size);
        else
            fm_buffer_add(&buffer, "\uFFFD", strlen("\uFFFD"));
        text += size > 0 ? size : 1;
    }
    return fm_buffer_keep(&buffer);
}

wit_string fm_to_wit(const char *text) {
    const char *end = text + strlen(text);
    for (const char *at = text; at < end;) {
        const size_t size = fm_utf8_size(at, end);
        if (size == 0) {
            text = repaired(text, end);
            break;
        }
        at += size;
    }
    return (wit_string){.ptr = (uint8_t *)text, .len = strlen(text)};
}

wit_string fm_to_wit_owned(const char *text) {
    const wit_string borrowed = fm_to_wit(text);
    wit_string owned;
    complete_job_handler_string_dup_n(&owned, (const char *)borrowed.ptr, borrowed.len);
    return owned;
}

wit_string fm_json_to_wit(const fm_json *value) {
    fm_buffer buffer = {};
    fm_json_write(&buffer, value);
    return (wit_string){.ptr = (uint8_t *)buffer.bytes, .len = buffer.size};
}

char *fm_from_wit(wit_string text) {
    char *kept = fm_copy((const char *)text.ptr, text.len);
    complete_job_handler_string_free(&text);
    return kept;
}

fm_status fm_json_from_wit(wit_string text, fm_json **value) {
    const fm_status status = fm_json_parse((const char *)text.ptr, text.len, value);
    complete_job_handler_string_free(&text);
    return status;
}

fm_status fm_refused(flowmonkey_jobs_types_host_error_t *error) {
    static const fm_status statuses[] = {
        [FLOWMONKEY_JOBS_TYPES_HOST_ERROR_DENIED] = FM_DENIED,
        [FLOWMONKEY_JOBS_TYPES_HOST_ERROR_LIMIT_EXCEEDED] = FM_LIMIT_EXCEEDED,
        [FLOWMONKEY_JOBS_TYPES_HOST_ERROR_LEASE_LOST] = FM_LEASE_LOST,
        [FLOWMONKEY_JOBS_TYPES_HOST_ERROR_UNAVAILABLE] = FM_UNAVAILABLE,
        [FLOWMONKEY_JOBS_TYPES_HOST_ERROR_INVALID] = FM_INVALID,
        [FLOWMONKEY_JOBS_TYPES_HOST_ERROR_OTHER] = FM_HOST_ERROR,
    };
    fm_status status = statuses[error->tag];
    if (status == FM_LEASE_LOST)
        return fm_status_with(status, "the job was cancelled or belongs to another attempt");
    const wit_string text = error->val.other; /* all cases but that one hold one text */
    status = fm_status_with(status, "%.*s", (int)text.len, (const char *)text.ptr);
    flowmonkey_jobs_types_host_error_free(error);
    return status;
}

/* What the host calls. */
#include "wit.h"

#include <stdio.h>
#include <stdlib.h>

/* The generated code wants an object file with the component's types; the build adds them. */
void __component_type_object_force_link_complete_job_handler(void);
void __component_type_object_force_link_complete_job_handler(void) {
}

[[gnu::weak]] const fm_json *fm_describe(void) {
    return fm_object();
}

void exports_flowmonkey_jobs_metadata_describe(exports_flowmonkey_jobs_metadata_json_t *text) {
    *text = fm_json_to_wit(fm_describe());
}

static complete_job_handler_option_string_t optional_text(const char *text) {
    if (text == nullptr)
        return (complete_job_handler_option_string_t){};
    return (complete_job_handler_option_string_t){.is_some = true, .val = fm_to_wit_owned(text)};
}

static flowmonkey_jobs_types_option_json_t optional_json(const fm_json *value) {
    if (value == nullptr)
        return (flowmonkey_jobs_types_option_json_t){};
    return (flowmonkey_jobs_types_option_json_t){.is_some = true, .val = fm_json_to_wit(value)};
}

static flowmonkey_jobs_types_failure_t to_failure(const fm_outcome *outcome) {
    return (flowmonkey_jobs_types_failure_t){
        .code = fm_to_wit_owned(outcome->name),
        .message = fm_to_wit_owned(outcome->message),
        .details = optional_json(outcome->value),
    };
}

static flowmonkey_jobs_types_wait_t to_wait(const fm_outcome *outcome) {
    flowmonkey_jobs_types_wait_t wait = {.reason = optional_text(outcome->message)};
    if (outcome->kind == FM_WAIT_SIGNAL) {
        wait.until.tag = FLOWMONKEY_JOBS_TYPES_WAKE_SIGNAL;
        wait.until.val.signal = fm_to_wit_owned(outcome->name);
    } else if (outcome->kind == FM_WAIT_AT) {
        wait.until.tag = FLOWMONKEY_JOBS_TYPES_WAKE_AT;
        wait.until.val.at = outcome->time_ms;
    } else {
        wait.until.tag = FLOWMONKEY_JOBS_TYPES_WAKE_AFTER;
        wait.until.val.after = outcome->time_ms;
    }
    return wait;
}

static bool answer(const fm_outcome *outcome, exports_flowmonkey_jobs_handler_outcome_t *good,
                   exports_flowmonkey_jobs_handler_job_error_t *bad) {
    switch (outcome->kind) {
    case FM_SUCCESS:
        good->tag = FLOWMONKEY_JOBS_TYPES_OUTCOME_SUCCESS;
        good->val.success = optional_json(outcome->value);
        return true;
    case FM_WAIT_AT:
    case FM_WAIT_AFTER:
    case FM_WAIT_SIGNAL:
        good->tag = FLOWMONKEY_JOBS_TYPES_OUTCOME_WAIT;
        good->val.wait = to_wait(outcome);
        return true;
    case FM_RETRYABLE:
        bad->tag = FLOWMONKEY_JOBS_TYPES_JOB_ERROR_RETRYABLE;
        bad->val.retryable.failure = to_failure(outcome);
        bad->val.retryable.after_ms.is_some = outcome->has_time;
        bad->val.retryable.after_ms.val = outcome->time_ms;
        return false;
    case FM_FATAL:
        bad->tag = FLOWMONKEY_JOBS_TYPES_JOB_ERROR_FATAL;
        bad->val.fatal = to_failure(outcome);
        return false;
    case FM_CANCELLED:
        bad->tag = FLOWMONKEY_JOBS_TYPES_JOB_ERROR_CANCELLED;
        return false;
    }
    fm_give_up("fm_run() returned no outcome");
}

bool exports_flowmonkey_jobs_handler_run(exports_flowmonkey_jobs_handler_json_t *text,
                                         exports_flowmonkey_jobs_handler_outcome_t *good,
                                         exports_flowmonkey_jobs_handler_job_error_t *bad) {
    /* So that a trap loses no line that was printed before it. */
    setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    fm_json *input;
    const fm_status status = fm_json_from_wit(*text, &input);
    const fm_outcome outcome = status == FM_OK ? fm_run(input) : fm_failed(status);
    fflush(stdout);
    return answer(&outcome, good, bad);
}

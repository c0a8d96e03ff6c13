/* How calls went, and how attempts end. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As long as the host keeps a failure's message. */
enum { MESSAGE_BYTES = 4096 + 1 };

/* Not in the attempt's memory: a scope may end between the failing call and the question. */
static char last_message[MESSAGE_BYTES];

const char *fm_message(void) {
    return last_message;
}

static void keep(const char *format, va_list arguments) {
    /* The arguments may be the last message. */
    char message[MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    memcpy(last_message, message, sizeof message);
}

fm_status fm_status_with(fm_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(format, arguments);
    va_end(arguments);
    return status;
}

fm_status fm_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(format, arguments);
    va_end(arguments);
    return FM_ERROR;
}

fm_status fm_bad_input(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep(format, arguments);
    va_end(arguments);
    return FM_BAD_INPUT;
}

fm_outcome fm_success(const fm_json *result) {
    return (fm_outcome){.kind = FM_SUCCESS, .value = result};
}

fm_outcome fm_wait_after(uint64_t ms, const char *reason) {
    return (fm_outcome){.kind = FM_WAIT_AFTER, .message = reason, .time_ms = ms};
}

fm_outcome fm_wait_at(uint64_t ms_since_1970, const char *reason) {
    return (fm_outcome){.kind = FM_WAIT_AT, .message = reason, .time_ms = ms_since_1970};
}

fm_outcome fm_wait_signal(const char *signal, const char *reason) {
    return (fm_outcome){.kind = FM_WAIT_SIGNAL, .name = signal, .message = reason};
}

/* A macro, since what follows `...` cannot be handed on otherwise. The message is not in the
 * attempt's memory: a failure is handed on while scopes end. */
#define FAILURE(outcome_kind, code, format)                                                        \
    va_list arguments;                                                                             \
    va_start(arguments, format);                                                                   \
    char message[MESSAGE_BYTES];                                                                   \
    vsnprintf(message, sizeof message, format, arguments);                                         \
    va_end(arguments);                                                                             \
    return (fm_outcome) {                                                                          \
        .kind = outcome_kind, .name = code, .message = fm_or_give_up(strdup(message)),             \
    }

fm_outcome fm_retryable(const char *code, const char *format, ...) {
    FAILURE(FM_RETRYABLE, code, format);
}

fm_outcome fm_fatal(const char *code, const char *format, ...) {
    FAILURE(FM_FATAL, code, format);
}

fm_outcome fm_cancelled(void) {
    return (fm_outcome){.kind = FM_CANCELLED};
}

fm_outcome fm_with_details(fm_outcome failure, const fm_json *details) {
    failure.value = details;
    return failure;
}

fm_outcome fm_with_retry_after(fm_outcome failure, uint64_t ms) {
    failure.has_time = true;
    failure.time_ms = ms;
    return failure;
}

fm_outcome fm_failed(fm_status status) {
    switch (status) {
    case FM_LEASE_LOST:
        return fm_cancelled();
    case FM_DENIED:
        return fm_fatal("DENIED", "%s", last_message);
    case FM_LIMIT_EXCEEDED:
        return fm_fatal("LIMIT_EXCEEDED", "%s", last_message);
    case FM_INVALID:
        return fm_fatal("INVALID", "%s", last_message);
    case FM_BAD_INPUT:
        return fm_fatal("BAD_INPUT", "%s", last_message);
    case FM_UNAVAILABLE:
        return fm_retryable("UNAVAILABLE", "%s", last_message);
    case FM_HTTP_FAILED:
        return fm_retryable("HTTP_FAILED", "%s", last_message);
    case FM_HOST_ERROR:
        return fm_retryable("HOST_ERROR", "%s", last_message);
    case FM_OK:
    case FM_ERROR:
        break;
    }
    return fm_retryable("ERROR", "%s", last_message);
}

/* The ways in which an attempt ends. */
#include "behaviours.h"

#include <stdio.h>
#include <stdlib.h>

fm_outcome do_echo(const fm_json *input) {
    return fm_success(fm_get(input, "value"));
}

fm_outcome do_nothing(const fm_json *) {
    return fm_success(nullptr);
}

fm_outcome do_retryable(const fm_json *input) {
    const char *code, *message;
    int64_t after_ms;
    FM_TRY(fm_read_string(input, "code", &code));
    FM_TRY(fm_read_string(input, "message", &message));
    FM_TRY(fm_read_integer_or(input, "afterMs", -1, &after_ms));
    fm_outcome failure = fm_retryable(code, "%s", message);
    failure = fm_with_details(failure, fm_get(input, "details"));
    return after_ms < 0 ? failure : fm_with_retry_after(failure, (uint64_t)after_ms);
}

fm_outcome do_fatal(const fm_json *input) {
    const char *code, *message;
    FM_TRY(fm_read_string(input, "code", &code));
    FM_TRY(fm_read_string(input, "message", &message));
    return fm_with_details(fm_fatal(code, "%s", message), fm_get(input, "details"));
}

static fm_status deepest(const char *message) {
    return fm_error("%s", message);
}

static fm_status deeper(const char *message) {
    return deepest(message);
}

fm_outcome do_throw(const fm_json *input) {
    const char *message;
    FM_TRY(fm_read_string(input, "message", &message));
    FM_TRY(deeper(message));
    return fm_success(nullptr);
}

fm_outcome do_trap(const fm_json *) {
    fputs("trapped\n", stderr);
    abort();
}

static fm_outcome pause(const fm_json *input, const char *reason) {
    const char *signal;
    int64_t after_ms, at_ms;
    FM_TRY(fm_read_string_or(input, "signal", nullptr, &signal));
    FM_TRY(fm_read_integer_or(input, "afterMs", -1, &after_ms));
    FM_TRY(fm_read_integer_or(input, "atMs", -1, &at_ms));
    if (signal)
        return fm_wait_signal(signal, reason);
    if (after_ms >= 0)
        return fm_wait_after((uint64_t)after_ms, reason);
    if (at_ms >= 0)
        return fm_wait_at((uint64_t)at_ms, reason);
    return fm_fatal("BAD_INPUT", "a wait needs afterMs, atMs or signal");
}

fm_outcome do_wait(const fm_json *input) {
    const char *reason;
    fm_json *waited;
    FM_TRY(fm_read_string_or(input, "reason", nullptr, &reason));
    FM_TRY(fm_checkpoint_restore("waited", &waited));
    const fm_json *resumed_with = fm_job_resumed_with();
    if (waited || resumed_with)
        return fm_success(fm_set(fm_object(), "resumedWith", resumed_with));
    FM_TRY(fm_checkpoint_save("waited", true));
    return pause(input, reason);
}

fm_outcome do_spin(const fm_json *) {
    for (volatile unsigned turns = 0;;)
        turns = turns + 1;
}

/* What the C library does for a handler. */
#include "behaviours.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

fm_outcome do_print(const fm_json *input) {
    const char *out, *err;
    FM_TRY(fm_read_string(input, "out", &out));
    FM_TRY(fm_read_string(input, "err", &err));
    printf("%s\n", out);
    fprintf(stderr, "%s\n", err);
    return fm_success(nullptr);
}

/* Not rand(), which C seeds with 1 unless somebody does better. */
fm_outcome do_random(const fm_json *) {
    uint64_t number;
    if (getentropy(&number, sizeof number) != 0)
        return fm_retryable("NO_ENTROPY", "getentropy() failed");
    const char *text = fm_format("%llu", (unsigned long long)number);
    return fm_success(fm_set(fm_object(), "random", text));
}

fm_outcome do_now(const fm_json *) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    const int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    return fm_success(fm_set(fm_object(), "ms", ms));
}

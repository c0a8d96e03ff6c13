// The ways in which an attempt ends.
#include "behaviours.hpp"

#include <cstdio>
#include <cstdlib>

using fm::milliseconds;

Outcome do_echo(const fm::Json &input) {
    return fm::success(input["value"]);
}

Outcome do_nothing(const fm::Json &) {
    return fm::success();
}

Outcome do_retryable(const fm::Json &input) {
    FM_LET(code, input.read<std::string>("code"));
    FM_LET(message, input.read<std::string>("message"));
    FM_LET(after_ms, input.read<std::optional<std::uint32_t>>("afterMs"));
    fm::FailureOptions options = {.details = input["details"]};
    if (after_ms)
        options.after = milliseconds(*after_ms);
    return fm::retryable(code, message, options);
}

Outcome do_fatal(const fm::Json &input) {
    FM_LET(code, input.read<std::string>("code"));
    FM_LET(message, input.read<std::string>("message"));
    return fm::fatal(code, message, input["details"]);
}

static fm::Result<void> deepest(const std::string &message) {
    return fm::error(message);
}

static fm::Result<void> deeper(const std::string &message) {
    FM_TRY(deepest(message));
    return {};
}

Outcome do_throw(const fm::Json &input) {
    FM_LET(message, input.read<std::string>("message"));
    FM_TRY(deeper(message));
    return fm::success();
}

Outcome do_trap(const fm::Json &) {
    std::fputs("trapped\n", stderr);
    std::abort();
}

static Outcome pause(const fm::Json &input) {
    FM_LET(reason, input.read_or<std::string>("reason", ""));
    FM_LET(signal, input.read<std::optional<std::string>>("signal"));
    FM_LET(after_ms, input.read<std::optional<std::int64_t>>("afterMs"));
    FM_LET(at_ms, input.read<std::optional<std::int64_t>>("atMs"));
    if (signal)
        return fm::wait_for(*signal, reason);
    if (after_ms)
        return fm::wait_after(milliseconds(*after_ms), reason);
    if (at_ms)
        return fm::wait_until(std::chrono::sys_time(milliseconds(*at_ms)), reason);
    return fm::bad_input("a wait needs afterMs, atMs or signal");
}

Outcome do_wait(const fm::Json &input) {
    const fm::Json resumed_with = fm::job::resumed_with();
    FM_LET(waited, fm::checkpoint::restore("waited"));
    if (waited || resumed_with)
        return fm::success({{"resumedWith", resumed_with}});
    FM_TRY(fm::checkpoint::save("waited", true));
    return pause(input);
}

Outcome do_spin(const fm::Json &) {
    for (volatile unsigned turns = 0;;)
        turns = turns + 1;
}

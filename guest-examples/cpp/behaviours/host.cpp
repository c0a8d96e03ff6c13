// What the host does for a handler.
#include "behaviours.hpp"

#include <array>

using fm::milliseconds;

Outcome do_facts(const fm::Json &) {
    return fm::success({
        {"id", fm::job::id()},
        {"handler", fm::job::handler()},
        {"attempt", fm::job::attempt()},
        {"maxAttempts", fm::job::max_attempts()},
        {"idempotencyKey", fm::job::idempotency_key()},
        {"executionId", fm::job::execution_id()},
        {"stepId", fm::job::step_id()},
        {"deadlineMs", fm::job::deadline_ms()},
        {"resumedWith", fm::job::resumed_with()},
        {"traceParent", fm::job::trace_parent()},
    });
}

Outcome do_heartbeat(const fm::Json &input) {
    FM_LET(turns, input.read<std::int64_t>("turns"));
    FM_LET(pause_ms, input.read_or<std::uint32_t>("pauseMs", 0));
    for (std::int64_t turn = 0; turn < turns; turn++) {
        FM_TRY(fm::heartbeat());
        if (fm::is_cancelled())
            return fm::cancelled();
        fm::sleep(milliseconds(pause_ms));
    }
    return fm::success({{"turns", turns}});
}

Outcome do_progress(const fm::Json &input) {
    FM_LET(percent, input.read<float>("percent"));
    FM_LET(message, input.read_or<std::string>("message", ""));
    FM_TRY(fm::progress(percent, message));
    return fm::success({{"percent", input["percent"]}});
}

Outcome do_checkpoint(const fm::Json &input) {
    FM_LET(times, input.read<std::int64_t>("times"));
    FM_LET(saved, fm::checkpoint::restore("n"));
    FM_LET(before, saved.as<std::optional<std::int64_t>>());
    const std::int64_t n = before.value_or(0) + 1;
    FM_TRY(fm::checkpoint::save("n", n));
    FM_TRY(fm::checkpoint::save("last", fm::Json::object({{"attempt", fm::job::attempt()}})));
    if (n < times)
        return fm::retryable("AGAIN", std::to_string(n) + " of " + std::to_string(times),
                             {.after = milliseconds(10)});
    FM_LET(keys, fm::checkpoint::keys());
    FM_TRY(fm::checkpoint::remove("last"));
    FM_LET(left, fm::checkpoint::keys());
    return fm::success({{"n", n}, {"keys", keys}, {"left", left}});
}

Outcome do_log(const fm::Json &) {
    static constexpr std::array levels = {"trace", "debug", "info", "warn", "error"};
    for (std::size_t i = 0; i < levels.size(); i++)
        fm::log(static_cast<fm::Level>(i), std::string("at ") + levels[i], {{"level", levels[i]}});
    return fm::success();
}

Outcome do_config(const fm::Json &input) {
    FM_LET(key, input.read<std::string>("key"));
    FM_LET(value, fm::config::get(key));
    return fm::success({{"value", value}});
}

Outcome do_http(const fm::Json &input) {
    using Map = std::map<std::string, std::string>;
    FM_LET(method, input.read_or<std::string>("method", "GET"));
    FM_LET(url, input.read<std::string>("url"));
    FM_LET(headers, input.read_or<Map>("headers", {}));
    FM_LET(body, input.read_or<std::string>("body", ""));
    FM_LET(response,
           fm::http::send({method, url, fm::http::Headers(headers.begin(), headers.end()), body}));
    return fm::success({
        {"status", response.status},
        {"headers", Map(response.headers.begin(), response.headers.end())},
        {"body", response.body},
    });
}

Outcome do_context(const fm::Json &input) {
    FM_LET(key, input.read<std::string>("key"));
    FM_TRY(fm::context::set(key, input["value"]));
    FM_LET(value, fm::context::get(key));
    FM_LET(keys, fm::context::keys());
    return fm::success({{"value", value}, {"keys", keys}});
}

Outcome do_enqueue(const fm::Json &input) {
    fm::EnqueueOptions options;
    FM_LET(unique_key, input.read<std::optional<std::string>>("uniqueKey"));
    options.unique_key = unique_key;
    FM_LET(id, fm::enqueue("behaviours", input["input"], options));
    return fm::success({{"id", id}});
}

Outcome do_idempotency(const fm::Json &input) {
    FM_LET(key, input.read<std::string>("key"));
    FM_LET(found, fm::idempotency::lookup(key));
    if (found)
        return fm::success({{"found", found}});
    FM_TRY(fm::idempotency::record(key, input["value"]));
    return fm::success({{"recorded", true}});
}

Outcome do_sleep(const fm::Json &input) {
    FM_LET(ms, input.read<std::uint32_t>("ms"));
    fm::sleep(milliseconds(ms));
    return fm::success();
}

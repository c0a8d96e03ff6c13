#include "flowmonkey.hpp"

#include <cstring>

namespace fm {

namespace {

// Outcomes hold texts of C, which must live as long as the attempt. So they are not in the memory
// of JSON values: an error is handed on while a Scope ends.
const char *kept(const std::string &text) {
    return std::strcpy(new char[text.size() + 1], text.c_str());
}

const char *reason_of(const std::string &reason) {
    return reason.empty() ? nullptr : kept(reason);
}

std::optional<std::string> optional_text(const char *text) {
    return text ? std::optional<std::string>(text) : std::nullopt;
}

Result<void> checked(fm_status status) {
    if (status != FM_OK)
        return std::unexpected(last_error(status));
    return {};
}

Result<Json> checked(fm_status status, const fm_json *value) {
    if (status != FM_OK)
        return std::unexpected(last_error(status));
    return Json(value);
}

Result<std::vector<std::string>> checked_keys(fm_status status, const fm_json *keys) {
    FM_TRY(checked(status));
    return Json(keys).as<std::vector<std::string>>();
}

Result<void> obey(fm_directive wanted) {
    if (wanted != FM_PROCEED)
        return cancelled();
    return {};
}

} // namespace

Outcome success() {
    return {fm_success(nullptr)};
}

Outcome success(Json result) {
    return {fm_success(result.raw())};
}

Outcome success(std::initializer_list<Json::Member> result) {
    return success(Json::object(result));
}

Outcome wait_after(milliseconds time, const std::string &reason) {
    return {fm_wait_after(static_cast<std::uint64_t>(time.count()), reason_of(reason))};
}

Outcome wait_until(std::chrono::sys_time<milliseconds> moment, const std::string &reason) {
    const auto ms = static_cast<std::uint64_t>(moment.time_since_epoch().count());
    return {fm_wait_at(ms, reason_of(reason))};
}

Outcome wait_for(const std::string &signal, const std::string &reason) {
    return {fm_wait_signal(kept(signal), reason_of(reason))};
}

std::unexpected<Error> retryable(const std::string &code, const std::string &message,
                                 const FailureOptions &options) {
    fm_outcome outcome = fm_retryable(kept(code), "%s", message.c_str());
    outcome = fm_with_details(outcome, options.details.raw());
    if (options.after)
        outcome = fm_with_retry_after(outcome, static_cast<std::uint64_t>(options.after->count()));
    return std::unexpected(Error{FM_ERROR, outcome});
}

std::unexpected<Error> fatal(const std::string &code, const std::string &message,
                             const Json &details) {
    const fm_outcome outcome = fm_fatal(kept(code), "%s", message.c_str());
    return std::unexpected(Error{FM_ERROR, fm_with_details(outcome, details.raw())});
}

std::unexpected<Error> cancelled() {
    return std::unexpected(Error{FM_LEASE_LOST, fm_cancelled()});
}

[[gnu::weak]] Json describe() {
    return Json::object();
}

namespace job {

std::string id() {
    return fm_job_id();
}

std::string handler() {
    return fm_job_handler();
}

std::optional<std::string> execution_id() {
    return optional_text(fm_job_execution_id());
}

std::optional<std::string> step_id() {
    return optional_text(fm_job_step_id());
}

std::string idempotency_key() {
    return fm_job_idempotency_key();
}

std::uint32_t attempt() {
    return fm_job_attempt();
}

std::uint32_t max_attempts() {
    return fm_job_max_attempts();
}

std::optional<std::uint64_t> deadline_ms() {
    std::uint64_t ms;
    return fm_job_deadline_ms(&ms) ? std::optional(ms) : std::nullopt;
}

Json resumed_with() {
    return Json(fm_job_resumed_with());
}

std::optional<std::string> trace_parent() {
    return optional_text(fm_job_trace_parent());
}

} // namespace job

Result<void> heartbeat() {
    return obey(fm_heartbeat());
}

Result<void> progress(float percent, const std::string &message) {
    return obey(fm_progress(percent, message.empty() ? nullptr : message.c_str()));
}

Directive directive() {
    return static_cast<Directive>(fm_heartbeat());
}

bool is_cancelled() {
    return fm_is_cancelled();
}

void sleep(milliseconds time) {
    if (time.count() > 0)
        fm_sleep(static_cast<std::uint64_t>(time.count()));
}

void log(Level level, const std::string &message,
         std::initializer_list<std::pair<std::string, std::string>> fields) {
    std::vector<const char *> texts;
    for (const auto &[name, value] : fields) {
        texts.push_back(name.c_str());
        texts.push_back(value.c_str());
    }
    fm_log_fields(static_cast<fm_log_level>(level), message.c_str(), texts.size(), texts.data());
}

namespace checkpoint {

Result<void> save(const std::string &key, const Json &value) {
    return checked(fm_checkpoint_save_json(key.c_str(), value.raw()));
}

Result<Json> restore(const std::string &key) {
    fm_json *value;
    const fm_status status = fm_checkpoint_restore(key.c_str(), &value);
    return checked(status, value);
}

Result<std::vector<std::string>> keys() {
    fm_json *keys;
    const fm_status status = fm_checkpoint_keys(&keys);
    return checked_keys(status, keys);
}

Result<void> remove(const std::string &key) {
    return checked(fm_checkpoint_delete(key.c_str()));
}

Result<void> clear() {
    return checked(fm_checkpoint_clear());
}

} // namespace checkpoint

namespace context {

Result<void> set(const std::string &key, const Json &value) {
    return checked(fm_context_set_json(key.c_str(), value.raw()));
}

Result<Json> get(const std::string &key) {
    fm_json *value;
    const fm_status status = fm_context_get(key.c_str(), &value);
    return checked(status, value);
}

Result<std::vector<std::string>> keys() {
    fm_json *keys;
    const fm_status status = fm_context_keys(&keys);
    return checked_keys(status, keys);
}

Result<void> remove(const std::string &key) {
    return checked(fm_context_delete(key.c_str()));
}

} // namespace context

namespace idempotency {

Result<Json> lookup(const std::string &key) {
    fm_json *value;
    const fm_status status = fm_idempotency_lookup(key.c_str(), &value);
    return checked(status, value);
}

Result<void> record(const std::string &key, const Json &value, std::optional<milliseconds> time) {
    // For C, 0 is for good; but a time that was counted down to nothing is a slip.
    if (time && time->count() <= 0) {
        const fm_outcome outcome = fm_fatal("INVALID", "a record must stand for some time");
        return std::unexpected(Error{FM_INVALID, outcome});
    }
    const auto ms = static_cast<std::uint64_t>(time.value_or(milliseconds(0)).count());
    return checked(fm_idempotency_record_json(key.c_str(), value.raw(), ms));
}

} // namespace idempotency

Result<std::string> enqueue(const std::string &handler, const Json &input,
                            const EnqueueOptions &options) {
    fm_enqueue_options raw = {};
    if (options.at)
        raw.at_ms = static_cast<std::uint64_t>(options.at->time_since_epoch().count());
    if (options.after)
        raw.after_ms = static_cast<std::uint64_t>(options.after->count());
    raw.has_priority = options.priority.has_value();
    raw.priority = options.priority.value_or(0);
    raw.max_attempts = options.max_attempts.value_or(0);
    raw.unique_key = options.unique_key ? options.unique_key->c_str() : nullptr;
    const char *id;
    FM_TRY(checked(fm_enqueue(handler.c_str(), input.raw(), &raw, &id)));
    return id;
}

namespace config {

Result<std::optional<std::string>> get(const std::string &key) {
    const char *value;
    FM_TRY(checked(fm_config_get(key.c_str(), &value)));
    return optional_text(value);
}

Result<std::map<std::string, std::string>> all() {
    fm_json *values;
    FM_TRY(checked(fm_config_all(&values)));
    return Json(values).as<std::map<std::string, std::string>>();
}

} // namespace config

namespace http {

std::optional<std::string> Response::header(std::string_view name) const {
    for (const auto &[known, value] : headers)
        if (known == name)
            return value;
    return std::nullopt;
}

Result<Response> send(const Request &request) {
    std::vector<fm_http_header> headers;
    for (const auto &[name, value] : request.headers)
        headers.push_back({name.c_str(), value.c_str()});
    const fm_http_request raw = {
        .method = request.method.c_str(),
        .url = request.url.c_str(),
        .headers = headers.data(),
        .header_count = headers.size(),
        .body = request.body.data(),
        .body_size = request.body.size(),
    };
    fm_http_response answer;
    FM_TRY(checked(fm_http_send(&raw, &answer)));
    Response response = {answer.status, {}, std::string(answer.body, answer.body_size)};
    for (std::size_t i = 0; i < answer.header_count; i++)
        response.headers.emplace_back(answer.headers[i].name, answer.headers[i].value);
    return response;
}

} // namespace http

} // namespace fm

extern "C" fm_outcome fm_run(const fm_json *input) {
    const auto result = fm::run(fm::Json(input));
    return result ? result->raw : result.error().outcome;
}

extern "C" const fm_json *fm_describe() {
    return fm::describe().raw();
}

/* What the host does for a handler. */
#include "behaviours.h"

fm_outcome do_facts(const fm_json *) {
    fm_json *facts = fm_object();
    fm_set(facts, "id", fm_job_id());
    fm_set(facts, "handler", fm_job_handler());
    fm_set(facts, "attempt", fm_job_attempt());
    fm_set(facts, "maxAttempts", fm_job_max_attempts());
    fm_set(facts, "idempotencyKey", fm_job_idempotency_key());
    fm_set(facts, "executionId", fm_job_execution_id());
    fm_set(facts, "stepId", fm_job_step_id());
    uint64_t deadline_ms;
    const bool ends = fm_job_deadline_ms(&deadline_ms);
    fm_set(facts, "deadlineMs", ends ? fm_unsigned(deadline_ms) : fm_null());
    fm_set(facts, "resumedWith", fm_job_resumed_with());
    fm_set(facts, "traceParent", fm_job_trace_parent());
    return fm_success(facts);
}

fm_outcome do_heartbeat(const fm_json *input) {
    int64_t turns, pause_ms;
    FM_TRY(fm_read_integer(input, "turns", &turns));
    FM_TRY(fm_read_integer_or(input, "pauseMs", 0, &pause_ms));
    for (int64_t turn = 0; turn < turns; turn++) {
        if (fm_heartbeat() != FM_PROCEED || fm_is_cancelled())
            return fm_cancelled();
        fm_sleep((uint64_t)pause_ms);
    }
    return fm_success(fm_set(fm_object(), "turns", turns));
}

fm_outcome do_progress(const fm_json *input) {
    double percent;
    const char *message;
    FM_TRY(fm_read_number(input, "percent", &percent));
    FM_TRY(fm_read_string_or(input, "message", nullptr, &message));
    if (fm_progress((float)percent, message) != FM_PROCEED)
        return fm_cancelled();
    return fm_success(fm_set(fm_object(), "percent", fm_get(input, "percent")));
}

fm_outcome do_checkpoint(const fm_json *input) {
    int64_t times;
    fm_json *saved, *keys, *left;
    FM_TRY(fm_read_integer(input, "times", &times));
    FM_TRY(fm_checkpoint_restore("n", &saved));
    const int64_t n = fm_as_integer(saved, 0) + 1;
    FM_TRY(fm_checkpoint_save("n", n));
    FM_TRY(fm_checkpoint_save("last", fm_set(fm_object(), "attempt", fm_job_attempt())));
    if (n < times)
        return fm_with_retry_after(fm_retryable("AGAIN", "%lld of %lld", n, times), 10);
    FM_TRY(fm_checkpoint_keys(&keys));
    FM_TRY(fm_checkpoint_delete("last"));
    FM_TRY(fm_checkpoint_keys(&left));
    fm_json *result = fm_set(fm_object(), "n", n);
    fm_set(result, "keys", keys);
    return fm_success(fm_set(result, "left", left));
}

fm_outcome do_log(const fm_json *) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    for (fm_log_level level = FM_LOG_TRACE; level <= FM_LOG_ERROR; level++)
        fm_log(level, fm_format("at %s", levels[level]), "level", levels[level]);
    return fm_success(nullptr);
}

fm_outcome do_config(const fm_json *input) {
    const char *key, *value;
    FM_TRY(fm_read_string(input, "key", &key));
    FM_TRY(fm_config_get(key, &value));
    return fm_success(fm_set(fm_object(), "value", value));
}

static fm_json *headers_of(const fm_http_response *response) {
    fm_json *headers = fm_object();
    for (size_t i = 0; i < response->header_count; i++)
        fm_set(headers, response->headers[i].name, response->headers[i].value);
    return headers;
}

fm_outcome do_http(const fm_json *input) {
    fm_http_request request = {};
    const char *body;
    FM_TRY(fm_read_string_or(input, "method", "GET", &request.method));
    FM_TRY(fm_read_string(input, "url", &request.url));
    FM_TRY(fm_read_string_or(input, "body", "", &body));
    request.body = body;
    request.body_size = fm_size(fm_get(input, "body"));
    const fm_json *headers = fm_get(input, "headers");
    fm_http_header *list = fm_alloc(fm_size(headers) * sizeof *list);
    for (const fm_json *header = fm_first(headers); header; header = fm_next(header))
        list[request.header_count++] = (fm_http_header){fm_name(header), fm_as_string(header, "")};
    request.headers = list;

    fm_http_response response;
    FM_TRY(fm_http_send(&request, &response));
    fm_json *result = fm_set(fm_object(), "status", response.status);
    fm_set(result, "headers", headers_of(&response));
    return fm_success(fm_set(result, "body", response.body));
}

fm_outcome do_context(const fm_json *input) {
    const char *key;
    fm_json *value, *keys;
    FM_TRY(fm_read_string(input, "key", &key));
    FM_TRY(fm_context_set(key, fm_get(input, "value")));
    FM_TRY(fm_context_get(key, &value));
    FM_TRY(fm_context_keys(&keys));
    return fm_success(fm_set(fm_set(fm_object(), "value", value), "keys", keys));
}

fm_outcome do_enqueue(const fm_json *input) {
    fm_enqueue_options options = {};
    const char *id;
    FM_TRY(fm_read_string_or(input, "uniqueKey", nullptr, &options.unique_key));
    FM_TRY(fm_enqueue("behaviours", fm_get(input, "input"), &options, &id));
    return fm_success(fm_set(fm_object(), "id", id));
}

fm_outcome do_idempotency(const fm_json *input) {
    const char *key;
    fm_json *found;
    FM_TRY(fm_read_string(input, "key", &key));
    FM_TRY(fm_idempotency_lookup(key, &found));
    if (found)
        return fm_success(fm_set(fm_object(), "found", found));
    FM_TRY(fm_idempotency_record(key, fm_get(input, "value"), 0));
    return fm_success(fm_set(fm_object(), "recorded", true));
}

fm_outcome do_sleep(const fm_json *input) {
    int64_t ms;
    FM_TRY(fm_read_integer(input, "ms", &ms));
    fm_sleep((uint64_t)ms);
    return fm_success(nullptr);
}

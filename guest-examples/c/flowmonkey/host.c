/* The interfaces of the host, one function for each of theirs. */
#include "wit.h"

#include <stdlib.h>
#include <string.h>

/* ---- The job ---- */

static const char *text_of(void (*getter)(wit_string *)) {
    wit_string text;
    getter(&text);
    return fm_from_wit(text);
}

static const char *optional_text_of(bool (*getter)(wit_string *)) {
    wit_string text;
    return getter(&text) ? fm_from_wit(text) : nullptr;
}

const char *fm_job_id(void) {
    return text_of(flowmonkey_jobs_job_id);
}

const char *fm_job_handler(void) {
    return text_of(flowmonkey_jobs_job_handler);
}

const char *fm_job_execution_id(void) {
    return optional_text_of(flowmonkey_jobs_job_execution_id);
}

const char *fm_job_step_id(void) {
    return optional_text_of(flowmonkey_jobs_job_step_id);
}

const char *fm_job_idempotency_key(void) {
    return text_of(flowmonkey_jobs_job_idempotency_key);
}

uint32_t fm_job_attempt(void) {
    return flowmonkey_jobs_job_attempt();
}

uint32_t fm_job_max_attempts(void) {
    return flowmonkey_jobs_job_max_attempts();
}

bool fm_job_deadline_ms(uint64_t *ms) {
    return flowmonkey_jobs_job_deadline_ms(ms);
}

const fm_json *fm_job_resumed_with(void) {
    wit_string text;
    fm_json *value;
    if (!flowmonkey_jobs_job_resumed_with(&text))
        return nullptr;
    return fm_json_from_wit(text, &value) == FM_OK ? value : nullptr;
}

const char *fm_job_trace_parent(void) {
    return optional_text_of(flowmonkey_jobs_job_trace_parent);
}

/* ---- The dialogue ---- */

fm_directive fm_heartbeat(void) {
    return (fm_directive)flowmonkey_jobs_control_heartbeat();
}

bool fm_is_cancelled(void) {
    return flowmonkey_jobs_control_cancelled();
}

fm_directive fm_progress(float percent, const char *message) {
    wit_string text = fm_to_wit(message ? message : "");
    return (fm_directive)flowmonkey_jobs_control_progress(percent, message ? &text : nullptr);
}

void fm_sleep(uint64_t ms) {
    const uint64_t ns = ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000;
    const wasi_io_poll_own_pollable_t pause = wasi_clocks_monotonic_clock_subscribe_duration(ns);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pause));
    wasi_io_poll_pollable_drop_own(pause);
}

void fm_log_fields(fm_log_level level, const char *message, size_t count,
                   const char *const *texts) {
    enum { FIELDS_MAX = 16 };
    complete_job_handler_tuple2_string_string_t fields[FIELDS_MAX];
    if (count % 2 != 0 || count / 2 > FIELDS_MAX)
        fm_give_up("fm_log() takes names and values in pairs, at most 16");
    for (size_t i = 0; i < count / 2; i++) {
        fields[i].f0 = fm_to_wit(texts[2 * i]);
        fields[i].f1 = fm_to_wit(texts[2 * i + 1] ? texts[2 * i + 1] : "");
    }
    wit_string text = fm_to_wit(message);
    complete_job_handler_list_tuple2_string_string_t list = {fields, count / 2};
    flowmonkey_jobs_log_log((uint8_t)level, &text, &list);
}

/* ---- Values under keys ---- */

typedef flowmonkey_jobs_types_host_error_t host_error;

static fm_status save(bool (*call)(wit_string *, wit_string *, host_error *), const char *key,
                      const fm_json *value) {
    wit_string key_text = fm_to_wit(key);
    wit_string text = fm_json_to_wit(value);
    host_error error;
    const bool saved = call(&key_text, &text, &error);
    complete_job_handler_string_free(&text);
    return saved ? FM_OK : fm_refused(&error);
}

static fm_status found(bool is_some, wit_string text, fm_json **value) {
    *value = nullptr;
    return is_some ? fm_json_from_wit(text, value) : FM_OK;
}

static fm_status list_keys(bool (*call)(complete_job_handler_list_string_t *, host_error *),
                           fm_json **keys) {
    complete_job_handler_list_string_t list;
    host_error error;
    *keys = fm_array();
    if (!call(&list, &error))
        return fm_refused(&error);
    for (size_t i = 0; i < list.len; i++)
        fm_append(*keys, fm_copy((const char *)list.ptr[i].ptr, list.ptr[i].len));
    complete_job_handler_list_string_free(&list);
    return FM_OK;
}

static fm_status delete(bool (*call)(wit_string *, host_error *), const char *key) {
    wit_string text = fm_to_wit(key);
    host_error error;
    return call(&text, &error) ? FM_OK : fm_refused(&error);
}

fm_status fm_checkpoint_save_json(const char *key, const fm_json *value) {
    return save(flowmonkey_jobs_checkpoint_save, key, value);
}

fm_status fm_checkpoint_restore(const char *key, fm_json **value) {
    wit_string text = fm_to_wit(key);
    flowmonkey_jobs_checkpoint_option_json_t answer;
    host_error error;
    *value = nullptr;
    if (!flowmonkey_jobs_checkpoint_restore(&text, &answer, &error))
        return fm_refused(&error);
    return found(answer.is_some, answer.val, value);
}

fm_status fm_checkpoint_keys(fm_json **keys) {
    return list_keys(flowmonkey_jobs_checkpoint_keys, keys);
}

fm_status fm_checkpoint_delete(const char *key) {
    return delete (flowmonkey_jobs_checkpoint_delete, key);
}

fm_status fm_checkpoint_clear(void) {
    host_error error;
    return flowmonkey_jobs_checkpoint_clear(&error) ? FM_OK : fm_refused(&error);
}

fm_status fm_context_set_json(const char *key, const fm_json *value) {
    return save(flowmonkey_jobs_context_set, key, value);
}

fm_status fm_context_get(const char *key, fm_json **value) {
    wit_string text = fm_to_wit(key);
    flowmonkey_jobs_context_option_json_t answer;
    host_error error;
    *value = nullptr;
    if (!flowmonkey_jobs_context_get(&text, &answer, &error))
        return fm_refused(&error);
    return found(answer.is_some, answer.val, value);
}

fm_status fm_context_keys(fm_json **keys) {
    return list_keys(flowmonkey_jobs_context_keys, keys);
}

fm_status fm_context_delete(const char *key) {
    return delete (flowmonkey_jobs_context_delete, key);
}

fm_status fm_idempotency_lookup(const char *key, fm_json **value) {
    wit_string text = fm_to_wit(key);
    flowmonkey_jobs_idempotency_option_json_t answer;
    host_error error;
    *value = nullptr;
    if (!flowmonkey_jobs_idempotency_lookup(&text, &answer, &error))
        return fm_refused(&error);
    return found(answer.is_some, answer.val, value);
}

fm_status fm_idempotency_record_json(const char *key, const fm_json *value, uint64_t ttl_ms) {
    wit_string key_text = fm_to_wit(key);
    wit_string text = fm_json_to_wit(value);
    host_error error;
    const bool recorded = flowmonkey_jobs_idempotency_record(
        &key_text, &text, ttl_ms > 0 ? &ttl_ms : nullptr, &error);
    complete_job_handler_string_free(&text);
    return recorded ? FM_OK : fm_refused(&error);
}

/* ---- Other jobs and configuration ---- */

fm_status fm_enqueue(const char *handler, const fm_json *input, const fm_enqueue_options *options,
                     const char **id) {
    static const fm_enqueue_options none;
    const fm_enqueue_options *o = options ? options : &none;
    flowmonkey_jobs_queue_request_t request = {
        .handler = fm_to_wit(handler),
        .input = fm_json_to_wit(input),
        .priority = {o->has_priority, o->priority},
        .max_attempts = {o->max_attempts > 0, o->max_attempts},
        .unique_key = {o->unique_key != nullptr, fm_to_wit(o->unique_key ? o->unique_key : "")},
    };
    if (o->at_ms > 0 || o->after_ms > 0) {
        const bool at = o->at_ms > 0;
        request.start.is_some = true;
        request.start.val.tag =
            at ? FLOWMONKEY_JOBS_QUEUE_START_AT : FLOWMONKEY_JOBS_QUEUE_START_AFTER;
        request.start.val.val.at = at ? o->at_ms : o->after_ms;
    }
    wit_string created;
    host_error error;
    const bool enqueued = flowmonkey_jobs_queue_enqueue(&request, &created, &error);
    complete_job_handler_string_free(&request.input);
    if (!enqueued)
        return fm_refused(&error);
    const char *text = fm_from_wit(created);
    if (id)
        *id = text;
    return FM_OK;
}

/* The interface has no case for what is not granted; the host begins the text with it. */
static fm_status config_refused(wasi_config_store_error_t *error) {
    static const char denied[] = "denied: ";
    const char *why = fm_from_wit(error->val.upstream); /* both cases hold one text */
    if (strncmp(why, denied, strlen(denied)) == 0)
        return fm_status_with(FM_DENIED, "%s", why + strlen(denied));
    return fm_status_with(FM_UNAVAILABLE, "%s", why);
}

fm_status fm_config_get(const char *key, const char **value) {
    wit_string text = fm_to_wit(key);
    complete_job_handler_option_string_t answer;
    wasi_config_store_error_t error;
    *value = nullptr;
    if (!wasi_config_store_get(&text, &answer, &error))
        return config_refused(&error);
    if (answer.is_some)
        *value = fm_from_wit(answer.val);
    return FM_OK;
}

fm_status fm_config_all(fm_json **values) {
    complete_job_handler_list_tuple2_string_string_t list;
    wasi_config_store_error_t error;
    *values = fm_object();
    if (!wasi_config_store_get_all(&list, &error))
        return config_refused(&error);
    for (size_t i = 0; i < list.len; i++)
        fm_set(*values, fm_from_wit(list.ptr[i].f0), fm_from_wit(list.ptr[i].f1));
    free(list.ptr);
    return FM_OK;
}

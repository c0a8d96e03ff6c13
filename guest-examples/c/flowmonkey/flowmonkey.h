/* FlowMonkey Jobs for C (C23).
 *
 * Write fm_run(); the host calls it once for each attempt of a job, each time in a fresh instance.
 *
 *     fm_outcome fm_run(const fm_json *input) {
 *         const char *name;
 *         FM_TRY(fm_read_string(input, "name", &name));
 *         fm_log(FM_LOG_INFO, "greeting", "name", name);
 *         return fm_success(fm_set(fm_object(), "greeting", fm_format("Hello, %s!", name)));
 *     }
 *
 * Memory: all that these functions return lives until the attempt ends, and is never freed one by
 * one. A long loop gives memory back with fm_scope_begin() and fm_scope_end().
 *
 * Texts are UTF-8 and end in NUL. Bytes that are not UTF-8 become U+FFFD on their way to the host.
 *
 * Errors: what can fail returns an fm_status. FM_TRY() ends the handler with the outcome that fits
 * it. A failed assert() or abort() ends the attempt as a trap, which is worth another attempt.
 */
#ifndef FLOWMONKEY_H
#define FLOWMONKEY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#elif !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202000L
#error "flowmonkey.h needs C23: compile with -std=gnu23"
#endif

/* ---- JSON values ---- */

/* A JSON value. A null pointer is "no value": every reading function takes it and says so. */
typedef struct fm_json fm_json;

typedef enum fm_json_kind {
    FM_JSON_ABSENT, /* the null pointer */
    FM_JSON_NULL,
    FM_JSON_BOOL,
    FM_JSON_NUMBER,
    FM_JSON_STRING,
    FM_JSON_ARRAY,
    FM_JSON_OBJECT,
} fm_json_kind;

fm_json_kind fm_kind(const fm_json *value);
/* The kind for people: "nothing", "null", "a boolean", … */
const char *fm_kind_name(const fm_json *value);
/* The member of an object; null where there is none or `object` is no object. */
const fm_json *fm_get(const fm_json *object, const char *name);
/* The item of an array; null beyond its end. Walks there: loop with fm_first() and fm_next(). */
const fm_json *fm_at(const fm_json *array, size_t index);
/* for (const fm_json *item = fm_first(list); item; item = fm_next(item)) … Objects as well. */
const fm_json *fm_first(const fm_json *container);
const fm_json *fm_next(const fm_json *item);
/* The name under which an object holds this member. */
const char *fm_name(const fm_json *member);
/* How many items, members, or bytes of text. */
size_t fm_size(const fm_json *value);

/* The value as a C type, or the fallback where it is of another kind. A number keeps its digits as
 * they were written: fm_as_integer() is exact over all of int64_t, and reads 5.0 and 5e3 too. */
bool fm_as_bool(const fm_json *value, bool fallback);
double fm_as_number(const fm_json *value, double fallback);
int64_t fm_as_integer(const fm_json *value, int64_t fallback);
const char *fm_as_string(const fm_json *value, const char *fallback);

fm_json *fm_null(void);
fm_json *fm_bool(bool value);
fm_json *fm_number(double value); /* NaN and the infinities become null */
fm_json *fm_integer(int64_t value);
fm_json *fm_unsigned(uint64_t value);
fm_json *fm_string(const char *text); /* a null pointer becomes null */
fm_json *fm_array(void);
fm_json *fm_object(void);

/* Put a value into a container and return the container. A value that already lies in one, such as
 * a part of the input, is copied. An object replaces the member of the same name. */
fm_json *fm_set_json(fm_json *object, const char *name, const fm_json *value);
fm_json *fm_append_json(fm_json *array, const fm_json *value);

/* The value as JSON text. */
char *fm_json_text(const fm_json *value);

#ifndef __cplusplus
/* The JSON value of a C value: bool, any integer, float, double, text, or an fm_json. */
#define fm_value(v)                                                                                \
    _Generic((v),                                                                                  \
        bool: fm_bool,                                                                             \
        float: fm_number,                                                                          \
        double: fm_number,                                                                         \
        unsigned: fm_unsigned,                                                                     \
        unsigned long: fm_unsigned,                                                                \
        unsigned long long: fm_unsigned,                                                           \
        char *: fm_string,                                                                         \
        const char *: fm_string,                                                                   \
        fm_json *: fm_json_value,                                                                  \
        const fm_json *: fm_json_value,                                                            \
        default: fm_integer)(v)
#define fm_set(object, name, value) fm_set_json(object, name, fm_value(value))
#define fm_append(array, value) fm_append_json(array, fm_value(value))

static inline const fm_json *fm_json_value(const fm_json *value) {
    return value;
}
#endif

/* ---- Errors and outcomes ---- */

/* How a call went. The comment says what FM_TRY() makes of it. */
typedef enum [[nodiscard]] fm_status {
    FM_OK,
    FM_DENIED,         /* not granted to this handler: fatal DENIED */
    FM_LIMIT_EXCEEDED, /* over a limit of the handler: fatal LIMIT_EXCEEDED */
    FM_LEASE_LOST,     /* the job was cancelled or belongs to another attempt: cancelled */
    FM_UNAVAILABLE,    /* database or network did not answer: retryable UNAVAILABLE */
    FM_INVALID,        /* an argument is not acceptable: fatal INVALID */
    FM_HOST_ERROR,     /* any other error of the host: retryable HOST_ERROR */
    FM_HTTP_FAILED,    /* no whole response came: retryable HTTP_FAILED */
    FM_BAD_INPUT,      /* not JSON, or not of the wanted form: fatal BAD_INPUT */
    FM_ERROR,          /* an error of your own, see fm_error(): retryable ERROR */
} fm_status;

/* One sentence on the last call that did not return FM_OK. */
const char *fm_message(void);
/* Return FM_ERROR or FM_BAD_INPUT with a message of your own. */
[[gnu::format(printf, 1, 2)]] fm_status fm_error(const char *format, ...);
[[gnu::format(printf, 1, 2)]] fm_status fm_bad_input(const char *format, ...);

/* How an attempt ends. Made by the functions below. */
typedef struct fm_outcome {
    enum {
        FM_SUCCESS,
        FM_WAIT_AT,
        FM_WAIT_AFTER,
        FM_WAIT_SIGNAL,
        FM_RETRYABLE,
        FM_FATAL,
        FM_CANCELLED
    } kind;
    const char *name;     /* the failure's code, or the signal */
    const char *message;  /* the failure's message, or the wait's reason */
    const fm_json *value; /* the result, or the failure's details */
    bool has_time;
    uint64_t time_ms;
} fm_outcome;

/* The work is done. `result` may be null. */
fm_outcome fm_success(const fm_json *result);
/* The work goes on later; checkpoints stay, and the attempt does not count. `reason` or null. */
fm_outcome fm_wait_after(uint64_t ms, const char *reason);
fm_outcome fm_wait_at(uint64_t ms_since_1970, const char *reason);
/* Until somebody resumes the job; see fm_job_resumed_with(). */
fm_outcome fm_wait_signal(const char *signal, const char *reason);
/* May go better next time. The code is a short, stable name in capitals. */
[[gnu::format(printf, 2, 3)]] fm_outcome fm_retryable(const char *code, const char *format, ...);
/* Will never go better: the job fails now. */
[[gnu::format(printf, 2, 3)]] fm_outcome fm_fatal(const char *code, const char *format, ...);
/* The attempt stopped because it was told to, by FM_CANCEL or FM_DRAIN. */
fm_outcome fm_cancelled(void);
/* The same failure with whatever helps to find its cause; dropped when over 16 KiB. */
fm_outcome fm_with_details(fm_outcome failure, const fm_json *details);
/* The same retryable failure, tried again after so many milliseconds; at most 30 days. */
fm_outcome fm_with_retry_after(fm_outcome failure, uint64_t ms);
/* What FM_TRY() returns for a status, with fm_message(). */
fm_outcome fm_failed(fm_status status);

#ifndef __cplusplus
#define FM_TRY(call)                                                                               \
    do {                                                                                           \
        const fm_status fm_status_of_call = (call);                                                \
        if (fm_status_of_call != FM_OK)                                                            \
            return fm_failed(fm_status_of_call);                                                   \
    } while (0)
#endif

/* Read a member that must be there; FM_BAD_INPUT names what is missing or of another kind. */
fm_status fm_read_bool(const fm_json *object, const char *name, bool *value);
fm_status fm_read_number(const fm_json *object, const char *name, double *value);
fm_status fm_read_integer(const fm_json *object, const char *name, int64_t *value);
fm_status fm_read_string(const fm_json *object, const char *name, const char **value);
/* The same with a value to take where the member is absent or null. */
fm_status fm_read_bool_or(const fm_json *object, const char *name, bool fallback, bool *value);
fm_status fm_read_number_or(const fm_json *object, const char *name, double fallback,
                            double *value);
fm_status fm_read_integer_or(const fm_json *object, const char *name, int64_t fallback,
                             int64_t *value);
fm_status fm_read_string_or(const fm_json *object, const char *name, const char *fallback,
                            const char **value);

/* Reads JSON text of at most 128 levels. FM_BAD_INPUT for what is no JSON, a lone surrogate, and
 * \u0000, which neither the host nor a C string could hold. */
fm_status fm_json_parse(const char *text, size_t size, fm_json **value);

/* ---- What a handler defines ---- */

/* Runs one attempt. A job runs at least once, so effects outside should be safe to repeat. */
fm_outcome fm_run(const fm_json *input);
/* What the handler says of itself: name, description, version, input-schema, … (see wit/). May be
 * left out. Called without a job: every function of the host answers FM_DENIED. */
const fm_json *fm_describe(void);

/* ---- The job ---- */

const char *fm_job_id(void);
const char *fm_job_handler(void);
/* The workflow execution and its step that this job belongs to; null where it is a job alone. */
const char *fm_job_execution_id(void);
const char *fm_job_step_id(void);
/* The same in every attempt of this job: hand it to services that drop repeated requests. */
const char *fm_job_idempotency_key(void);
/* The first attempt is 1. */
uint32_t fm_job_attempt(void);
uint32_t fm_job_max_attempts(void);
/* When the attempt will be interrupted, in milliseconds since 1970; false where it will not. */
bool fm_job_deadline_ms(uint64_t *ms);
/* What the job was resumed with after its last wait; null where nothing. */
const fm_json *fm_job_resumed_with(void);
/* The W3C traceparent under which the job was enqueued, or null. */
const char *fm_job_trace_parent(void);

/* What the host wants of a running attempt. */
typedef enum fm_directive {
    FM_PROCEED,
    FM_CANCEL, /* stop: nothing this attempt records will be kept */
    FM_DRAIN,  /* the runner is stopping: save a checkpoint and return fm_cancelled() */
} fm_directive;

/* Says that the attempt is alive. Cheap: call it in every turn of a long loop. */
fm_directive fm_heartbeat(void);
/* Whether the job was cancelled or lost, without counting as a sign of life. */
bool fm_is_cancelled(void);
/* Shows people how far the work is, from 0 to 100; `message` may be null. Also a heartbeat. */
fm_directive fm_progress(float percent, const char *message);
/* Pauses the attempt; it counts towards its timeout. */
void fm_sleep(uint64_t ms);

typedef enum fm_log_level {
    FM_LOG_TRACE,
    FM_LOG_DEBUG,
    FM_LOG_INFO,
    FM_LOG_WARN,
    FM_LOG_ERROR,
} fm_log_level;

/* Writes a line with named fields: fm_log(FM_LOG_INFO, "sent", "to", address, "host", host). All
 * are texts; up to 16 fields. Lines and bytes of an attempt are limited. Never put secrets here. */
void fm_log_fields(fm_log_level level, const char *message, size_t count, const char *const *texts);
#ifndef __cplusplus
#define fm_log(level, message, ...)                                                                \
    fm_log_fields(level, message, sizeof FM_TEXTS(__VA_ARGS__) / sizeof(char *) - 1,               \
                  FM_TEXTS(__VA_ARGS__))
/* An array may not be empty, hence the last one. */
#define FM_TEXTS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) nullptr})
#endif

/* ---- Memory across attempts ---- */

/* Checkpoints: what this job keeps for its next attempts. Keys have 1 to 256 bytes; by default a
 * value has at most 1 MiB, and all of a job's 4 MiB. A value is durable when the call returns. */
fm_status fm_checkpoint_save_json(const char *key, const fm_json *value);
/* `*value` is null where nothing is saved under the key. */
fm_status fm_checkpoint_restore(const char *key, fm_json **value);
/* `*keys` is an array of texts, in order. */
fm_status fm_checkpoint_keys(fm_json **keys);
fm_status fm_checkpoint_delete(const char *key);
fm_status fm_checkpoint_clear(void);

/* The context of the job's workflow execution. Needs the grant `context`; FM_DENIED for a job of
 * its own. At most 1 MB a value, 10 MB in all, 500 keys. */
fm_status fm_context_set_json(const char *key, const fm_json *value);
fm_status fm_context_get(const char *key, fm_json **value);
fm_status fm_context_keys(fm_json **keys);
fm_status fm_context_delete(const char *key);

/* "Was this done already?", shared by all jobs of this handler. Needs the grant `idempotency`. */
fm_status fm_idempotency_lookup(const char *key, fm_json **value);
/* What was recorded first stands until its time is over: another value is FM_INVALID. `ttl_ms` of 0
 * is for good. */
fm_status fm_idempotency_record_json(const char *key, const fm_json *value, uint64_t ttl_ms);

#ifndef __cplusplus
#define fm_checkpoint_save(key, value) fm_checkpoint_save_json(key, fm_value(value))
#define fm_context_set(key, value) fm_context_set_json(key, fm_value(value))
#define fm_idempotency_record(key, value, ttl_ms)                                                  \
    fm_idempotency_record_json(key, fm_value(value), ttl_ms)
#endif

/* ---- Other jobs, configuration, HTTP ---- */

/* What is left at zero takes the target handler's own setting, and starts the job now. */
typedef struct fm_enqueue_options {
    uint64_t at_ms;    /* when it is due, in milliseconds since 1970, */
    uint64_t after_ms; /* or from now */
    bool has_priority;
    uint8_t priority; /* from 0 (first) to 9 (last) */
    uint32_t max_attempts;
    /* While a job with this key is pending or running, its id is returned instead of a second job.
     */
    const char *unique_key;
} fm_enqueue_options;

/* Creates a job for another handler. Needs the grant `queue`. The job stays even if this attempt
 * fails. `options` and `id` may be null. */
fm_status fm_enqueue(const char *handler, const fm_json *input, const fm_enqueue_options *options,
                     const char **id);

/* What the operator has set for this handler. Needs the grant `config`. `*value` is null where the
 * key has no value; `*values` is an object of texts. */
fm_status fm_config_get(const char *key, const char **value);
fm_status fm_config_all(fm_json **values);

typedef struct fm_http_header {
    const char *name;
    const char *value;
} fm_http_header;

typedef struct fm_http_request {
    const char *method; /* null is GET */
    const char *url;
    const fm_http_header *headers;
    size_t header_count;
    const void *body;
    size_t body_size;
} fm_http_request;

typedef struct fm_http_response {
    uint16_t status;
    const fm_http_header *headers; /* names in lower case */
    size_t header_count;
    const char *body; /* followed by a NUL that `body_size` does not count */
    size_t body_size;
} fm_http_response;

/* Sends a request and reads the whole response, whatever its status. Needs the grant `http`;
 * FM_DENIED where it does not cover the URL. Redirects are not followed. */
fm_status fm_http_send(const fm_http_request *request, fm_http_response *response);
/* The first header of that name, in lower case; null where there is none. */
const char *fm_http_header_value(const fm_http_response *response, const char *name);

/* ---- Memory ---- */

/* Zeroed memory that lives as long as everything else here. Never null. */
void *fm_alloc(size_t size);
/* sprintf into memory of its own. */
[[gnu::format(printf, 1, 2)]] char *fm_format(const char *format, ...);

/* Between the two calls memory is used; after them it is free again, with all that was returned in
 * between. So put nothing made in between into values from before, nor into an outcome: of a
 * failure the message alone outlives the scope. Scopes nest. */
typedef struct fm_scope {
    void *block;
    size_t used;
} fm_scope;
fm_scope fm_scope_begin(void);
void fm_scope_end(fm_scope scope);

#ifdef __cplusplus
}
#endif
#endif

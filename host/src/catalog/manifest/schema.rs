//! The JSON Schema of `handler.toml`, for editors: written from the same tables of limits that the manifest is read
//! with.

use crate::catalog::HandlerSettings;
use crate::catalog::limits::{Kind, LimitKey, keys};
use crate::job::WAITS_MAX_DEFAULT;
use serde_json::{Map, Value, json};

/// What each limit bounds, and what comes beyond it.
const LIMITS: [(&str, &str); 33] = [
    ("fuel", "Instructions of an attempt, roughly, or \"unlimited\". OUT_OF_FUEL beyond."),
    (
        "heartbeat-timeout",
        "Time between two signs of life that the handler gives by itself. HEARTBEAT_TIMEOUT beyond.",
    ),
    ("timeout", "Time of an attempt, waiting included. TIMEOUT beyond."),
    ("memory", "Bytes of all linear memories together. MEMORY_LIMIT beyond."),
    ("memories", "Linear memories. HANDLER_LOAD_FAILED beyond."),
    ("table-elements", "Elements of all tables together. MEMORY_LIMIT beyond."),
    ("tables", "Tables. HANDLER_LOAD_FAILED beyond."),
    ("instances", "Core instances. HANDLER_LOAD_FAILED beyond."),
    ("stack", "Bytes of the native stack, rounded up to a power of two. STACK_OVERFLOW beyond."),
    ("handles", "Handles of resources held at once. A trap beyond."),
    ("resources", "Resources that the host holds for the handler at once. A trap beyond."),
    (
        "hostcall-bytes",
        "Bytes that one call may hand to the host. A trap beyond, or OUTPUT_TOO_LARGE for the result.",
    ),
    ("store-calls-per-second", "Calls in a second that reach the database; so many may come at once."),
    ("log-lines", "Log lines of an attempt, those of stdout and stderr included; the rest is dropped."),
    ("log-bytes", "Bytes of log lines of an attempt; the rest is dropped."),
    ("stdout-bytes", "Bytes of standard output; the rest is dropped."),
    ("stderr-bytes", "Bytes of standard error; the rest is dropped, but for the last 2 KiB."),
    ("result-bytes", "Bytes of the result. OUTPUT_TOO_LARGE beyond."),
    ("checkpoint-value-bytes", "Bytes of one checkpoint value."),
    ("checkpoint-bytes", "Bytes of all checkpoint keys and values of a job."),
    ("random-bytes", "Bytes of one call for random numbers. A trap beyond."),
    ("enqueues", "Jobs that an attempt may create."),
    ("queue-pending", "Pending jobs of the other handler beyond which no more are created."),
    ("idempotency-value-bytes", "Bytes of one idempotency value."),
    ("idempotency-records", "Idempotency keys that an attempt may record."),
    ("http-requests", "HTTP requests of an attempt."),
    ("http-request-bytes", "Bytes of the body of one HTTP request."),
    ("http-response-bytes", "Bytes of the body of one HTTP response."),
    ("http-header-bytes", "Bytes of all header fields of one HTTP request, and of one response."),
    ("http-timeout", "Time of one HTTP request, from its name's resolution to the end of the response."),
    ("component-bytes", "Bytes of the component. It is refused beyond."),
    ("compile-timeout", "Time to compile the component, of all processors together. It is refused beyond."),
    ("compile-memory", "Address space for compiling the component. It is refused beyond."),
];

/// The JSON Schema of `handler.toml` (2020-12): every key with its meaning, and the default where the runner's settings say
/// nothing. `x-ceiling` is how far a limit may go where they say nothing.
pub fn manifest_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "handler.toml of FlowMonkey Jobs",
        "description": "What a handler is called, what it needs and asks for.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": name("The handler's name.", "the folder's name"),
            "version": name("What this version is called; versions never change.", "the next number"),
            "description": {"type": "string", "description": "A sentence for people.", "default": ""},
            "component": path("The component's file.", "NAME.wasm, or the one .wasm file in the folder"),
            "concurrency": count("Attempts at once in one runner.", 1, "as many as there are places"),
            "fleet-concurrency": count("Attempts at once in all runners together.", 1, "as many as they can"),
            "waits-max": count("How often one job may wait. WAIT_LIMIT beyond.", 0, WAITS_MAX_DEFAULT),
            "input-schema": path("JSON Schema of a job's input. INVALID_INPUT where it does not fit.", "the component's own"),
            "output-schema": path("JSON Schema of a job's result.", "the component's own"),
            "config-schema": path("JSON Schema of the configuration, an object of texts.", "the component's own"),
            "validate-output": {
                "type": "boolean",
                "description": "Whether results must fit the output's schema. INVALID_OUTPUT where they do not.",
                "default": false,
            },
            "limits": section("What an attempt may use, up to the operator's ceiling.", limits()),
            "retry": section("How long to wait before the next attempt.", retry()),
            "grants": section("What it asks for; the operator allows it or not.", grants()),
        },
    })
}

fn section(description: &str, properties: Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "additionalProperties": false,
        "properties": properties,
        "default": {},
    })
}

fn name(description: &str, default: &str) -> Value {
    json!({
        "type": "string",
        "description": description,
        "minLength": 1,
        "maxLength": 128,
        "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$",
        "x-default": default,
    })
}

fn path(description: &str, default: &str) -> Value {
    json!({
        "type": "string",
        "description": format!("{description} A path within the manifest's folder."),
        "minLength": 1,
        "pattern": "^([^/.]|\\.[^/.]|\\.\\.[^/]|\\./)",
        "not": {"pattern": "(^|/)\\.\\.(/|$)"},
        "x-default": default,
    })
}

fn count(description: &str, minimum: u32, default: impl Into<Value>) -> Value {
    let default = default.into();
    let key = if default.is_string() { "x-default" } else { "default" };
    json!({"type": "integer", "description": description, "minimum": minimum, "maximum": u32::MAX, key: default})
}

fn span(description: &str, default: &str) -> Value {
    json!({
        "type": "string",
        "description": format!("{description} A time such as 500ms, 10s or 1h30m."),
        "pattern": "^\\s*[0-9]+\\s*[a-zA-Zµ]+",
        "default": default,
    })
}

fn limits() -> Value {
    let limit = |key: LimitKey| (key.name.clone(), limit(&key));
    Value::Object(keys().into_iter().map(limit).collect::<Map<_, _>>())
}

fn limit(key: &LimitKey) -> Value {
    let about = LIMITS.iter().find(|(name, _)| *name == key.name).map_or("", |(_, about)| about);
    let mut schema = match key.kind {
        Kind::Span => span(about, &key.default),
        Kind::Count => count(about, 0, key.default.parse::<u32>().unwrap_or(0)),
        Kind::Size => json!({
            "type": "string",
            "description": format!("{about} A size such as 64MiB or 1GB."),
            "pattern": "^[0-9]+(\\.[0-9]+)?\\s*([kKmMgGtTpPeE]?[iI]?[bB]?)$",
            "default": key.default,
        }),
        Kind::Fuel => json!({
            "type": "string",
            "description": about,
            "pattern": "^(unlimited|[0-9_]*[1-9][0-9_]*)$",
            "default": key.default,
        }),
    };
    if let (Some(ceiling), Some(schema)) = (&key.ceiling, schema.as_object_mut()) {
        schema.insert("x-ceiling".into(), ceiling.as_str().into());
    }
    // No time at all is the default of what need not be.
    if let (true, Some(schema)) = (key.default.is_empty(), schema.as_object_mut()) {
        schema.remove("default");
        schema.insert("x-default".into(), "as long as it likes".into());
    }
    schema
}

fn retry() -> Value {
    let defaults = HandlerSettings::default().retry;
    let shown = |span| humantime::format_duration(span).to_string();
    json!({
        "base": span("The longest pause after a first failed attempt.", &shown(defaults.base)),
        "factor": {
            "type": "number",
            "description": "By how much the longest pause grows with each attempt.",
            "minimum": 1,
            "default": defaults.factor,
        },
        "cap": span("The longest pause after any failed attempt.", &shown(defaults.cap)),
    })
}

fn grants() -> Value {
    let switch = |description: &str| json!({"type": "boolean", "description": description, "default": false});
    let list = |description: &str| json!({"type": "array", "description": description, "items": {"type": "string"}, "default": []});
    json!({
        "context": switch("The context of the workflow execution that the job belongs to."),
        "idempotency": switch("Memory for \"has this been done already?\", shared by all jobs of the handler."),
        "queue": list("The handlers for which it may create jobs."),
        "http": list("Where it may send requests: hosts such as api.example.com or *.example.com:8443; https unless it says http://."),
        "config": list("The configuration keys it may read."),
    })
}

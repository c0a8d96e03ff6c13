//! What outlives an attempt, or would.

use crate::flowmonkey::jobs::types::HostError;
use crate::flowmonkey::jobs::{checkpoint, context, idempotency, job, queue};
use serde_json::{Value, json};

fn told(result: Result<Value, HostError>) -> Value {
    result.unwrap_or_else(|error| json!({"error": format!("{error:?}")}))
}

fn large(step: &Value) -> String {
    format!("\"{}\"", "x".repeat(step[2].as_u64().unwrap() as usize))
}

type Call = fn(&Value) -> Value;

/// What makes one call of an interface, by the interface's name.
fn calls(interface: &str) -> Call {
    match interface {
        "checkpoints" => checkpoint_call,
        "context" => context_call,
        "queue" => queue_call,
        "idempotency" => idempotency_call,
        other => panic!("{other}"),
    }
}

/// One call after the other, and the answers in order.
pub(crate) fn steps(interface: &str, steps: &Value) -> Value {
    steps.as_array().unwrap().iter().map(calls(interface)).collect()
}

/// One call so often, and what came of it.
pub(crate) fn storm(interface: &str, step: &Value, times: u64) -> Value {
    let call = calls(interface);
    let (mut done, mut refusal) = (0, Value::Null);
    for _ in 0..times {
        let answer = call(step);
        match answer["error"].as_str() {
            None => done += 1,
            Some(error) => refusal = json!(error),
        }
    }
    json!({ "done": done, "refusal": refusal })
}

/// `["save", key, value]`, `["restore", key]`, …
fn checkpoint_call(step: &Value) -> Value {
    let key = step[1].as_str().unwrap_or_default();
    match step[0].as_str().unwrap() {
        "save" => told(checkpoint::save(key, step[2].as_str().unwrap()).map(|()| json!("saved"))),
        "save-large" => told(checkpoint::save(key, &large(step)).map(|()| json!("saved"))),
        "restore" => told(checkpoint::restore(key).map(|value| json!(value))),
        "keys" => told(checkpoint::keys().map(|keys| json!(keys))),
        "delete" => told(checkpoint::delete(key).map(|()| json!("deleted"))),
        "clear" => told(checkpoint::clear().map(|()| json!("cleared"))),
        other => panic!("{other}"),
    }
}

/// `["set", key, value]`, `["get", key]`, …
fn context_call(step: &Value) -> Value {
    let key = step[1].as_str().unwrap_or_default();
    match step[0].as_str().unwrap() {
        "set" => told(context::set(key, step[2].as_str().unwrap()).map(|()| json!("set"))),
        "set-large" => told(context::set(key, &large(step)).map(|()| json!("set"))),
        "get" => told(context::get(key).map(|value| json!(value))),
        "keys" => told(context::keys().map(|keys| json!(keys))),
        "delete" => told(context::delete(key).map(|()| json!("deleted"))),
        other => panic!("{other}"),
    }
}

/// `{"handler", "input", "at", "after", "priority", "max", "key"}`, all but the handler optional; the input
/// is `null` then.
fn queue_call(step: &Value) -> Value {
    let text = |name: &str| step[name].as_str().map(str::to_owned);
    let number = |name: &str| step[name].as_u64();
    let start = number("at").map(queue::Start::At).or(number("after").map(queue::Start::After));
    let request = queue::Request {
        handler: text("handler").unwrap(),
        input: text("input").unwrap_or_else(|| "null".into()),
        start,
        priority: number("priority").map(|priority| priority as u8),
        max_attempts: number("max").map(|max| max as u32),
        unique_key: text("key"),
    };
    told(queue::enqueue(&request).map(|id| json!(id)))
}

/// `["record", key, value, ms?]`, `["record-large", key, bytes]`, `["lookup", key]`
fn idempotency_call(step: &Value) -> Value {
    let key = step[1].as_str().unwrap_or_default();
    match step[0].as_str().unwrap() {
        "record" => {
            let value = step[2].as_str().unwrap();
            told(idempotency::record(key, value, step[3].as_u64()).map(|()| json!("recorded")))
        }
        "record-large" => told(idempotency::record(key, &large(step), None).map(|()| json!("recorded"))),
        "lookup" => told(idempotency::lookup(key).map(|value| json!(value))),
        other => panic!("{other}"),
    }
}

/// A job that creates so many like itself.
pub(crate) fn fork(input: &Value) -> Value {
    let step = json!({ "handler": job::handler(), "input": input.to_string() });
    storm("queue", &step, input["n"].as_u64().unwrap())
}

/// Every function that needs a grant, and what it answers without one.
pub(crate) fn denied() -> Value {
    let told = |error: Option<HostError>| format!("{:?}", error.expect("not denied"));
    let request = queue::Request {
        handler: "x".into(),
        input: "1".into(),
        start: None,
        priority: None,
        max_attempts: None,
        unique_key: None,
    };
    json!({
        "context": [
            told(context::get("k").err()), told(context::set("k", "1").err()),
            told(context::delete("k").err()), told(context::keys().err()),
        ],
        "queue": [told(queue::enqueue(&request).err())],
        "idempotency": [
            told(idempotency::lookup("k").err()), told(idempotency::record("k", "1", None).err()),
        ],
    })
}

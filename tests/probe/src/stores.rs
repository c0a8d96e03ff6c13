//! What outlives an attempt, or would.

use crate::flowmonkey::jobs::types::HostError;
use crate::flowmonkey::jobs::{checkpoint, context, idempotency, queue};
use serde_json::{Value, json};

fn told(result: Result<Value, HostError>) -> Value {
    result.unwrap_or_else(|error| json!({"error": format!("{error:?}")}))
}

fn large(step: &Value) -> String {
    format!("\"{}\"", "x".repeat(step[2].as_u64().unwrap() as usize))
}

pub(crate) fn checkpoints(steps: &Value) -> Value {
    let steps = steps.as_array().unwrap().iter().map(|step| {
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
    });
    steps.collect()
}

pub(crate) fn contexts(steps: &Value) -> Value {
    let steps = steps.as_array().unwrap().iter().map(|step| {
        let key = step[1].as_str().unwrap_or_default();
        match step[0].as_str().unwrap() {
            "set" => told(context::set(key, step[2].as_str().unwrap()).map(|()| json!("set"))),
            "set-large" => told(context::set(key, &large(step)).map(|()| json!("set"))),
            "get" => told(context::get(key).map(|value| json!(value))),
            "keys" => told(context::keys().map(|keys| json!(keys))),
            "delete" => told(context::delete(key).map(|()| json!("deleted"))),
            other => panic!("{other}"),
        }
    });
    steps.collect()
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

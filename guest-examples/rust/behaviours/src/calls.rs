//! What asks the host for something.

use flowmonkey::{Context, Error, Level, NewJob, Request, Result, Value, json};
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

pub(crate) fn facts(ctx: &Context) -> Result<Value> {
    let deadline = ctx.deadline().map(|deadline| deadline.duration_since(UNIX_EPOCH)).transpose()?;
    Ok(json!({
        "id": ctx.id(),
        "handler": ctx.handler(),
        "attempt": ctx.attempt(),
        "maxAttempts": ctx.max_attempts(),
        "idempotencyKey": ctx.idempotency_key(),
        "executionId": ctx.execution_id(),
        "stepId": ctx.step_id(),
        "deadlineMs": deadline.map(|deadline| deadline.as_millis() as u64),
        "resumedWith": ctx.resumed_with::<Value>()?,
        "traceParent": ctx.trace_parent(),
    }))
}

/// Counts attempts until there were enough.
pub(crate) fn checkpoint(ctx: &Context, times: u32) -> Result<Value> {
    let checkpoint = ctx.checkpoint();
    let n = checkpoint.restore("n")?.unwrap_or(0) + 1;
    checkpoint.save("n", &n)?;
    checkpoint.save("last", &json!({ "attempt": ctx.attempt() }))?;
    if n < times {
        return Err(Error::retryable("AGAIN", format_args!("{n} of {times} times")));
    }
    let keys = checkpoint.keys()?;
    checkpoint.delete("last")?;
    Ok(json!({ "n": n, "keys": keys, "left": checkpoint.keys()? }))
}

pub(crate) fn log(ctx: &Context) {
    for (level, name) in [
        (Level::Trace, "trace"),
        (Level::Debug, "debug"),
        (Level::Info, "info"),
        (Level::Warn, "warn"),
        (Level::Error, "error"),
    ] {
        ctx.log().at(level, &format!("at {name}"), &[("level", &name)]);
    }
}

pub(crate) fn http(
    ctx: &Context,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
) -> Result<Value> {
    let request = Request::new(method, url).body(body.unwrap_or_default());
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let response = ctx.http().send(request)?;
    let headers: BTreeMap<_, _> = response.headers().collect();
    Ok(json!({ "status": response.status(), "headers": headers, "body": response.text() }))
}

pub(crate) fn enqueue(ctx: &Context, input: Value, unique_key: Option<String>) -> Result<Value> {
    let job = NewJob::new("behaviours", input);
    let job = match unique_key {
        Some(key) => job.unique_key(key),
        None => job,
    };
    Ok(json!({ "id": ctx.queue().enqueue(job)? }))
}

pub(crate) fn idempotency(ctx: &Context, key: &str, value: &Value) -> Result<Value> {
    if let Some(found) = ctx.idempotency().lookup::<Value>(key)? {
        return Ok(json!({ "found": found }));
    }
    ctx.idempotency().record(key, value)?;
    Ok(json!({ "recorded": true }))
}

//! How an attempt can end other than with a result.

use flowmonkey::{Context, Error, OrFail, Outcome, Result, Value, Wait, json};
use std::time::{Duration, UNIX_EPOCH};

pub(crate) fn retryable(code: String, message: String, details: Option<Value>, after: Option<u64>) -> Error {
    let error = with_details(Error::retryable(code, message), details);
    match after {
        Some(ms) => error.after(Duration::from_millis(ms)),
        None => error,
    }
}

pub(crate) fn fatal(code: String, message: String, details: Option<Value>) -> Error {
    with_details(Error::fatal(code, message), details)
}

fn with_details(error: Error, details: Option<Value>) -> Error {
    match details {
        Some(details) => error.details(details),
        None => error,
    }
}

pub(crate) fn deeper(message: String) -> Result<Value> {
    Ok(deepest(message)?)
}

fn deepest(message: String) -> Result<Value, Box<dyn std::error::Error>> {
    Err(message.into())
}

pub(crate) fn until(after_ms: Option<u64>, at_ms: Option<u64>, signal: Option<String>) -> Result<Wait> {
    let after = after_ms.map(|ms| Wait::after(Duration::from_millis(ms)));
    let at = || at_ms.map(|ms| Wait::at(UNIX_EPOCH + Duration::from_millis(ms)));
    let signal = || signal.map(Wait::signal);
    after.or_else(at).or_else(signal).or_fatal("BAD_INPUT", "it says neither afterMs nor atMs nor signal")
}

/// Waits in the first attempt, and not in the one after it.
pub(crate) fn wait(ctx: &Context, wait: Wait, reason: Option<String>) -> Result<Outcome<Value>> {
    let resumed_with: Option<Value> = ctx.resumed_with()?;
    if resumed_with.is_some() || ctx.checkpoint().restore("waited")? == Some(true) {
        return Ok(Outcome::Done(json!({ "resumedWith": resumed_with })));
    }
    ctx.checkpoint().save("waited", &true)?;
    Ok(match reason {
        Some(reason) => wait.reason(reason),
        None => wait,
    }
    .into())
}

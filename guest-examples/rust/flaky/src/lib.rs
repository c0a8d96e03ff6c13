//! Fails on its first attempts and then succeeds. Shows a failure that is worth another attempt,
//! and how a handler may say when that should be; without `retryAfterMs` the handler's retry
//! policy decides. A job with too few attempts ends as failed.
//!
//! Both fields may be missing:
//!
//! ```json
//! {"failures": 2, "retryAfterMs": 300}
//! ```

use flowmonkey::{Context, Error, Result, Value, json};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Input {
    failures: u32,
    retry_after_ms: Option<u64>,
}

impl Default for Input {
    fn default() -> Self {
        Input { failures: 2, retry_after_ms: None }
    }
}

flowmonkey::handler!(run);

/// `Option` also takes `null`, the input of a job that was enqueued with none.
fn run(ctx: &Context, input: Option<Input>) -> Result<Value> {
    let Input { failures, retry_after_ms } = input.unwrap_or_default();
    let attempt = ctx.attempt();
    if attempt <= failures {
        let message = format_args!("attempt {attempt} fails; {failures} were asked to");
        let error = Error::retryable("FLAKY", message);
        return Err(match retry_after_ms {
            Some(ms) => error.after(Duration::from_millis(ms)),
            None => error,
        });
    }
    Ok(json!({ "attempt": attempt }))
}

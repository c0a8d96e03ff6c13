//! Fails on its first attempts and then succeeds. Shows a failure that is worth another attempt,
//! and how a handler may say when that should be; without `retryAfterMs` the handler's retry
//! policy decides. A job with too few attempts ends as failed.
//!
//! Both fields may be missing:
//!
//! ```json
//! {"failures": 2, "retryAfterMs": 300}
//! ```

use exports::flowmonkey::jobs::handler::Guest;
use flowmonkey::jobs::job;
use flowmonkey::jobs::types::{Failure, JobError, Outcome, Retry};
use serde::Deserialize;
use serde_json::json;

wit_bindgen::generate!({ world: "job-handler", path: "../../../wit" });

struct Flaky;
export!(Flaky);

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

impl Guest for Flaky {
    fn run(input: String) -> Result<Outcome, JobError> {
        // `Option` also takes `null`, the input of a job that was enqueued with none.
        let input: Option<Input> = serde_json::from_str(&input).map_err(|error| {
            JobError::Fatal(Failure {
                code: "BAD_INPUT".to_string(),
                message: error.to_string(),
                details: None,
            })
        })?;
        let Input { failures, retry_after_ms } = input.unwrap_or_default();

        let attempt = job::attempt();
        if attempt <= failures {
            return Err(JobError::Retryable(Retry {
                failure: Failure {
                    code: "FLAKY".to_string(),
                    message: format!("attempt {attempt} fails; {failures} were asked to"),
                    details: None,
                },
                after_ms: retry_after_ms,
            }));
        }
        Ok(Outcome::Success(Some(json!({ "attempt": attempt }).to_string())))
    }
}

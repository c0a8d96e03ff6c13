//! What a job is, and which state follows which event. Pure: no clock, no I/O, no async.

mod error;
mod json;
mod outcome;
mod retry;
mod status;
mod transition;

pub use error::{ErrorCode, JobError, MESSAGE_BYTES_MAX};
pub use json::{INPUT_BYTES_MAX, JSON_DEPTH_MAX, JsonError, JsonText};
pub use outcome::{Outcome, Report, Usage, WAIT_MAX, Wake};
pub use retry::{RETRY_AFTER_MAX, RetryPolicy};
pub use status::Status;
pub use transition::{Attempt, Transition, reap, transition};

use std::fmt;

/// One row of `fm_jobs`.
#[derive(Debug, Clone)]
pub struct Job {
    /// Text of any form; jobs created here get 32 hexadecimal digits.
    pub id: String,
    /// The workflow execution the job belongs to.
    pub execution_id: Option<String>,
    /// The step of that execution.
    pub step_id: Option<String>,
    /// The name of the handler that runs it.
    pub handler: String,
    /// Where the job is in its life.
    pub status: Status,
    /// What the handler is called with.
    pub input: JsonText,
    /// What the handler returned; only on completed jobs.
    pub result: Option<JsonText>,
    /// The last attempt's error; cleared by success.
    pub error: Option<JobError>,
    /// From 0 (first) to 9 (last).
    pub priority: i16,
    /// When it is due, in milliseconds since 1970; `None` while it waits for a signal.
    pub run_at: Option<i64>,
    /// Why and for what the handler asked to wait.
    pub waiting: Option<Waiting>,
    /// How many attempts were begun and not refunded.
    pub attempts: u32,
    /// How many attempts the job has in all.
    pub max_attempts: u32,
    /// The runner of the current or last attempt.
    pub runner_id: Option<String>,
    /// The fence of the current or last attempt.
    pub instance_id: Option<String>,
    /// The last sign of life of the runner that holds it, in milliseconds since 1970.
    pub heartbeat_at: Option<i64>,
    /// How far the handler said it is.
    pub progress: Option<Progress>,
    /// An object of what the handler saved.
    pub checkpoint: Option<JsonText>,
    /// One entry an attempt, oldest first, the last [`HISTORY_ENTRIES_MAX`] of them.
    pub history: Vec<HistoryEntry>,
    /// Creation, in milliseconds since 1970 by the database's clock.
    pub created_at: i64,
    /// The last change, in milliseconds since 1970 by the database's clock.
    pub updated_at: i64,
}

/// How many attempts a job's history keeps; older ones fall out.
pub const HISTORY_ENTRIES_MAX: u32 = 32;

/// What a waiting job waits for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Waiting {
    /// The signal's name, when the job waits for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The handler's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How far an attempt is, in its handler's words. The column is FlowMonkey's `progress`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// From 0 to 100.
    pub percent: f32,
    /// What it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How one attempt ended.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct HistoryEntry {
    /// The attempt's number; the first is 1. A refunded number appears again.
    pub attempt: u32,
    /// The attempt's fence.
    pub instance_id: String,
    /// Who ran it.
    #[serde(default)]
    pub runner_id: Option<String>,
    /// `completed`, `retried`, `failed`, `waiting`, `released` or `stalled`.
    pub outcome: String,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// What it cost; absent when the runner died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// When it was recorded, in milliseconds since 1970 by the database's clock.
    pub at: i64,
}

/// Proof of an attempt: whoever shows it may write to the job, as long as it is the current one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job_id: String,
    /// A fresh UUID a claim: the fence. It never repeats, which `attempts` may.
    pub instance_id: String,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.job_id, self.instance_id)
    }
}

/// A job to be created.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The handler that shall run it; 1 to 128 bytes.
    pub handler: String,
    /// What the handler is called with.
    pub input: JsonText,
    /// The workflow execution it belongs to; the row must exist.
    pub execution_id: Option<String>,
    /// The step of that execution.
    pub step_id: Option<String>,
    /// Milliseconds from now until it is due, by the database's clock.
    pub delay_ms: u64,
    /// From 0 (first) to 9 (last).
    pub priority: i16,
    /// How many attempts it has in all; at least 1.
    pub max_attempts: u32,
}

/// How many attempts a job has when nobody says; FlowMonkey's column default.
pub const MAX_ATTEMPTS_DEFAULT: u32 = 3;

impl NewJob {
    /// A job that is due at once, with the defaults for everything else.
    pub fn new(handler: impl Into<String>, input: JsonText) -> Self {
        NewJob {
            handler: handler.into(),
            input,
            execution_id: None,
            step_id: None,
            delay_ms: 0,
            priority: 0,
            max_attempts: MAX_ATTEMPTS_DEFAULT,
        }
    }

    /// Checks what the type cannot.
    ///
    /// # Errors
    /// Says which field is wrong and what it may be.
    pub fn check(&self) -> Result<(), InvalidJob> {
        check_name("handler", &self.handler)?;
        for (field, value) in [("execution id", &self.execution_id), ("step id", &self.step_id)] {
            if let Some(value) = value {
                check_name(field, value)?;
            }
        }
        if !(0..=9).contains(&self.priority) {
            let priority = self.priority;
            return Err(InvalidJob(format!("priority {priority} is not between 0 and 9")));
        }
        if !(1..=1000).contains(&self.max_attempts) {
            let max = self.max_attempts;
            return Err(InvalidJob(format!("max attempts {max} is not between 1 and 1000")));
        }
        if self.delay_ms > DELAY_MS_MAX {
            return Err(InvalidJob("the delay is over ten years".into()));
        }
        Ok(())
    }
}

const DELAY_MS_MAX: u64 = 10 * 366 * 24 * 60 * 60 * 1000;

/// Why a job cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJob(pub String);

/// A name may be any visible text: it ends up in tables, logs and file names.
fn check_name(field: &str, name: &str) -> Result<(), InvalidJob> {
    if name.is_empty() || name.len() > 128 {
        return Err(InvalidJob(format!("the {field} has {} bytes; it must have 1 to 128", name.len())));
    }
    if name.chars().any(char::is_control) {
        return Err(InvalidJob(format!("the {field} {name:?} holds a control character")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_jobs_are_checked_field_by_field() {
        let job = || NewJob::new("email-send", JsonText::parse("{}").unwrap());
        assert_eq!(job().check(), Ok(()));
        let bad = [
            NewJob { handler: String::new(), ..job() },
            NewJob { handler: "x".repeat(129), ..job() },
            NewJob { handler: "a\0b".into(), ..job() },
            NewJob { step_id: Some("a\nb".into()), ..job() },
            NewJob { priority: 10, ..job() },
            NewJob { priority: -1, ..job() },
            NewJob { max_attempts: 0, ..job() },
            NewJob { delay_ms: u64::MAX, ..job() },
        ];
        for job in bad {
            assert!(job.check().is_err(), "{job:?}");
        }
    }
}

//! What a job is, and which state follows which event. Pure: no clock, no I/O, no async.

mod error;
mod json;
mod keep;
mod lifecycle;
mod new_job;
mod outcome;
mod retry;
mod status;
mod transition;

pub use error::{ErrorCode, JobError, MESSAGE_BYTES_MAX};
pub use json::{INPUT_BYTES_MAX, JSON_DEPTH_MAX, JsonError, JsonText};
pub use keep::Keep;
pub use lifecycle::{Event, State, Waits, next};
pub use new_job::check_name;
pub use new_job::{InvalidJob, MAX_ATTEMPTS_DEFAULT, NewJob, START_MS_MAX, Start, Unique, UniqueScope};
pub use outcome::{Outcome, Report, Usage, WAIT_MAX, Wake};
pub use retry::{RETRY_AFTER_MAX, RetryPolicy};
pub use status::Status;
pub use transition::{Attempt, Transition, WAITS_MAX_DEFAULT, reap, transition};

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
    /// How often the handler asked to wait.
    pub waits: u32,
    /// What the job was resumed with after its last wait.
    pub resumed_with: Option<JsonText>,
    /// Its own backoff; `None` takes the handler's.
    pub retry: Option<RetryPolicy>,
    /// How long its handler may be silent, in milliseconds; `None` takes the handler's setting.
    pub heartbeat_timeout_ms: Option<i64>,
    /// While it is pending or running, its handler has no second job with this key.
    pub unique_key: Option<String>,
    /// The version of its handler that it shall run with; `None` is the one that is active then.
    pub pinned_version: Option<String>,
    /// The schedule that created it.
    pub schedule: Option<String>,
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

/// Which code an attempt ran.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ran {
    /// What the version is called.
    pub version: String,
    /// SHA-256 of the component, 64 hexadecimal digits in lower case.
    pub digest: String,
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
    /// `completed`, `retried`, `failed`, `waiting`, `released`, `postponed`, `cancelled` or `stalled`.
    pub outcome: String,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
    /// Which code ran; absent when none did, and when the runner died.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub ran: Option<Ran>,
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

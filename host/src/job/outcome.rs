use super::{JobError, JsonText, error::storable};
use std::time::Duration;

/// The longest wait a handler may ask for; a later wake time is brought forward to this.
pub const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What one attempt ended in. A guest's failure is a value here, never an `Err` of ours.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The handler returned a result.
    Success(Option<JsonText>),
    /// The handler wants to go on later.
    Wait {
        /// What ends the wait.
        until: Wake,
        /// Shown to people.
        reason: Option<String>,
    },
    /// The handler or the host says it went wrong and may go better.
    Retryable {
        /// What went wrong.
        error: JobError,
        /// The handler's own idea of when to try again; wins over the backoff.
        after: Option<Duration>,
    },
    /// The handler or the host says it will never go better.
    Fatal(JobError),
    /// The attempt ended early through no fault of its own: the runner stops, or the sandbox had
    /// no room. It does not count.
    Released,
    /// The attempt could not begin, through no fault of the job. It does not count.
    Postponed {
        /// Why.
        error: JobError,
        /// It is not worth trying again before.
        after: Duration,
    },
}

/// What ends a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// A moment in milliseconds since 1970, compared with the database's clock.
    At(i64),
    /// A time from the moment the outcome is recorded.
    After(Duration),
    /// A named event.
    Signal(String),
}

impl Outcome {
    /// A wait with the bounds applied that the store relies on.
    pub fn wait(until: Wake, reason: Option<String>) -> Self {
        let until = match until {
            Wake::After(pause) => Wake::After(pause.min(WAIT_MAX)),
            Wake::Signal(name) => Wake::Signal(storable(name, 256)),
            at @ Wake::At(_) => at,
        };
        let reason = reason.map(|text| storable(text, super::MESSAGE_BYTES_MAX));
        Outcome::Wait { until, reason }
    }
}

/// What an attempt cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Instructions, roughly; `None` where fuel is not metered.
    pub fuel: Option<u64>,
    /// The most that all memories of the instance held together, in bytes.
    pub memory_bytes: u64,
    /// From instantiation to the end, in microseconds.
    pub wall_us: u64,
}

/// An outcome and what it cost.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What it cost.
    pub usage: Usage,
}

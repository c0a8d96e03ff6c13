//! What an attempt's end makes of its job.

use super::{ErrorCode, JobError, JsonText, Outcome, RETRY_AFTER_MAX, RetryPolicy, Status, Wake};
use std::time::Duration;

/// What is known of an attempt when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Its number; the first is 1.
    pub number: u32,
    /// How many the job has in all.
    pub max: u32,
    /// The job's backoff, or its handler's.
    pub retry: RetryPolicy,
    /// How often the job has waited before.
    pub waits: u32,
    /// How often it may.
    pub waits_max: u32,
}

/// How often a job may wait when its handler's settings do not say. A handler that only ever waits would
/// cost no attempt and never end.
pub const WAITS_MAX_DEFAULT: u32 = 1000;

/// What a running job becomes. Always written under the attempt's lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// → completed.
    Complete(Option<JsonText>),
    /// → pending, due after a pause; the error stays visible.
    Retry {
        /// Counted from the moment of recording, by the database's clock.
        after: Duration,
        /// Why.
        error: JobError,
    },
    /// → failed.
    Fail(JobError),
    /// → pending with the attempt refunded and the checkpoints kept.
    Wait {
        /// What ends the wait.
        until: Wake,
        /// Shown to people.
        reason: Option<String>,
    },
    /// → pending, due at once, with the attempt refunded.
    Release,
    /// → pending, due after a pause, with the attempt refunded; the error stays visible.
    Postpone {
        /// Counted from the moment of recording, by the database's clock.
        after: Duration,
        /// Why the attempt could not begin.
        error: JobError,
    },
}

impl Transition {
    /// What the history and the log call it.
    pub fn label(&self) -> &'static str {
        match self {
            Transition::Complete(_) => "completed",
            Transition::Retry { .. } => "retried",
            Transition::Fail(_) => "failed",
            Transition::Wait { .. } => "waiting",
            Transition::Release => "released",
            Transition::Postpone { .. } => "postponed",
        }
    }

    /// Why it did not complete.
    pub fn error(&self) -> Option<&JobError> {
        match self {
            Transition::Retry { error, .. }
            | Transition::Fail(error)
            | Transition::Postpone { error, .. } => Some(error),
            Transition::Complete(_) | Transition::Wait { .. } | Transition::Release => None,
        }
    }

    /// The status it ends in.
    pub fn leads_to(&self) -> Status {
        match self {
            Transition::Complete(_) => Status::Completed,
            Transition::Fail(_) => Status::Failed,
            Transition::Retry { .. }
            | Transition::Wait { .. }
            | Transition::Release
            | Transition::Postpone { .. } => Status::Pending,
        }
    }
}

/// Which transition follows an outcome. `jitter` is a random number from 0 to 1.
pub fn transition(attempt: &Attempt, outcome: Outcome, jitter: f64) -> Transition {
    match outcome {
        Outcome::Success(result) => Transition::Complete(result),
        Outcome::Wait { .. } if attempt.waits >= attempt.waits_max => {
            let message = format!("the job has waited {} times, and its handler wants again", attempt.waits);
            Transition::Fail(JobError::host(ErrorCode::WaitLimit, message))
        }
        Outcome::Wait { until, reason } => Transition::Wait { until, reason },
        Outcome::Released => Transition::Release,
        Outcome::Postponed { error, after } => Transition::Postpone { after, error },
        Outcome::Fatal(error) => Transition::Fail(error),
        Outcome::Retryable { error, .. } if attempt.number >= attempt.max => Transition::Fail(error),
        Outcome::Retryable { error, after } => {
            let backoff = || attempt.retry.backoff(attempt.number, jitter);
            let after = after.map_or_else(backoff, |asked| asked.min(RETRY_AFTER_MAX));
            Transition::Retry { after, error }
        }
    }
}

/// What the reaper makes of a job whose heartbeat is too old. The stores do the same in SQL, where
/// it must be one statement; the conformance suite holds them to this.
pub fn reap(attempts: u32, max_attempts: u32) -> Transition {
    let error = JobError::host(ErrorCode::Stalled, "the runner's heartbeat stopped");
    if attempts >= max_attempts {
        Transition::Fail(error)
    } else {
        Transition::Retry { after: Duration::ZERO, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> JobError {
        JobError::guest("X".into(), "why".into(), None)
    }

    fn attempt(number: u32, max: u32) -> Attempt {
        Attempt { number, max, retry: RetryPolicy::default(), waits: 0, waits_max: 2 }
    }

    fn retryable(after_ms: Option<u64>) -> Outcome {
        Outcome::Retryable { error: error(), after: after_ms.map(Duration::from_millis) }
    }

    #[test]
    fn each_outcome_has_its_transition() {
        let json = JsonText::parse("1").unwrap();
        let signal = Wake::Signal("paid".into());
        let retry = |ms| Transition::Retry { after: Duration::from_millis(ms), error: error() };
        let month = RETRY_AFTER_MAX.as_millis() as u64;
        // attempt, of, outcome → transition; jitter is 1/2
        let table = [
            (1, 3, Outcome::Success(None), Transition::Complete(None)),
            (3, 3, Outcome::Success(Some(json.clone())), Transition::Complete(Some(json))),
            (1, 3, retryable(None), retry(500)),
            (2, 3, retryable(None), retry(1000)),
            (1, 3, retryable(Some(0)), retry(0)),
            (2, 3, retryable(Some(70_000)), retry(70_000)),
            (2, 3, retryable(Some(u64::MAX)), retry(month)),
            (3, 3, retryable(None), Transition::Fail(error())),
            (3, 3, retryable(Some(5)), Transition::Fail(error())),
            (9, 3, retryable(None), Transition::Fail(error())),
            (1, 3, Outcome::Fatal(error()), Transition::Fail(error())),
            (3, 3, Outcome::Released, Transition::Release),
            (
                3,
                3,
                Outcome::Postponed { error: error(), after: Duration::from_secs(5) },
                Transition::Postpone { error: error(), after: Duration::from_secs(5) },
            ),
            (
                3,
                3,
                Outcome::wait(signal.clone(), Some("r".into())),
                Transition::Wait { until: signal, reason: Some("r".into()) },
            ),
        ];
        for (number, max, outcome, expected) in table {
            let attempt = attempt(number, max);
            let shown = format!("attempt {number} of {max}: {outcome:?}");
            assert_eq!(transition(&attempt, outcome, 0.5), expected, "{shown}");
        }
    }

    #[test]
    fn a_handler_that_only_waits_fails_in_the_end() {
        let wait = || Outcome::wait(Wake::After(Duration::ZERO), None);
        let after = |waits| transition(&Attempt { waits, ..attempt(1, 3) }, wait(), 0.5);
        assert!(matches!(after(1), Transition::Wait { .. }));
        assert!(matches!(after(2), Transition::Fail(error) if error.code == "WAIT_LIMIT"));
    }

    #[test]
    fn a_stalled_job_runs_again_until_its_attempts_are_used_up() {
        assert!(matches!(reap(1, 3), Transition::Retry { after: Duration::ZERO, .. }));
        assert!(matches!(reap(3, 3), Transition::Fail(error) if error.code == "STALLED"));
    }
}

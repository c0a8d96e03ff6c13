use super::{JsonText, RetryPolicy};
use std::time::Duration;

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
    /// When it is due.
    pub start: Start,
    /// From 0 (first) to 9 (last).
    pub priority: i16,
    /// How many attempts it has in all; 1 to 1000.
    pub max_attempts: u32,
    /// Which other job there must not be.
    pub unique: Option<Unique>,
    /// Its own backoff; `None` takes the handler's.
    pub retry: Option<RetryPolicy>,
    /// How long its handler may be silent before it is interrupted; `None` takes the handler's setting.
    pub heartbeat_timeout: Option<Duration>,
    /// The version of the handler that it shall run with, in every attempt; `None` is the one that is active
    /// then.
    pub pinned_version: Option<String>,
}

/// When a new job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// So long after the job is created, by the database's clock; at most [`START_MS_MAX`].
    After(Duration),
    /// At a moment in milliseconds since 1970, compared with the database's clock. One that has passed is
    /// now, and decides the order all the same.
    At(i64),
}

/// A key that a handler's jobs do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// 1 to 256 bytes; belongs to the handler.
    pub key: String,
    /// For how long.
    pub scope: UniqueScope,
}

/// For how long a unique key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueScope {
    /// While the job is pending or running.
    Active,
    /// For a time from its creation, whatever becomes of the job.
    For(Duration),
}

impl Unique {
    /// A key that is taken while the job is pending or running.
    pub fn active(key: impl Into<String>) -> Self {
        Unique { key: key.into(), scope: UniqueScope::Active }
    }

    /// A key that is taken for a time, whatever becomes of the job.
    pub fn within(key: impl Into<String>, time: Duration) -> Self {
        Unique { key: key.into(), scope: UniqueScope::For(time) }
    }
}

/// How many attempts a job has when nobody says; FlowMonkey's column default.
pub const MAX_ATTEMPTS_DEFAULT: u32 = 3;
/// The longest delay, in milliseconds: ten years.
pub const START_MS_MAX: i64 = 10 * 366 * 24 * 60 * 60 * 1000;
/// 1 January 2200, in milliseconds since 1970: what is later is a slip, such as microseconds.
const AT_MS_MAX: i64 = 7_258_118_400_000;
const UNIQUE_KEY_BYTES_MAX: usize = 256;

impl NewJob {
    /// A job that is due at once, with the defaults for everything else.
    pub fn new(handler: impl Into<String>, input: JsonText) -> Self {
        NewJob {
            handler: handler.into(),
            input,
            execution_id: None,
            step_id: None,
            start: Start::Now,
            priority: 0,
            max_attempts: MAX_ATTEMPTS_DEFAULT,
            unique: None,
            retry: None,
            heartbeat_timeout: None,
            pinned_version: None,
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
        if let Some(version) = &self.pinned_version {
            check_name("version", version)?;
        }
        check_priority(self.priority)?;
        check_max_attempts(self.max_attempts)?;
        match self.start {
            Start::After(delay) if delay.as_millis() > START_MS_MAX as u128 => {
                return Err(InvalidJob("the delay is over ten years".into()));
            }
            Start::At(at) if !(0..=AT_MS_MAX).contains(&at) => {
                let why = format!("the start {at} is not in milliseconds between the years 1970 and 2200");
                return Err(InvalidJob(why));
            }
            _ => {}
        }
        if let Some(unique) = &self.unique {
            unique.check()?;
        }
        if let Some(retry) = &self.retry {
            retry.check().map_err(InvalidJob)?;
        }
        let timeout = self.heartbeat_timeout.map(|timeout| timeout.as_millis());
        if timeout.is_some_and(|ms| !(1..=START_MS_MAX as u128).contains(&ms)) {
            return Err(InvalidJob("the heartbeat timeout is not between 1 ms and ten years".into()));
        }
        Ok(())
    }
}

impl Unique {
    fn check(&self) -> Result<(), InvalidJob> {
        let bytes = self.key.len();
        if !(1..=UNIQUE_KEY_BYTES_MAX).contains(&bytes) {
            let why = format!("the unique key has {bytes} bytes; it must have 1 to {UNIQUE_KEY_BYTES_MAX}");
            return Err(InvalidJob(why));
        }
        if self.key.contains('\0') {
            return Err(InvalidJob("the unique key holds NUL".into()));
        }
        match self.scope {
            UniqueScope::For(time) if !(1..=START_MS_MAX as u128).contains(&time.as_millis()) => {
                Err(InvalidJob("the unique key's time is not between 1 ms and ten years".into()))
            }
            _ => Ok(()),
        }
    }
}

/// Why a job cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJob(pub String);

/// A name may be any visible text: it ends up in tables, logs and file names.
pub fn check_name(field: &str, name: &str) -> Result<(), InvalidJob> {
    if name.is_empty() || name.len() > 128 {
        return Err(InvalidJob(format!("the {field} has {} bytes; it must have 1 to 128", name.len())));
    }
    if name.chars().any(char::is_control) {
        return Err(InvalidJob(format!("the {field} {name:?} holds a control character")));
    }
    Ok(())
}

fn check_priority(priority: i16) -> Result<(), InvalidJob> {
    let fits = (0..=9).contains(&priority);
    if fits { Ok(()) } else { Err(InvalidJob(format!("priority {priority} is not between 0 and 9"))) }
}

fn check_max_attempts(max: u32) -> Result<(), InvalidJob> {
    let fits = (1..=1000).contains(&max);
    if fits { Ok(()) } else { Err(InvalidJob(format!("max attempts {max} is not between 1 and 1000"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_jobs_are_checked_field_by_field() {
        let job = || NewJob::new("email-send", JsonText::parse("{}").unwrap());
        assert_eq!(job().check(), Ok(()));
        let retry = |factor| Some(RetryPolicy { factor, ..RetryPolicy::default() });
        let bad = [
            NewJob { handler: String::new(), ..job() },
            NewJob { handler: "x".repeat(129), ..job() },
            NewJob { handler: "a\0b".into(), ..job() },
            NewJob { step_id: Some("a\nb".into()), ..job() },
            NewJob { priority: 10, ..job() },
            NewJob { priority: -1, ..job() },
            NewJob { max_attempts: 0, ..job() },
            NewJob { start: Start::After(Duration::MAX), ..job() },
            NewJob { start: Start::At(-1), ..job() },
            NewJob { start: Start::At(1_800_000_000_000_000), ..job() },
            NewJob { unique: Some(Unique::active("")), ..job() },
            NewJob { unique: Some(Unique::active("k".repeat(257))), ..job() },
            NewJob { unique: Some(Unique::active("a\0")), ..job() },
            NewJob { unique: Some(Unique::within("k", Duration::ZERO)), ..job() },
            NewJob { retry: retry(0.5), ..job() },
            NewJob { retry: retry(f64::NAN), ..job() },
            NewJob { heartbeat_timeout: Some(Duration::ZERO), ..job() },
        ];
        for job in bad {
            assert!(job.check().is_err(), "{job:?}");
        }
    }
}

use crate::time::{millis, unix_millis};
use crate::wit::imports::flowmonkey::jobs::types as wit;
use crate::{Result, json};
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// How an attempt ended well. A handler that never waits returns its result alone.
///
/// ```
/// use flowmonkey::{Outcome, Result, Wait};
/// use std::time::Duration;
///
/// fn poll(state: Option<u32>) -> Result<Outcome<u32>> {
///     Ok(match state {
///         Some(answer) => Outcome::Done(answer),
///         None => Wait::after(Duration::from_secs(60)).reason("the order is being packed").into(),
///     })
/// }
/// ```
#[derive(Debug, Clone)]
pub enum Outcome<T> {
    /// The work is done, and this is the job's result.
    Done(T),
    /// The work is done, and the job has no result.
    Nothing,
    /// The work goes on later, in another attempt.
    Wait(Wait),
}

/// A pause that the handler asks for. The attempt does not count, and the checkpoints stay. A job may wait
/// `waits-max` times (`WAIT_LIMIT` beyond).
#[derive(Debug, Clone)]
pub struct Wait {
    until: wit::Wake,
    reason: Option<String>,
}

impl Wait {
    /// Until so much time has passed since the attempt ended.
    pub fn after(pause: Duration) -> Self {
        Wait { until: wit::Wake::After(millis(pause)), reason: None }
    }

    /// Until a moment.
    pub fn at(moment: SystemTime) -> Self {
        Wait { until: wit::Wake::At(unix_millis(moment)), reason: None }
    }

    /// Until somebody resumes the job, with a payload if they like: see
    /// [`Context::resumed_with`](crate::Context::resumed_with). The name is for people.
    pub fn signal(name: impl Into<String>) -> Self {
        Wait { until: wit::Wake::Signal(name.into()), reason: None }
    }

    /// Shown to people who look at the waiting job. Cut at 4,096 bytes.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl<T> From<Wait> for Outcome<T> {
    fn from(wait: Wait) -> Self {
        Outcome::Wait(wait)
    }
}

/// What a handler may return: a result, which is anything `serde` can write (`()` is no result), an
/// [`Outcome`] or a [`Wait`].
pub trait IntoOutcome {
    #[doc(hidden)]
    fn into_outcome(self) -> Result<wit::Outcome>;
}

impl<T: Serialize> IntoOutcome for T {
    fn into_outcome(self) -> Result<wit::Outcome> {
        let result = json::write(&self)?;
        // `()` is `null` for serde; it is told from a value that happens to be `null` by its size.
        let nothing = size_of::<T>() == 0 && result == "null";
        Ok(wit::Outcome::Success((!nothing).then_some(result)))
    }
}

impl<T: Serialize> IntoOutcome for Outcome<T> {
    fn into_outcome(self) -> Result<wit::Outcome> {
        match self {
            Outcome::Done(result) => result.into_outcome(),
            Outcome::Nothing => Ok(wit::Outcome::Success(None)),
            Outcome::Wait(wait) => wait.into_outcome(),
        }
    }
}

impl IntoOutcome for Wait {
    fn into_outcome(self) -> Result<wit::Outcome> {
        let Wait { until, reason } = self;
        Ok(wit::Outcome::Wait(wit::Wait { until, reason }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn result(value: impl IntoOutcome) -> Option<String> {
        match value.into_outcome() {
            Ok(wit::Outcome::Success(result)) => result,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_unit_is_no_result_and_null_is_one() {
        assert_eq!(result(()), None);
        assert_eq!(result(Outcome::Done(())), None);
        assert_eq!(result(Outcome::<u8>::Nothing), None);
        assert_eq!(result(None::<u8>).as_deref(), Some("null"));
        assert_eq!(result(serde_json::Value::Null).as_deref(), Some("null"));
        assert_eq!(result(Outcome::Done([1, 2])).as_deref(), Some("[1,2]"));
    }

    #[test]
    fn what_has_no_json_is_an_error() {
        let odd = BTreeMap::from([(vec![1], 1)]);
        assert_eq!(odd.into_outcome().unwrap_err().code(), "INVALID");
    }
}

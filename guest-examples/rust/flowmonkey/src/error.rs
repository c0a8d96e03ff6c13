use crate::time::millis;
use crate::wit::JobError;
use crate::wit::imports::flowmonkey::jobs::types::{Failure, HostError, Retry};
use serde::Serialize;
use std::fmt::{self, Display};
use std::time::Duration;

/// What functions of handlers return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an attempt did not end well: what [`handler!`](crate::handler)'s function returns.
///
/// `?` turns any other error (a `std::error::Error`, a `Box<dyn std::error::Error>`, a text) into a retryable one
/// with the code `ERROR`, whose message has the error's sources too.
///
/// The functions of this crate fail with these, unless their own description says more:
///
/// | code | | when |
/// | --- | --- | --- |
/// | `DENIED` | fatal | the handler has no grant for it |
/// | `INVALID` | fatal | an argument is not acceptable, such as an empty key |
/// | `LIMIT_EXCEEDED` | fatal | a value is too large, or there were too many calls |
/// | `BAD_VALUE` | fatal | a stored value is not of the type that was asked for |
/// | `UNAVAILABLE` | retryable | the database or the network did not answer |
/// | `HOST_ERROR` | retryable | anything else |
/// | `CANCELLED` | cancelled | the job was cancelled or belongs to another attempt by now |
#[derive(Debug)]
pub struct Error {
    reaction: Reaction,
    code: String,
    message: String,
    details: Option<String>,
}

/// What the host makes of it.
#[derive(Debug, Clone, Copy)]
enum Reaction {
    Retry { after: Option<Duration> },
    Fail,
    Release,
}

impl Error {
    /// An error that may not come again: the job has another attempt, if any is left. The code is a short and
    /// stable name in capitals, for programs; the message is a sentence for people, cut at 4,096 bytes.
    pub fn retryable(code: impl Into<String>, message: impl Display) -> Self {
        Error::new(Reaction::Retry { after: None }, code, message)
    }

    /// An error that every attempt would meet again: the job fails now. Code and message are as for
    /// [`Error::retryable`].
    pub fn fatal(code: impl Into<String>, message: impl Display) -> Self {
        Error::new(Reaction::Fail, code, message)
    }

    /// The handler stopped because it was told to. A job that was cancelled is over; of a runner that stops
    /// the job is due again at once, with its checkpoints, and the attempt does not count.
    pub fn cancelled() -> Self {
        Error::new(Reaction::Release, "CANCELLED", "the attempt was told to stop")
    }

    fn new(reaction: Reaction, code: impl Into<String>, message: impl Display) -> Self {
        Error { reaction, code: code.into(), message: message.to_string(), details: None }
    }

    /// How long the next attempt should wait, such as a server's `Retry-After`; at most 30 days. Without it
    /// the handler's retry policy decides. Says nothing of an error that is not retryable.
    pub fn after(mut self, pause: Duration) -> Self {
        if let Reaction::Retry { after } = &mut self.reaction {
            *after = Some(pause);
        }
        self
    }

    /// What helps to find the cause, as JSON; left out where it is none or has more than 16 KiB.
    pub fn details(mut self, details: impl Serialize) -> Self {
        self.details = serde_json::to_string(&details).ok();
        self
    }

    /// The code, to tell errors apart.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether another attempt may go better.
    pub fn is_retryable(&self) -> bool {
        matches!(self.reaction, Reaction::Retry { .. })
    }

    /// Whether the attempt was told to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.reaction, Reaction::Release)
    }

    pub(crate) fn host(error: HostError) -> Self {
        match error {
            HostError::Denied(why) => Error::fatal("DENIED", why),
            HostError::Invalid(why) => Error::fatal("INVALID", why),
            HostError::LimitExceeded(why) => Error::fatal("LIMIT_EXCEEDED", why),
            HostError::LeaseLost => Error::cancelled(),
            HostError::Unavailable(why) => Error::retryable("UNAVAILABLE", why),
            HostError::Other(why) => Error::retryable("HOST_ERROR", why),
        }
    }

    pub(crate) fn into_wit(self) -> JobError {
        let Error { reaction, code, message, details } = self;
        let failure = Failure { code, message, details };
        match reaction {
            Reaction::Retry { after } => JobError::Retryable(Retry { failure, after_ms: after.map(millis) }),
            Reaction::Fail => JobError::Fatal(failure),
            Reaction::Release => JobError::Cancelled,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// `Error` itself is no `std::error::Error`, so that this does not meet the conversion into itself.
impl<E: Into<Cause>> From<E> for Error {
    fn from(error: E) -> Self {
        Error::retryable("ERROR", chain(&*error.into()))
    }
}

/// What a `std::error::Error` becomes, and so do texts and other libraries' errors for all purposes.
type Cause = Box<dyn std::error::Error>;

/// The message of an error and of its sources, but for what it already says itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = text + ": " + &cause;
        }
        source = error.source();
    }
    text
}

/// Gives a failed [`Result`](std::result::Result) or an empty [`Option`] a code and a message.
///
/// ```
/// use flowmonkey::{OrFail, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     let (_, port) = text.rsplit_once(':').or_fatal("BAD_ADDRESS", "there is no port")?;
///     port.parse().or_fatal("BAD_ADDRESS", format_args!("the port of {text:?}"))
/// }
///
/// assert_eq!(port("a:b").unwrap_err().to_string(), "BAD_ADDRESS: the port of \"a:b\": invalid digit found in string");
/// ```
pub trait OrFail<T> {
    /// The value, or an error that ends the job: the message and, where there was one, the error with its
    /// sources.
    ///
    /// # Errors
    /// That one.
    fn or_fatal(self, code: &str, message: impl Display) -> Result<T>;

    /// The value, or such an error that is worth another attempt.
    ///
    /// # Errors
    /// That one.
    fn or_retryable(self, code: &str, message: impl Display) -> Result<T>;
}

impl<T, E: Into<Cause>> OrFail<T> for std::result::Result<T, E> {
    fn or_fatal(self, code: &str, message: impl Display) -> Result<T> {
        self.map_err(|error| Error::fatal(code, format_args!("{message}: {}", chain(&*error.into()))))
    }

    fn or_retryable(self, code: &str, message: impl Display) -> Result<T> {
        self.map_err(|error| Error::retryable(code, format_args!("{message}: {}", chain(&*error.into()))))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fatal(self, code: &str, message: impl Display) -> Result<T> {
        self.ok_or_else(|| Error::fatal(code, message))
    }

    fn or_retryable(self, code: &str, message: impl Display) -> Result<T> {
        self.ok_or_else(|| Error::retryable(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Layer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (first, rest) = texts.split_first()?;
        Some(Box::new(Layer(first, layers(rest))))
    }

    #[test]
    fn the_message_has_every_source_once() {
        for (texts, expected) in [
            (&["a"][..], "a"),
            (&["a", "b", "c"], "a: b: c"),
            (&["a: b: c", "b: c", "c"], "a: b: c"),
            (&["a: b", "b", "c"], "a: b: c"),
        ] {
            let error = Error::from(*layers(texts).unwrap());
            assert_eq!((error.code(), error.message.as_str()), ("ERROR", expected));
            assert!(error.is_retryable());
        }
    }

    #[test]
    fn a_pause_is_for_another_attempt() {
        let after = |error: Error| match error.after(Duration::from_millis(1500)).into_wit() {
            JobError::Retryable(retry) => retry.after_ms,
            _ => None,
        };
        assert_eq!(after(Error::retryable("A", "")), Some(1500));
        assert_eq!(after(Error::fatal("A", "")), None);
        assert_eq!(after(Error::cancelled()), None);
    }

    #[test]
    fn what_the_host_refuses_names_the_reaction() {
        let why = || "why".to_owned();
        for (error, code, retryable) in [
            (HostError::Denied(why()), "DENIED", false),
            (HostError::Invalid(why()), "INVALID", false),
            (HostError::LimitExceeded(why()), "LIMIT_EXCEEDED", false),
            (HostError::Unavailable(why()), "UNAVAILABLE", true),
            (HostError::Other(why()), "HOST_ERROR", true),
        ] {
            let error = Error::host(error);
            assert_eq!((error.code(), error.is_retryable()), (code, retryable));
            assert_eq!(error.message, "why");
        }
        assert!(Error::host(HostError::LeaseLost).is_cancelled());
    }
}

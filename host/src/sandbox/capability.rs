//! What a guest can call, one file an interface. A capability that needs the store goes through
//! [`AttemptHost`].

mod calls;
mod checkpoint;
mod config;
mod context;
mod control;
mod http;
mod idempotency;
mod job;
mod log;
mod queue;

pub(super) use calls::Calls;
pub(super) use checkpoint::Checkpoints;
pub use http::{Beyond, HttpConfig, MadeRequest, Playback, RecordedAnswer, Resolve};
pub(super) use http::{Network, Outgoing, Reach};
pub(crate) use http::{Trust, authority, origin_of};
pub(super) use log::Lines;
pub use log::LogLevel;

use super::attempt::AttemptState;
use super::bindings::JobHandler;
use super::bindings::flowmonkey::jobs::types::HostError;
use crate::job::{JsonError, JsonText, Keep, NewJob, Progress};
use async_trait::async_trait;
use wasmtime::component::{HasSelf, Linker};

/// What a running attempt may do to the world outside, always under its lease. The runner implements
/// it; so does whoever runs a handler without a store.
#[async_trait]
pub trait AttemptHost: Send + Sync + 'static {
    /// Makes one checkpoint value durable.
    async fn save_checkpoint(&self, key: &str, value: &JsonText) -> Result<(), HostFault>;

    /// Removes one checkpoint value.
    async fn delete_checkpoint(&self, key: &str) -> Result<(), HostFault>;

    /// Removes all checkpoint values.
    async fn clear_checkpoints(&self) -> Result<(), HostFault>;

    /// The value under a key of the context of the job's execution. A host without executions leaves this
    /// and the three below as they are.
    async fn context_value(&self, _key: &str) -> Result<Option<JsonText>, HostFault> {
        Err(no_execution())
    }

    /// The keys of that context, in order.
    async fn context_keys(&self) -> Result<Vec<String>, HostFault> {
        Err(no_execution())
    }

    /// Makes one value of that context durable.
    async fn set_context(&self, _key: &str, _value: &JsonText) -> Result<(), HostFault> {
        Err(no_execution())
    }

    /// Removes one value of that context.
    async fn delete_context(&self, _key: &str) -> Result<(), HostFault> {
        Err(no_execution())
    }

    /// Creates a job for another handler while that has fewer than `pending_max` pending, and returns its id
    /// or that of the job which holds its unique key. A host without a queue leaves it as it is.
    async fn enqueue(&self, _job: NewJob, _pending_max: u32) -> Result<String, HostFault> {
        Err(HostFault::Denied("there is no queue where this handler runs".into()))
    }

    /// What the handler's jobs recorded under a key, if its time is not over. A host without such a memory
    /// leaves this and the one below as they are.
    async fn look_up_idempotency(&self, _key: &str) -> Result<Option<JsonText>, HostFault> {
        Err(no_memory())
    }

    /// Records a value under a key. What stands there already stays, and is no fault if it is the same.
    async fn record_idempotency(&self, _key: &str, _value: &JsonText, _keep: Keep) -> Result<(), HostFault> {
        Err(no_memory())
    }

    /// Notes how far the attempt is. May be called very often; must not wait.
    fn progress(&self, progress: Progress);

    /// Passes on one line. Called within the log limit only; must not wait.
    fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]);
}

/// Why the host could not do what a guest asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostFault {
    /// The job is not this attempt's any more.
    LeaseLost,
    /// There is nothing to do it with.
    Denied(String),
    /// It would be too much.
    LimitExceeded(String),
    /// The database does not answer.
    Unavailable(String),
    /// The value cannot be stored.
    Invalid(String),
    /// Anything else.
    Other(String),
}

impl HostFault {
    /// Whether it may have been done all the same.
    fn may_be_done(&self) -> bool {
        matches!(self, HostFault::Unavailable(_) | HostFault::Other(_))
    }
}

fn no_memory() -> HostFault {
    HostFault::Denied("nothing is remembered between jobs where this handler runs".into())
}

fn no_execution() -> HostFault {
    HostFault::Denied("the job belongs to no execution".into())
}

impl From<HostFault> for HostError {
    fn from(fault: HostFault) -> Self {
        match fault {
            HostFault::LeaseLost => HostError::LeaseLost,
            HostFault::Denied(why) => HostError::Denied(why),
            HostFault::LimitExceeded(why) => HostError::LimitExceeded(why),
            HostFault::Unavailable(why) => HostError::Unavailable(why),
            HostFault::Invalid(why) => HostError::Invalid(why),
            HostFault::Other(why) => HostError::Other(why),
        }
    }
}

fn denied(grant: &str) -> HostError {
    HostError::Denied(format!("this handler has no grant `{grant}`"))
}

/// Keys of checkpoints, of the context and of idempotency are columns' and logs' affair as well.
const KEY_BYTES_MAX: usize = 256;

fn keyed(key: &str) -> Result<(), HostError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains('\0') {
        return Err(HostError::Invalid(format!("a key has 1 to {KEY_BYTES_MAX} bytes and no NUL")));
    }
    Ok(())
}

impl AttemptState {
    /// A secret would be there for everybody who can read the database.
    fn without_secret(&self, text: &str) -> Result<(), HostError> {
        let key = self.config.secret_in(text);
        key.map_or(Ok(()), |key| {
            Err(HostError::Invalid(format!("it holds the secret `{key}`, which is never stored")))
        })
    }
}

/// A value that may be stored.
fn limited(what: &str, value: &str, bytes_max: usize) -> Result<JsonText, HostError> {
    JsonText::parse_limited(value, bytes_max).map_err(|error| match error {
        JsonError::TooLarge { .. } => HostError::LimitExceeded(format!("the {what} has {error}")),
        other => HostError::Invalid(other.to_string()),
    })
}

/// Offers everything in the contract, and WASI 0.2 with nothing in it.
pub(super) fn add_to_linker(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    config::add_to_linker(linker)?;
    http::add_to_linker(linker)?;
    JobHandler::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl super::bindings::flowmonkey::jobs::types::Host for AttemptState {}

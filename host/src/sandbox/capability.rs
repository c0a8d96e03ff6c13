//! What a guest can call, one file an interface. A capability that needs the store goes through
//! [`AttemptHost`].

mod checkpoint;
mod control;
mod denied;
mod job;
mod log;

pub(super) use checkpoint::Checkpoints;
pub(super) use log::Budget;
pub use log::LogLevel;

use super::attempt::AttemptState;
use super::bindings::JobHandler;
use super::bindings::flowmonkey::jobs::types::HostError;
use crate::job::{JsonText, Progress};
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
    /// The database does not answer.
    Unavailable(String),
    /// The value cannot be stored.
    Invalid(String),
    /// Anything else.
    Other(String),
}

impl From<HostFault> for HostError {
    fn from(fault: HostFault) -> Self {
        match fault {
            HostFault::LeaseLost => HostError::LeaseLost,
            HostFault::Unavailable(why) => HostError::Unavailable(why),
            HostFault::Invalid(why) => HostError::Invalid(why),
            HostFault::Other(why) => HostError::Other(why),
        }
    }
}

/// Offers everything in the contract, and WASI 0.2 with nothing in it.
pub(super) fn add_to_linker(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    JobHandler::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl super::bindings::flowmonkey::jobs::types::Host for AttemptState {}

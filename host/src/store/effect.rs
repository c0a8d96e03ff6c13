use super::{Created, StoreError};
use crate::job::{JsonText, Keep, Lease, NewJob};
use async_trait::async_trait;

/// What a running attempt may do beyond its own job: jobs for other handlers, and what all jobs of its
/// handler remember to have done. Fenced as all that an attempt does: [`StoreError::LeaseLost`] once the job
/// belongs to another attempt, or to none.
#[async_trait]
pub trait EffectStore: Send + Sync + 'static {
    /// Creates a job, or finds the one that holds its unique key, as
    /// [`JobStore::create`](super::JobStore::create) does. It belongs to the execution of the job under the
    /// lease, whatever the new one says, and to no step of it: what becomes of it neither completes nor
    /// fails that step.
    ///
    /// # Errors
    /// [`EffectFault::QueueFull`] while `pending_max` or more jobs of that handler are pending. Attempts that
    /// look at the same moment may pass the limit by one each.
    async fn create_child(
        &self,
        lease: &Lease,
        job: NewJob,
        pending_max: u32,
    ) -> Result<Created, EffectFault>;

    /// What the jobs of this job's handler recorded under a key, if its time is not over.
    async fn look_up_idempotency(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, EffectFault>;

    /// Records a value under a key of this job's handler. What is recorded first stands until its time is
    /// over, so that an answer which somebody was given stays true: recording the same text again changes
    /// nothing, its time included, and is well, since the answer to the first call may have been lost.
    ///
    /// # Errors
    /// [`EffectFault::KeyTaken`] when another value stands there.
    async fn record_idempotency(
        &self,
        lease: &Lease,
        key: &str,
        value: &JsonText,
        keep: Keep,
    ) -> Result<(), EffectFault>;
}

/// Why an attempt did not get its way beyond its own job.
#[derive(Debug, thiserror::Error)]
pub enum EffectFault {
    /// The other handler has too many jobs already. Later there may be room.
    #[error("the handler {handler:?} has {max} pending jobs or more, the limit for jobs that others create")]
    QueueFull {
        /// The handler.
        handler: String,
        /// The limit.
        max: u32,
    },
    /// Something else was recorded under the key before.
    #[error("the key {0:?} is recorded already with another value, which stands until its time is over")]
    KeyTaken(String),
    /// As for every call.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for EffectFault {
    fn from(error: sqlx::Error) -> Self {
        EffectFault::Store(error.into())
    }
}

/// What a record comes to that found its key taken, from what stands there. `None` means that its time is
/// over by now: the record is tried again.
pub(super) fn taken(
    key: &str,
    value: &JsonText,
    found: Option<&JsonText>,
) -> Option<Result<(), EffectFault>> {
    let same = found? == value;
    Some(if same { Ok(()) } else { Err(EffectFault::KeyTaken(key.to_owned())) })
}

/// A key ended as often as a record looked: it cannot be said who has it.
pub(super) fn undecided() -> EffectFault {
    EffectFault::Store(StoreError::Unavailable("an idempotency key ends again and again".into()))
}

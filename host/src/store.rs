//! Durable state. Traits split by who calls them, and two engines that behave alike.
//!
//! Every write to a running job shows its [`Lease`]; the database's clock decides every time that is
//! stored. One file a statement: `postgres/*.sql`, `sqlite/*.sql`.

mod create;
mod effect;
mod error;
mod execution;
mod handler;
mod model;
mod notice;
pub mod postgres;
mod recording;
mod row;
mod schedule;
pub mod sqlite;

pub use effect::{EffectFault, EffectStore};
pub use error::StoreError;
pub(crate) use execution::check_context;
pub use execution::{CONTEXT_BYTES_MAX, CONTEXT_KEYS_MAX, ContextFault, Execution, ExecutionStore};
pub use handler::{
    Activation, AuditRow, COMPONENT_BYTES_MAX, HandlerFault, HandlerRow, HandlerStore, InUse, NewVersion,
    Pushed, RunnerVersion, VersionRole, VersionRow, VersionTag,
};
pub use model::{
    Changed, Claim, ClaimRequest, Claimed, Created, HandlerPlaces, HandlerStats, LeaseState, ListFilter,
    Reaped, Retention, RetryFilter, RunnerRow, STATS_COUNT_MAX, STATS_WINDOW,
};
pub use notice::{DUE_ECHOES, Notice, Notices};
pub use postgres::PgStore;
pub use recording::{Recorded, Recording};
pub use schedule::{DueSchedules, Firing, Missed, NewSchedule, Schedule, ScheduleStore};
pub use sqlite::SqliteStore;

use crate::job::{Job, JsonText, Lease, NewJob, Progress};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// Everything a store does, for those who hold one: `Arc<dyn Store>`.
pub trait Store:
    JobStore + LeaseStore + GuestStore + EffectStore + ExecutionStore + ScheduleStore + HandlerStore
{
}
impl<T> Store for T where
    T: JobStore + LeaseStore + GuestStore + EffectStore + ExecutionStore + ScheduleStore + HandlerStore
{
}

/// A store shared by the parts of one process.
pub type SharedStore = Arc<dyn Store>;

/// What applications and operators do with jobs.
///
/// All methods fail with [`StoreError::Unavailable`] while the database is away.
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Creates a job, or finds the one that holds its unique key; durable when the call returns. To create
    /// one inside a transaction of your own, see [`PgStore::create_in`] and [`SqliteStore::create_in`].
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names the field that is not acceptable, or the execution that does
    /// not exist. Nothing is stored then.
    async fn create(&self, job: NewJob) -> Result<Created, StoreError>;

    /// Creates many jobs, all or none. The answers are in the order of the jobs.
    ///
    /// # Errors
    /// As [`JobStore::create`].
    async fn create_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError>;

    /// The job with this id.
    async fn get(&self, id: &str) -> Result<Option<Job>, StoreError>;

    /// Jobs that match, those first that changed last: were created, given back, claimed or ended.
    async fn list(&self, filter: &ListFilter) -> Result<Vec<Job>, StoreError>;

    /// Running jobs whose heartbeat is older than this, stalest first; see [`LeaseStore::reap`].
    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Calls off a pending or running job. The runner of a running one hears of it at once.
    async fn cancel(&self, id: &str) -> Result<Changed, StoreError>;

    /// Makes a failed or cancelled job pending again, due at once and with all its attempts. Checkpoints
    /// stay. An execution that failed with it waits for it again.
    async fn retry(&self, id: &str) -> Result<Changed, StoreError>;

    /// Retries all jobs that match, but for those whose unique key another job holds. Returns how many.
    async fn retry_many(&self, filter: &RetryFilter) -> Result<u64, StoreError>;

    /// Ends the wait of a job, whatever it waits for; its handler finds the payload in its next attempt.
    /// [`Changed::NotFrom`] pending means that it does not wait: a job that runs has not said yet that it
    /// will, so a signal that comes too early is refused, not lost.
    async fn resume(&self, id: &str, payload: Option<&JsonText>) -> Result<Changed, StoreError>;

    /// The runners that gave a sign of life within `older_than`.
    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError>;

    /// How many jobs each handler has, without counting whole tables; see [`HandlerStats`].
    async fn stats(&self) -> Result<Vec<HandlerStats>, StoreError>;

    /// What other programs do to jobs, as it happens. Only a hint: whoever listens also looks by itself
    /// now and then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no line to listen on.
    async fn listen(&self) -> Result<Notices, StoreError>;
}

/// What runners and the reaper do.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Leases due jobs: lowest priority number first, then oldest due first; on Postgres, a job that comes late
    /// (due before others when its transaction ends) may wait a quarter of a second for younger ones where claims
    /// are large. Rows that another transaction holds are skipped, not waited for, and so are jobs of handlers that
    /// are paused.
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError>;

    /// Beats for many leases at once, and tells of each whether it still holds. The answers are in
    /// the order of the leases.
    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError>;

    /// Tells of each lease whether it still holds, and writes nothing.
    async fn lease_states(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError>;

    /// Writes how attempts ended, each fenced by its lease, all in one transaction, executions that wait
    /// for them included. Writing the same thing twice is writing it once. The answers are in the order
    /// of the recordings.
    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError>;

    /// Returns or fails up to `limit` running jobs whose heartbeat is older than this, and older than
    /// three of the beats their runner promised (FlowMonkey's rule); heartbeat and attempt are checked in
    /// the statement that writes.
    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError>;

    /// Deletes up to `limit` finished jobs that are older than their status is kept, with their histories.
    /// Jobs of an execution that lives, and those that hold a unique key for a time, stay. Returns how many.
    async fn purge(&self, retention: &Retention, limit: u32) -> Result<u64, StoreError>;

    /// Deletes up to `limit` idempotency keys whose time is over, those first whose time ended first. Returns
    /// how many.
    async fn forget_expired(&self, limit: u32) -> Result<u64, StoreError>;

    /// Says that a runner lives and which handlers it has.
    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError>;

    /// Removes a runner that stops, and those that were silent for a day.
    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError>;
}

/// What a running attempt may do; beyond its own job, see [`EffectStore`]. All methods fail with [`StoreError::LeaseLost`] once the job
/// belongs to another attempt, or to none.
#[async_trait]
pub trait GuestStore: Send + Sync + 'static {
    /// Stores one checkpoint value and leaves the others alone.
    async fn save_checkpoint(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), StoreError>;

    /// Removes one checkpoint value; no error when there is none.
    async fn delete_checkpoint(&self, lease: &Lease, key: &str) -> Result<(), StoreError>;

    /// Removes all checkpoint values.
    async fn clear_checkpoints(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Stores how far the attempt is.
    async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), StoreError>;

    /// The value under a key of the context of the job's execution.
    async fn context_value(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, ContextFault>;

    /// The keys of that context, in order.
    async fn context_keys(&self, lease: &Lease) -> Result<Vec<String>, ContextFault>;

    /// Stores one value of that context and leaves the others alone.
    async fn set_context(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), ContextFault>;

    /// Removes one value of that context; no error when there is none.
    async fn delete_context(&self, lease: &Lease, key: &str) -> Result<(), ContextFault>;
}

/// Time-ordered, so that the primary key grows at one end, and jobs of one moment stay in their order.
fn new_job_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

fn check_version(applied: i64, known: usize) -> Result<(), StoreError> {
    let known = known as i64;
    match applied.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(StoreError::Schema(format!(
            "the database is at migration {applied} of {known}; run `flowmonkey migrate`"
        ))),
        std::cmp::Ordering::Greater => Err(StoreError::Schema(format!(
            "the database is at migration {applied}, this program knows {known}; use a newer flowmonkey"
        ))),
    }
}

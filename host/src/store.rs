//! Durable state. Three traits, split by who calls them, and two engines that behave alike.
//!
//! Every write to a running job shows its [`Lease`]; the database's clock decides every time that is
//! stored. One file a statement: `postgres/*.sql`, `sqlite/*.sql`.

mod error;
pub mod postgres;
mod recording;
mod row;
pub mod sqlite;

pub use error::StoreError;
pub use postgres::PgStore;
pub use recording::{Recorded, Recording};
pub use sqlite::SqliteStore;

use crate::job::{Job, JsonText, Lease, NewJob, Progress, Status};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// Everything a store does, for those who hold one: `Arc<dyn Store>`.
pub trait Store: JobStore + LeaseStore + GuestStore {}
impl<T: JobStore + LeaseStore + GuestStore> Store for T {}

/// A store shared by the parts of one process.
pub type SharedStore = Arc<dyn Store>;

/// What applications and operators do with jobs.
///
/// All methods fail with [`StoreError::Unavailable`] while the database is away.
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Creates a job; durable when the call returns.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names the field that is not acceptable, or the execution that does
    /// not exist. Nothing is stored then.
    async fn create(&self, job: NewJob) -> Result<Job, StoreError>;

    /// The job with this id.
    async fn get(&self, id: &str) -> Result<Option<Job>, StoreError>;

    /// Jobs that match, newest first.
    async fn list(&self, filter: &ListFilter) -> Result<Vec<Job>, StoreError>;

    /// The jobs of a workflow execution, oldest first.
    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError>;

    /// Running jobs whose heartbeat is older than this, stalest first.
    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Calls off a pending or running job. A running attempt hears of it at its next heartbeat.
    async fn cancel(&self, id: &str) -> Result<Changed, StoreError>;

    /// Makes a failed or cancelled job pending again, due at once and with all its attempts.
    async fn retry(&self, id: &str) -> Result<Changed, StoreError>;

    /// The runners that gave a sign of life within `older_than`.
    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError>;
}

/// What runners and the reaper do.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Leases due jobs: lowest priority number first, then oldest due first. Rows that another
    /// transaction holds are skipped, not waited for.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError>;

    /// Beats for many leases at once, and tells of each whether it still holds. The answers are in
    /// the order of the leases.
    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError>;

    /// Writes how attempts ended, each fenced by its lease, all in one transaction. Writing the same
    /// thing twice is writing it once. The answers are in the order of the recordings.
    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError>;

    /// Returns or fails up to `limit` running jobs whose heartbeat is older than this; heartbeat and
    /// attempt are checked in the statement that writes.
    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError>;

    /// Says that a runner lives and which handlers it has.
    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError>;

    /// Removes a runner that stops, and those that were silent for a day.
    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError>;
}

/// What a running attempt may write. All methods fail with [`StoreError::LeaseLost`] once the job
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
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only this handler.
    pub handler: Option<String>,
    /// At most so many; 0 means 100.
    pub limit: u32,
}

impl ListFilter {
    fn rows_max(&self) -> i64 {
        i64::from(if self.limit == 0 { 100 } else { self.limit })
    }
}

/// Who wants how many jobs of which handlers.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Written on the job.
    pub runner_id: String,
    /// The handlers this runner can run; jobs of others stay pending.
    pub handlers: Vec<String>,
    /// At most so many jobs.
    pub limit: u32,
}

/// A leased job, with what its attempt needs.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The proof for every write.
    pub lease: Lease,
    /// The handler's name.
    pub handler: String,
    /// The handler's input.
    pub input: JsonText,
    /// The attempt's number; the first is 1.
    pub attempt: u32,
    /// How many attempts the job has in all.
    pub max_attempts: u32,
    /// The workflow execution.
    pub execution_id: Option<String>,
    /// The step of that execution.
    pub step_id: Option<String>,
    /// What earlier attempts saved: an object of key to value.
    pub checkpoint: Option<JsonText>,
    /// The database's clock at the claim, in milliseconds since 1970.
    pub claimed_at: i64,
    /// From 0 (first) to 9 (last).
    pub priority: i16,
    /// When it was due, in milliseconds since 1970.
    pub run_at: i64,
}

/// Whether a lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Still the current attempt.
    Held,
    /// The job was cancelled during this attempt.
    Cancelled,
    /// The job belongs to another attempt, or is gone.
    Lost,
}

/// What an operator's request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Done.
    Yes,
    /// The job's status does not allow it.
    NotFrom(Status),
    /// There is no such job.
    NotFound,
}

/// A job the reaper took from a silent runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// The attempt that ended.
    pub lease: Lease,
    /// The handler's name.
    pub handler: String,
    /// The runner that fell silent.
    pub runner_id: Option<String>,
    /// What the job became: pending or failed.
    pub status: Status,
}

/// One row of `fm_runners`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRow {
    /// The runner's name.
    pub id: String,
    /// The handlers it can run.
    pub handlers: Vec<String>,
}

/// Time-ordered, so that the primary key grows at one end; nobody reads the time out of it.
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

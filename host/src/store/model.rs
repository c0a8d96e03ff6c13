use super::RunnerVersion;
use crate::job::{Job, JsonText, Lease, RetryPolicy, Status};
use std::time::Duration;

/// What a create came to.
#[derive(Debug, Clone)]
pub struct Created {
    /// The new job, or the one that holds its unique key.
    pub job: Job,
    /// Whether it is new.
    pub is_new: bool,
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
    pub(super) fn rows_max(&self) -> i64 {
        i64::from(if self.limit == 0 { 100 } else { self.limit })
    }
}

/// Which failed or cancelled jobs to retry.
#[derive(Debug, Clone, Default)]
pub struct RetryFilter {
    /// Only this status, failed or cancelled; `None` is failed.
    pub status: Option<Status>,
    /// Only this handler.
    pub handler: Option<String>,
}

/// Who wants how many jobs of which handlers.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Written on the job.
    pub runner_id: String,
    /// The handlers this runner can run; jobs of others stay pending.
    pub handlers: Vec<HandlerPlaces>,
    /// At most so many jobs; Postgres takes at most 1000 at a time.
    pub limit: u32,
    /// How often the runner will beat. It is written on the job, so that no reaper is quicker than three
    /// of these.
    pub heartbeat_interval: Duration,
}

/// How many jobs of one handler a runner has places for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerPlaces {
    /// The handler's name.
    pub handler: String,
    /// At most so many jobs of it; `None` is as many as the claim takes in all.
    pub places: Option<u32>,
    /// At most so many of its jobs are running at once, over the whole fleet; `None` is no bound. It holds
    /// among those who ask with a bound, whatever becomes of them meanwhile. A job that was cancelled does not
    /// count any more, though its attempt may not have noticed yet. Jobs that only this bound keeps back are no
    /// [`Claim::more`], and nobody tells when one of them may start: the next look finds it.
    pub fleet_max: Option<u32>,
}

/// What a claim came to.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// The leased jobs, in the order in which they are due.
    pub jobs: Vec<Claimed>,
    /// Whether there are probably more, which the limit or other runners' claims kept from this one.
    pub more: bool,
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
    /// How often the job has waited before.
    pub waits: u32,
    /// What the job was resumed with after its last wait.
    pub resumed_with: Option<JsonText>,
    /// Its own backoff.
    pub retry: Option<RetryPolicy>,
    /// How long its handler may be silent.
    pub heartbeat_timeout: Option<Duration>,
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
    /// The version of its handler that it shall run with; `None` is the one that is active then.
    pub pinned_version: Option<String>,
}

impl Claimed {
    /// By which the jobs of a claim are ordered: the smallest goes first.
    pub(super) fn turn(&self) -> (i16, i64, &str) {
        (self.priority, self.run_at, &self.lease.job_id)
    }
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
    /// Another job holds its unique key by now.
    KeyTaken,
    /// There is no such job.
    NotFound,
}

/// A job the reaper took from a silent runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// The attempt that ended.
    pub lease: Lease,
    /// The attempt's number.
    pub attempt: u32,
    /// The handler's name.
    pub handler: String,
    /// The runner that fell silent.
    pub runner_id: Option<String>,
    /// What the job became: pending or failed.
    pub status: Status,
}

/// How long finished jobs are kept, by status; `None` is for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Jobs that completed.
    pub completed: Option<Duration>,
    /// Jobs that failed.
    pub failed: Option<Duration>,
    /// Jobs that were cancelled.
    pub cancelled: Option<Duration>,
}

impl Retention {
    /// The statuses whose jobs are not kept for good, with the time they are.
    pub(super) fn by_status(&self) -> impl Iterator<Item = (Status, Duration)> {
        let all = [
            (Status::Completed, self.completed),
            (Status::Failed, self.failed),
            (Status::Cancelled, self.cancelled),
        ];
        all.into_iter().filter_map(|(status, age)| Some((status, age?)))
    }

    /// Whether everything is kept for good.
    pub fn is_for_good(&self) -> bool {
        *self == Retention::default()
    }
}

/// One row of `fm_runners`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRow {
    /// The runner's name.
    pub id: String,
    /// The handlers it can run.
    pub handlers: Vec<String>,
    /// Which versions of them it has, where they have versions.
    pub versions: Vec<RunnerVersion>,
}

/// No count goes further: [`HandlerStats`] reads at most so many rows a number.
pub const STATS_COUNT_MAX: u32 = 10_000;
/// How far back [`HandlerStats`] looks at jobs that ended.
pub const STATS_WINDOW: Duration = Duration::from_secs(60 * 60);

/// How many jobs a handler has, from at most [`STATS_COUNT_MAX`] rows a number, so that a backlog of
/// millions costs what one of ten thousand does. A number of pending jobs that has reached it means "that
/// many or more". Running and ended jobs are counted over all handlers together, the last that ended first:
/// where they reach it in sum, each handler has its share of those rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct HandlerStats {
    /// The handler's name.
    pub handler: String,
    /// Pending and due.
    pub due: u64,
    /// Pending and due later: delayed, retried after a pause, or waiting for a time.
    pub later: u64,
    /// Pending until they are resumed.
    pub waiting: u64,
    /// Under a lease.
    pub running: u64,
    /// Completed within [`STATS_WINDOW`].
    pub completed: u64,
    /// Failed within [`STATS_WINDOW`].
    pub failed: u64,
    /// Cancelled within [`STATS_WINDOW`].
    pub cancelled: u64,
    /// How long the job that is first in line has been due, in milliseconds.
    pub oldest_due_ms: Option<i64>,
}

use super::StoreError;
use crate::job::JsonText;
use async_trait::async_trait;
use std::str::FromStr;

/// What happens to slots that passed while no scheduler ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are dropped.
    Skip,
    /// The last of them fires, once.
    Once,
    /// Each fires, but no more than the last so many.
    All,
}

impl Missed {
    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            Missed::Skip => "skip",
            Missed::Once => "once",
            Missed::All => "all",
        }
    }
}

impl FromStr for Missed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip" => Ok(Missed::Skip),
            "once" => Ok(Missed::Once),
            "all" => Ok(Missed::All),
            _ => Err(format!("`{text}` is no policy for missed runs; use skip, once or all")),
        }
    }
}

/// A schedule as it is stored. The store reads neither expression nor zone.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// Its name; one that is there is replaced.
    pub name: String,
    /// The crontab expression.
    pub cron: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// The handler of its jobs.
    pub handler: String,
    /// The input of its jobs.
    pub input: JsonText,
    /// The priority of its jobs.
    pub priority: i16,
    /// How many attempts its jobs have.
    pub max_attempts: u32,
    /// What happens to missed slots.
    pub missed: Missed,
    /// How many missed slots fire at most, with [`Missed::All`].
    pub missed_max: u32,
}

/// One row of `fm_schedules`.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// What was asked for.
    pub spec: NewSchedule,
    /// Whether it creates no jobs for now.
    pub paused: bool,
    /// The next slot, in milliseconds since 1970; `None` when there is none any more.
    pub next_at: Option<i64>,
    /// The last slot that created a job.
    pub last_at: Option<i64>,
}

/// Schedules whose next slot has come.
#[derive(Debug, Clone)]
pub struct DueSchedules {
    /// The database's clock, in milliseconds since 1970.
    pub now: i64,
    /// The schedules, the most overdue first.
    pub schedules: Vec<Schedule>,
}

/// Moves a schedule on and creates the jobs of the slots it passes.
#[derive(Debug, Clone)]
pub struct Firing<'a> {
    /// The schedule as it was read; whoever changed it since comes first.
    pub schedule: &'a Schedule,
    /// The slots that create a job each.
    pub slots: Vec<i64>,
    /// The slot after them.
    pub next_at: Option<i64>,
}

/// What the scheduler does.
#[async_trait]
pub trait ScheduleStore: Send + Sync + 'static {
    /// The database's clock, in milliseconds since 1970.
    async fn now(&self) -> Result<i64, StoreError>;

    /// Creates or replaces a schedule. One whose expression and zone stay the same keeps its next slot, so
    /// that a program may say at every start what it wants. A paused one stays paused.
    async fn put_schedule(&self, schedule: &NewSchedule, next_at: Option<i64>) -> Result<(), StoreError>;

    /// All schedules, by name.
    async fn schedules(&self) -> Result<Vec<Schedule>, StoreError>;

    /// The schedule with this name.
    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, StoreError>;

    /// Pauses a schedule. Returns whether it is there.
    async fn pause_schedule(&self, name: &str) -> Result<bool, StoreError>;

    /// Lets a paused schedule go on with this slot; the slots of the pause are not missed ones. One that
    /// was not paused keeps its next slot. Returns whether it is there.
    async fn resume_schedule(&self, name: &str, next_at: Option<i64>) -> Result<bool, StoreError>;

    /// Removes a schedule; its jobs stay. Returns whether it was there.
    async fn remove_schedule(&self, name: &str) -> Result<bool, StoreError>;

    /// Up to `limit` schedules whose next slot has come.
    async fn due_schedules(&self, limit: u32) -> Result<DueSchedules, StoreError>;

    /// Moves a schedule on and creates the jobs of its slots, in one transaction; `false` when another
    /// scheduler, or a change, was quicker, and nothing happened.
    async fn fire(&self, firing: &Firing<'_>) -> Result<bool, StoreError>;
}

//! What a store must hold and answer, kept in memory, with the table of states as its only rule.

mod asked;
mod run;

use super::operation::Operation;
use crate::given::json;
use flowmonkey_jobs::job::{HISTORY_ENTRIES_MAX, Job, JsonText, Lease, State, Status, Waiting, Waits};
use flowmonkey_jobs::store::{ListFilter, Recording};
use flowmonkey_tests::database::Fixture;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Debug;

/// What the sequences must come to among them, or they prove too little.
pub(super) const OCCASIONS: [&str; 22] = [
    "completed",
    "retried",
    "failed",
    "waiting",
    "released",
    "stalled",
    "cancelled",
    "created",
    "key held",
    "claimed in part",
    "claimed nothing",
    "held",
    "lease cancelled",
    "lease lost",
    "recorded again",
    "recorded too late",
    "stalled on the last attempt",
    "changed",
    "refused",
    "key taken",
    "retried many",
    "resumed",
];

#[derive(Default)]
pub(super) struct Model {
    jobs: Vec<Modelled>,
    attempts: Vec<Attempt>,
    /// What was recorded last, to be recorded again.
    last: Vec<Recording>,
    payloads: u32,
    /// What the sequence came to.
    pub(super) seen: BTreeSet<&'static str>,
}

struct Modelled {
    id: String,
    state: State,
    priority: i16,
    key: Option<u8>,
    instance_id: Option<String>,
    runner_id: Option<String>,
    error: Option<&'static str>,
    resumed_with: Option<u32>,
    /// Whether its heartbeat is too old.
    is_silent: bool,
    /// Attempt, instance and outcome.
    history: Vec<(u32, String, &'static str)>,
}

/// An attempt there ever was.
#[derive(Clone)]
struct Attempt {
    lease: Lease,
    job: usize,
    runner: u8,
}

pub(super) type Rows = HashMap<String, Job>;

pub(super) async fn rows(f: &Fixture) -> Rows {
    let jobs = f.store.list(&ListFilter { limit: 1000, ..ListFilter::default() }).await.unwrap();
    jobs.into_iter().map(|job| (job.id.clone(), job)).collect()
}

/// An error where a store differs from the model.
fn same<T: PartialEq + Debug>(what: &str, store: T, model: T) -> Result<(), String> {
    if store == model { Ok(()) } else { Err(format!("{what}: the store has {store:?}, the model {model:?}")) }
}

impl Modelled {
    fn is_active(&self) -> bool {
        matches!(self.state.status, Status::Pending | Status::Running)
    }

    fn holds(&self, lease: &Lease) -> bool {
        self.state.status == Status::Running && self.instance_id.as_ref() == Some(&lease.instance_id)
    }

    fn can_fall_silent(&self) -> bool {
        self.state.status == Status::Running && !self.is_silent
    }

    /// Takes on a state; a pending job has no fence.
    fn turn_into(&mut self, state: State) {
        self.state = state;
        if state.status == Status::Pending {
            self.instance_id = None;
        }
    }

    /// Enters how the current attempt ended.
    fn remember(&mut self, attempt: u32, outcome: &'static str) {
        if self.history.len() == HISTORY_ENTRIES_MAX as usize {
            self.history.remove(0);
        }
        self.history.push((attempt, self.instance_id.clone().unwrap_or_default(), outcome));
    }

    fn check(&self, row: &Job) -> Result<(), String> {
        same("status", row.status, self.state.status)?;
        same("attempts", row.attempts, self.state.attempts)?;
        same("max attempts", row.max_attempts, self.state.max_attempts)?;
        same("waits", row.waits, self.state.waits)?;
        same("waiting", waits(row.waiting.as_ref()), self.state.waiting)?;
        same("instance", &row.instance_id, &self.instance_id)?;
        same("runner", &row.runner_id, &self.runner_id)?;
        same("error", row.error.as_ref().map(|error| error.code.as_str()), self.error)?;
        same("payload", row.resumed_with.as_ref(), self.payload().as_ref())?;
        if row.status == Status::Pending {
            same("due some day", row.run_at.is_some(), self.state.waiting != Waits::ForSignal)?;
        }
        let history = row.history.iter();
        let history: Vec<_> =
            history.map(|entry| (entry.attempt, entry.instance_id.clone(), entry.outcome.as_str())).collect();
        same("history", &history, &self.history)?;
        // One that failed without an attempt left had no lease.
        let ended = || row.history.iter().map(|entry| &entry.instance_id).filter(|id| !id.is_empty());
        same("leases that ended", ended().count(), ended().collect::<HashSet<_>>().len())
    }

    fn payload(&self) -> Option<JsonText> {
        self.resumed_with.map(|number| json(&number.to_string()))
    }
}

fn waits(waiting: Option<&Waiting>) -> Waits {
    match waiting {
        None => Waits::No,
        Some(waiting) if waiting.signal.is_some() => Waits::ForSignal,
        Some(_) => Waits::ForTime,
    }
}

impl Model {
    /// Holds all that is stored against the model.
    pub(super) fn check(&self, rows: &Rows) -> Result<(), String> {
        same("how many jobs", rows.len(), self.jobs.len())?;
        for (number, job) in self.jobs.iter().enumerate() {
            let row = rows.get(&job.id).ok_or_else(|| format!("job {number} is gone"))?;
            job.check(row).map_err(|why| format!("job {number}: {why}"))?;
        }
        let keys = self.jobs.iter().filter(|job| job.is_active()).filter_map(|job| job.key);
        let (count, distinct) = (keys.clone().count(), keys.collect::<HashSet<_>>().len());
        same("active jobs with a key of their own", distinct, count)
    }

    /// Does one operation to the store and to itself, and compares the answers.
    pub(super) async fn follow(&mut self, f: &Fixture, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Create { max_attempts, priority, key } => {
                self.create(f, *max_attempts, *priority, *key).await
            }
            Operation::Claim { runner, limit } => self.claim(f, *runner, *limit).await,
            Operation::Heartbeat { runner } => self.heartbeat(f, *runner).await,
            Operation::LeaseStates => self.lease_states(f).await,
            Operation::Record(outcomes) => self.record(f, outcomes).await,
            Operation::RecordTheSameAgain => {
                let last = self.last.clone();
                self.write(f, &last).await
            }
            Operation::Silence { job } => self.silence(f, *job).await,
            Operation::Reap { limit } => self.reap(f, *limit).await,
            Operation::Cancel { job } => self.cancel(f, *job).await,
            Operation::Retry { job } => self.retry(f, *job).await,
            Operation::RetryMany { status } => self.retry_many(f, *status).await,
            Operation::Resume { job } => self.resume(f, *job).await,
        }
    }

    fn pick(&self, job: usize) -> Option<usize> {
        (!self.jobs.is_empty()).then(|| job % self.jobs.len())
    }

    fn number(&self, id: &str) -> Result<usize, String> {
        let found = self.jobs.iter().position(|job| job.id == id);
        found.ok_or_else(|| format!("nobody created {id}"))
    }
}

//! What both engines' ways of creating jobs share.

use super::{Created, StoreError, new_job_id};
use crate::job::{Job, NewJob, Start, Status, UniqueScope};
use crate::store::recording::{millis, to_json};
use std::collections::HashMap;

/// How often a create looks again when its unique key changes hands between two statements.
pub(super) const ROUNDS_MAX: usize = 10;

/// Jobs on their way into the database: each gets its own row, or that of the job which holds its key.
pub(super) struct Creation {
    pub(super) rows: Vec<NewRow>,
    created: Vec<Option<Created>>,
}

/// A new job as the statements of both engines take it.
#[derive(Debug, Clone)]
pub(super) struct NewRow {
    pub(super) id: String,
    /// What it was asked to be.
    pub(super) job: NewJob,
    pub(super) delay_ms: i64,
    pub(super) at_ms: Option<i64>,
    pub(super) unique_key: Option<String>,
    pub(super) unique_ms: Option<i64>,
    pub(super) retry: Option<String>,
    pub(super) heartbeat_timeout_ms: Option<i64>,
}

impl NewRow {
    fn new(job: NewJob) -> Self {
        let (delay_ms, at_ms) = match job.start {
            Start::Now => (0, None),
            Start::After(delay) => (millis(delay), None),
            Start::At(at) => (0, Some(at)),
        };
        let unique_ms = job.unique.as_ref().and_then(|unique| match unique.scope {
            UniqueScope::Active => None,
            UniqueScope::For(time) => Some(millis(time)),
        });
        NewRow {
            id: new_job_id(),
            delay_ms,
            at_ms,
            unique_key: job.unique.as_ref().map(|unique| unique.key.clone()),
            unique_ms,
            retry: job.retry.as_ref().map(to_json),
            heartbeat_timeout_ms: job.heartbeat_timeout.map(millis),
            job,
        }
    }

    /// When it is due, if it was created at this moment.
    pub(super) fn run_at(&self, created_at: i64) -> i64 {
        self.at_ms.unwrap_or(created_at.saturating_add(self.delay_ms))
    }

    /// The job as it is now in the database.
    fn into_job(self, inserted: Inserted) -> Job {
        let Inserted { id, status, run_at, created_at } = inserted;
        let job = self.job;
        Job {
            id,
            execution_id: job.execution_id,
            step_id: job.step_id,
            handler: job.handler,
            status,
            input: job.input,
            result: None,
            error: None,
            priority: job.priority,
            run_at,
            waiting: None,
            attempts: 0,
            max_attempts: job.max_attempts,
            waits: 0,
            resumed_with: None,
            retry: job.retry,
            heartbeat_timeout_ms: self.heartbeat_timeout_ms,
            unique_key: self.unique_key.filter(|_| self.unique_ms.is_none()),
            pinned_version: job.pinned_version,
            schedule: None,
            runner_id: None,
            instance_id: None,
            heartbeat_at: None,
            progress: None,
            checkpoint: None,
            history: Vec::new(),
            created_at,
            updated_at: created_at,
        }
    }
}

/// What a database decides of a new job.
pub(super) struct Inserted {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) run_at: Option<i64>,
    pub(super) created_at: i64,
}

impl Creation {
    /// Checks all jobs before anything is stored.
    pub(super) fn new(jobs: Vec<NewJob>) -> Result<Self, StoreError> {
        jobs.iter().try_for_each(NewJob::check)?;
        let rows: Vec<NewRow> = jobs.into_iter().map(NewRow::new).collect();
        Ok(Creation { created: vec![None; rows.len()], rows })
    }

    /// Whether one statement does it all, so that no transaction is needed to make it all or none.
    pub(super) fn is_one_statement(&self) -> bool {
        self.rows.len() <= 1 || self.is_plain()
    }

    /// Whether no row needs to be told apart from another by a key: one insert does it, in any order.
    pub(super) fn is_plain(&self) -> bool {
        self.rows.iter().all(|row| row.unique_key.is_none())
    }

    /// The rows that have no job yet, by their place.
    pub(super) fn open(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|place| self.created[*place].is_none()).collect()
    }

    /// Takes note of jobs that were inserted.
    pub(super) fn inserted(&mut self, jobs: Vec<Inserted>) {
        let mut jobs: HashMap<String, Inserted> = jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
        for (row, created) in self.rows.iter().zip(&mut self.created) {
            if let Some(inserted) = jobs.remove(&row.id) {
                *created = Some(Created { job: row.clone().into_job(inserted), is_new: true });
            }
        }
    }

    /// All of them are there, as they were asked to be but for what is said of some.
    pub(super) fn all_inserted(self, created_at: i64, others: &HashMap<&str, Status>) -> Vec<Created> {
        let created = |row: NewRow| {
            let inserted = Inserted {
                status: others.get(row.id.as_str()).copied().unwrap_or(Status::Pending),
                run_at: Some(row.run_at(created_at)),
                id: row.id.clone(),
                created_at,
            };
            Created { job: row.into_job(inserted), is_new: true }
        };
        self.rows.into_iter().map(created).collect()
    }

    /// Takes note of the job that holds the key of the row at this place. None means that it has ended
    /// meanwhile: the row is tried again.
    pub(super) fn held(&mut self, place: usize, holder: Option<Job>) {
        self.created[place] = holder.map(|job| Created { job, is_new: false });
    }

    /// All answers, in the order of the jobs.
    pub(super) fn finish(self) -> Result<Vec<Created>, StoreError> {
        let created: Option<Vec<Created>> = self.created.into_iter().collect();
        created.ok_or_else(|| {
            StoreError::Unavailable("a unique key changes hands too quickly to say who has it".into())
        })
    }
}

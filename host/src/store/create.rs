//! What both engines' ways of creating jobs share.

use super::{Created, StoreError, new_job_id};
use crate::job::{Job, NewJob, Start, UniqueScope};
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
        self.rows.len() <= 1 || self.rows.iter().all(|row| row.unique_key.is_none())
    }

    /// The rows that have no job yet, by their place.
    pub(super) fn open(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|place| self.created[*place].is_none()).collect()
    }

    /// Takes note of jobs that were inserted.
    pub(super) fn inserted(&mut self, jobs: Vec<Job>) {
        let mut jobs: HashMap<String, Job> = jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
        for (row, created) in self.rows.iter().zip(&mut self.created) {
            if let Some(job) = jobs.remove(&row.id) {
                *created = Some(Created { job, is_new: true });
            }
        }
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

//! From a row of either engine to the model. Both engines' statements name their columns alike.

use super::{Changed, Claimed, LeaseState, Reaped, RunnerRow, StoreError};
use crate::job::{Job, JsonText, Lease};
use sqlx::{ColumnIndex, Decode, Row, Type};

/// What both engines' rows can do.
pub(super) trait Columns {
    fn text(&self, name: &str) -> Result<String, sqlx::Error>;
    fn text_maybe(&self, name: &str) -> Result<Option<String>, sqlx::Error>;
    fn int(&self, name: &str) -> Result<i64, sqlx::Error>;
    fn int_maybe(&self, name: &str) -> Result<Option<i64>, sqlx::Error>;
}

impl<R> Columns for R
where
    R: Row,
    for<'a> &'a str: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn text(&self, name: &str) -> Result<String, sqlx::Error> {
        self.try_get(name)
    }
    fn text_maybe(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        self.try_get(name)
    }
    fn int(&self, name: &str) -> Result<i64, sqlx::Error> {
        self.try_get(name)
    }
    fn int_maybe(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(name)
    }
}

pub(super) fn job(row: &impl Columns) -> Result<Job, StoreError> {
    let id = row.text("id")?;
    let broken = |column: &str, why: String| {
        StoreError::Internal(format!("job {id} has an unreadable `{column}`: {why}"))
    };
    Ok(Job {
        execution_id: row.text_maybe("execution_id")?,
        step_id: row.text_maybe("step_id")?,
        handler: row.text("handler")?,
        status: row.text("status")?.parse().map_err(|why| broken("status", why))?,
        input: JsonText::from_store(row.text("input")?),
        result: row.text_maybe("result")?.map(JsonText::from_store),
        error: parsed(row, "error").map_err(|why| broken("error", why))?,
        priority: row.int("priority")? as i16,
        run_at: row.int_maybe("run_at")?,
        waiting: parsed(row, "waiting").map_err(|why| broken("waiting", why))?,
        attempts: row.int("attempts")? as u32,
        max_attempts: row.int("max_attempts")? as u32,
        runner_id: row.text_maybe("runner_id")?,
        instance_id: row.text_maybe("instance_id")?,
        heartbeat_at: row.int_maybe("heartbeat_at")?,
        progress: parsed(row, "progress").map_err(|why| broken("progress", why))?,
        checkpoint: row.text_maybe("checkpoint")?.map(JsonText::from_store),
        history: parsed(row, "history").map_err(|why| broken("history", why))?.unwrap_or_default(),
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
        id,
    })
}

pub(super) fn claimed(row: &impl Columns) -> Result<Claimed, StoreError> {
    Ok(Claimed {
        lease: Lease { job_id: row.text("id")?, instance_id: row.text("instance_id")? },
        handler: row.text("handler")?,
        input: JsonText::from_store(row.text("input")?),
        attempt: row.int("attempts")? as u32,
        max_attempts: row.int("max_attempts")? as u32,
        execution_id: row.text_maybe("execution_id")?,
        step_id: row.text_maybe("step_id")?,
        checkpoint: row.text_maybe("checkpoint")?.map(JsonText::from_store),
        claimed_at: row.int("heartbeat_at")?,
        priority: row.int("priority")? as i16,
        run_at: row.int("run_at")?,
    })
}

/// Collects rows, and restores the order that `returning` does not promise.
pub(super) fn claimed_in_order<R: Columns>(rows: &[R]) -> Result<Vec<Claimed>, StoreError> {
    let mut jobs = rows.iter().map(claimed).collect::<Result<Vec<_>, _>>()?;
    jobs.sort_by(|a, b| {
        (a.priority, a.run_at, &a.lease.job_id).cmp(&(b.priority, b.run_at, &b.lease.job_id))
    });
    Ok(jobs)
}

pub(super) fn reaped(row: &impl Columns) -> Result<Reaped, StoreError> {
    Ok(Reaped {
        lease: Lease {
            job_id: row.text("id")?,
            instance_id: row.text_maybe("instance_id")?.unwrap_or_default(),
        },
        handler: row.text("handler")?,
        runner_id: row.text_maybe("runner_id")?,
        status: row.text("status")?.parse().map_err(StoreError::Internal)?,
    })
}

pub(super) fn runner(row: &impl Columns) -> Result<RunnerRow, StoreError> {
    let handlers = parsed(row, "handlers").map_err(StoreError::Internal)?;
    Ok(RunnerRow { id: row.text("id")?, handlers: handlers.unwrap_or_default() })
}

pub(super) fn lease_state(text: &str) -> LeaseState {
    match text {
        "held" => LeaseState::Held,
        "cancelled" => LeaseState::Cancelled,
        _ => LeaseState::Lost,
    }
}

/// Why a statement that names a job changed no row, given the job's status.
pub(super) fn not_changed(status: Option<String>) -> Result<Changed, StoreError> {
    let Some(status) = status else { return Ok(Changed::NotFound) };
    status.parse().map(Changed::NotFrom).map_err(StoreError::Internal)
}

fn parsed<T: serde::de::DeserializeOwned>(row: &impl Columns, name: &str) -> Result<Option<T>, String> {
    let text = row.text_maybe(name).map_err(|error| error.to_string())?;
    let value = text.map(|text| serde_json::from_str::<Option<T>>(&text)).transpose();
    value.map(Option::flatten).map_err(|error| error.to_string())
}

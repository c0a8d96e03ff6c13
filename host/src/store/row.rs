//! From a row of either engine to the model. Both engines' statements name their columns alike.

use super::{
    AuditRow, Changed, Claimed, ContextFault, Execution, HandlerRow, HandlerStats, LeaseState, NewSchedule,
    Reaped, RunnerRow, Schedule, StoreError, VersionRow,
};
use crate::job::{Job, JobError, JsonText, Lease};
use crate::store::create::Inserted;
use sqlx::{Column, ColumnIndex, Decode, Row, Type};
use std::cell::Cell;
use std::time::Duration;

/// What both engines' rows can do.
pub(super) trait Columns {
    fn text(&self, name: &str) -> Result<String, sqlx::Error>;
    fn text_maybe(&self, name: &str) -> Result<Option<String>, sqlx::Error>;
    fn int(&self, name: &str) -> Result<i64, sqlx::Error>;
    fn int_maybe(&self, name: &str) -> Result<Option<i64>, sqlx::Error>;
}

/// A row, and how it finds a column.
pub(super) trait Found {
    type Row: Row;
    fn row(&self) -> &Self::Row;
    fn place(&self, name: &str) -> Result<usize, sqlx::Error>;
}

/// By its name.
impl<R> Found for R
where
    R: Row,
    for<'a> &'a str: ColumnIndex<R>,
{
    type Row = R;
    fn row(&self) -> &R {
        self
    }
    fn place(&self, name: &str) -> Result<usize, sqlx::Error> {
        name.index(self)
    }
}

/// A row whose columns are asked for in their order: each is where the last one ends, and no name is looked up.
pub(super) struct InOrder<'r, R> {
    row: &'r R,
    next: Cell<usize>,
}

impl<'r, R: Row> InOrder<'r, R> {
    /// Begins with the first column, or where the first one that is asked for is.
    pub(super) fn new(row: &'r R) -> Self {
        InOrder { row, next: Cell::new(0) }
    }
}

impl<R: Row> Found for InOrder<'_, R> {
    type Row = R;
    fn row(&self) -> &R {
        self.row
    }
    fn place(&self, name: &str) -> Result<usize, sqlx::Error> {
        let columns = self.row.columns();
        let is_it = |place: &usize| columns.get(*place).is_some_and(|column| column.name() == name);
        let place = Some(self.next.get()).filter(is_it).or_else(|| (0..columns.len()).find(is_it));
        let place = place.ok_or_else(|| sqlx::Error::ColumnNotFound(name.to_owned()))?;
        self.next.set(place + 1);
        Ok(place)
    }
}

impl<F> Columns for F
where
    F: Found,
    usize: ColumnIndex<F::Row>,
    for<'r> String: Decode<'r, <F::Row as Row>::Database> + Type<<F::Row as Row>::Database>,
    for<'r> i64: Decode<'r, <F::Row as Row>::Database> + Type<<F::Row as Row>::Database>,
{
    fn text(&self, name: &str) -> Result<String, sqlx::Error> {
        self.row().try_get(self.place(name)?).map_err(|why| named(why, name))
    }
    fn text_maybe(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        self.row().try_get(self.place(name)?).map_err(|why| named(why, name))
    }
    fn int(&self, name: &str) -> Result<i64, sqlx::Error> {
        self.row().try_get(self.place(name)?).map_err(|why| named(why, name))
    }
    fn int_maybe(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
        self.row().try_get(self.place(name)?).map_err(|why| named(why, name))
    }
}

/// An error that names the column instead of its place.
fn named(why: sqlx::Error, name: &str) -> sqlx::Error {
    match why {
        sqlx::Error::ColumnDecode { source, .. } => {
            sqlx::Error::ColumnDecode { index: name.to_owned(), source }
        }
        why => why,
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
        error: error(row)?,
        priority: row.int("priority")? as i16,
        run_at: row.int_maybe("run_at")?,
        waiting: parsed(row, "waiting").unwrap_or_default(),
        attempts: row.int("attempts")? as u32,
        max_attempts: row.int("max_attempts")? as u32,
        waits: row.int("waits")? as u32,
        resumed_with: row.text_maybe("resumed_with")?.map(JsonText::from_store),
        retry: parsed(row, "retry").unwrap_or_default(),
        heartbeat_timeout_ms: row.int_maybe("heartbeat_timeout_ms")?,
        unique_key: row.text_maybe("unique_key")?,
        pinned_version: row.text_maybe("pinned_version")?,
        schedule: row.text_maybe("schedule")?,
        runner_id: row.text_maybe("runner_id")?,
        instance_id: row.text_maybe("instance_id")?,
        heartbeat_at: row.int_maybe("heartbeat_at")?,
        // What others wrote there in another form is not worth failing for.
        progress: parsed(row, "progress").unwrap_or_default(),
        checkpoint: row.text_maybe("checkpoint")?.map(JsonText::from_store),
        history: parsed(row, "history").map_err(|why| broken("history", why))?.unwrap_or_default(),
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
        id,
    })
}

pub(super) fn inserted(row: &impl Columns) -> Result<Inserted, StoreError> {
    Ok(Inserted {
        id: row.text("id")?,
        status: row.text("status")?.parse().map_err(StoreError::Internal)?,
        run_at: row.int_maybe("run_at")?,
        created_at: row.int("created_at")?,
    })
}

/// An error that others wrote in another form is shown as it is.
fn error(row: &impl Columns) -> Result<Option<JobError>, StoreError> {
    let Some(text) = row.text_maybe("error")? else { return Ok(None) };
    let unreadable = || Some(JobError::guest("UNREADABLE".into(), text.clone(), None));
    Ok(serde_json::from_str(&text).unwrap_or_else(|_| unreadable()))
}

pub(super) fn claimed(row: &impl Columns) -> Result<Claimed, StoreError> {
    Ok(Claimed {
        lease: Lease { job_id: row.text("id")?, instance_id: row.text("instance_id")? },
        handler: row.text("handler")?,
        input: JsonText::from_store(row.text("input")?),
        attempt: row.int("attempts")? as u32,
        max_attempts: row.int("max_attempts")? as u32,
        waits: row.int("waits")? as u32,
        resumed_with: row.text_maybe("resumed_with")?.map(JsonText::from_store),
        // What others wrote there and is no policy counts as none: the job must run all the same.
        retry: parsed(row, "retry").unwrap_or_default(),
        heartbeat_timeout: row.int_maybe("heartbeat_timeout_ms")?.map(|ms| Duration::from_millis(ms as u64)),
        execution_id: row.text_maybe("execution_id")?,
        step_id: row.text_maybe("step_id")?,
        checkpoint: row.text_maybe("checkpoint")?.map(JsonText::from_store),
        claimed_at: row.int("heartbeat_at")?,
        priority: row.int("priority")? as i16,
        run_at: row.int("run_at")?,
        pinned_version: row.text_maybe("pinned_version")?,
    })
}

pub(super) fn reaped(row: &impl Columns) -> Result<Reaped, StoreError> {
    Ok(Reaped {
        lease: Lease {
            job_id: row.text("id")?,
            instance_id: row.text_maybe("instance_id")?.unwrap_or_default(),
        },
        attempt: row.int("attempts")? as u32,
        handler: row.text("handler")?,
        runner_id: row.text_maybe("runner_id")?,
        status: row.text("status")?.parse().map_err(StoreError::Internal)?,
    })
}

pub(super) fn execution(row: &impl Columns) -> Result<Execution, StoreError> {
    Ok(Execution {
        id: row.text("id")?,
        flow_id: row.text("flow_id")?,
        status: row.text("status")?,
        current_step: row.text_maybe("current_step")?,
        context: JsonText::from_store(row.text("context")?),
        wake_at: row.int_maybe("wake_at")?,
        error: error(row)?,
    })
}

pub(super) fn schedule(row: &impl Columns) -> Result<Schedule, StoreError> {
    let spec = NewSchedule {
        name: row.text("name")?,
        cron: row.text("cron")?,
        time_zone: row.text("time_zone")?,
        handler: row.text("handler")?,
        input: JsonText::from_store(row.text("input")?),
        priority: row.int("priority")? as i16,
        max_attempts: row.int("max_attempts")? as u32,
        missed: row.text("missed")?.parse().map_err(StoreError::Internal)?,
        missed_max: row.int("missed_max")? as u32,
    };
    Ok(Schedule {
        spec,
        paused: row.int("paused")? != 0,
        next_at: row.int_maybe("next_at")?,
        last_at: row.int_maybe("last_at")?,
    })
}

pub(super) fn stats(row: &impl Columns) -> Result<HandlerStats, StoreError> {
    let count = |name: &str| row.int(name).map(|count| count as u64);
    Ok(HandlerStats {
        handler: row.text("handler")?,
        due: count("due")?,
        later: count("later")?,
        waiting: count("waiting")?,
        running: count("running")?,
        completed: count("completed")?,
        failed: count("failed")?,
        cancelled: count("cancelled")?,
        oldest_due_ms: row.int_maybe("oldest_ms")?,
    })
}

/// A JSON array of keys.
pub(super) fn keys(text: Option<JsonText>) -> Result<Vec<String>, ContextFault> {
    let keys = text.as_ref().map(|text| serde_json::from_str(text.as_str())).transpose();
    let keys = keys.map_err(|error| StoreError::Internal(format!("unreadable keys: {error}")))?;
    Ok(keys.unwrap_or_default())
}

pub(super) fn runner(row: &impl Columns) -> Result<RunnerRow, StoreError> {
    let handlers = parsed(row, "handlers").map_err(StoreError::Internal)?;
    // What a later program wrote there in another form is not worth failing for.
    let versions = parsed(row, "versions").unwrap_or_default();
    Ok(RunnerRow {
        id: row.text("id")?,
        handlers: handlers.unwrap_or_default(),
        versions: versions.unwrap_or_default(),
    })
}

pub(super) fn handler(row: &impl Columns) -> Result<HandlerRow, StoreError> {
    let percent = row.int_maybe("canary_percent")?.unwrap_or_default();
    Ok(HandlerRow {
        name: row.text("name")?,
        active: row.text_maybe("active")?,
        canary: row.text_maybe("canary")?.map(|version| (version, percent as u8)),
        paused: row.int("paused")? != 0,
        revision: row.int("revision")?,
        active_pushed_at: row.int_maybe("active_pushed_at")?,
        canary_pushed_at: row.int_maybe("canary_pushed_at")?,
        updated_by: row.text("updated_by")?,
        updated_at: row.int("updated_at")?,
    })
}

pub(super) fn version(row: &impl Columns) -> Result<VersionRow, StoreError> {
    let json = |name| Ok::<_, sqlx::Error>(row.text_maybe(name)?.map(JsonText::from_store));
    Ok(VersionRow {
        handler: row.text("handler")?,
        version: row.text("version")?,
        number: row.int("number")?,
        digest: row.text("digest")?,
        component_bytes: row.int("component_bytes")?,
        manifest: row.text("manifest")?,
        metadata: json("metadata")?,
        schemas: json("schemas")?,
        signature: row.text_maybe("signature")?,
        source: row.text_maybe("source")?,
        pushed_by: row.text("pushed_by")?,
        pushed_at: row.int("pushed_at")?,
        activated_at: row.int_maybe("activated_at")?,
    })
}

pub(super) fn audit(row: &impl Columns) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        at: row.int("at")?,
        handler: row.text("handler")?,
        version: row.text_maybe("version")?,
        action: row.text("action")?,
        actor: row.text("actor")?,
        detail: row.text_maybe("detail")?,
    })
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

//! Outcomes, in groups.

use super::executions::{End, tell_execution};
use super::leases::pairs;
use super::{SqliteStore, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Lease, Status};
use crate::store::recording::{RecordingRow, to_json};
use crate::store::{Notice, Recorded, Recording, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::{HashMap, HashSet};

/// One statement takes so many bytes of outcomes, give or take the last of them.
const STATEMENT_BYTES: usize = 1 << 20;

impl SqliteStore {
    pub(super) async fn record_all(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        let mut transaction = self.begin().await?;
        let gone = forget(&mut transaction, recordings).await?;
        let kept = recordings.iter().zip(&gone).filter(|(_, gone)| !**gone);
        let kept: Vec<RecordingRow> = kept.map(|(recording, _)| RecordingRow::new(recording)).collect();
        let mut written = Vec::with_capacity(kept.len());
        for rows in in_statements(&kept) {
            written.extend(keep(&mut transaction, rows).await?);
        }
        transaction.commit().await?;
        if recordings.iter().any(|recording| recording.transition.leads_to() == Status::Pending) {
            self.tell(Notice::Changed);
        }
        let mut written = written.into_iter();
        let answers = gone.iter().map(|gone| if *gone { Some(Recorded::Written) } else { written.next() });
        answers.collect::<Option<_>>().ok_or_else(|| StoreError::Internal("a recording has no answer".into()))
    }
}

/// Which of them need no record any more, since their jobs are gone.
async fn forget(
    connection: &mut SqliteConnection,
    recordings: &[Recording],
) -> Result<Vec<bool>, StoreError> {
    let forgetful = recordings.iter().filter(|one| one.forgets());
    let leases: Vec<Lease> = forgetful.map(|one| one.lease.clone()).collect();
    if leases.is_empty() {
        return Ok(vec![false; recordings.len()]);
    }
    let leases = pairs(&leases);
    sqlx::query(sql::FORGET).bind(&leases).execute(&mut *connection).await?;
    let rows = sqlx::query(sql::GONE).bind(&leases).fetch_all(connection).await?;
    let mut rows = rows.iter();
    let is_gone = |recording: &Recording| match recording.forgets() {
        true => rows.next().map_or(Ok(false), |row| row.try_get("gone")),
        false => Ok(false),
    };
    Ok(recordings.iter().map(is_gone).collect::<Result<_, sqlx::Error>>()?)
}

/// Cuts where a statement has enough.
fn in_statements<'r>(rows: &'r [RecordingRow<'r>]) -> impl Iterator<Item = &'r [RecordingRow<'r>]> {
    let mut bytes = 0;
    rows.chunk_by(move |row, _| {
        bytes += row.bytes();
        let goes_on = bytes < STATEMENT_BYTES;
        bytes = if goes_on { bytes } else { 0 };
        goes_on
    })
}

/// Rows on their way back cost more than the writing: how many were written says it all where nothing is odd.
async fn keep(
    connection: &mut SqliteConnection,
    rows: &[RecordingRow<'_>],
) -> Result<Vec<Recorded>, StoreError> {
    let leases: Vec<_> = rows.iter().map(|row| (row.job_id, row.instance_id)).collect();
    let steps = sqlx::query(sql::STEPS).bind(to_json(&leases)).fetch_all(&mut *connection).await?;
    let named = steps.iter().map(|step| Ok((step.try_get("id")?, step)));
    let mut steps = named.collect::<Result<HashMap<&str, &SqliteRow>, sqlx::Error>>()?;
    let query = sqlx::query(sql::RECORD).bind(to_json(&rows)).bind(HISTORY_ENTRIES_MAX);
    let written = query.execute(&mut *connection).await?.rows_affected();
    let jobs: HashSet<&str> = rows.iter().map(|row| row.job_id).collect();
    let mut answers = Vec::with_capacity(rows.len());
    for row in rows {
        // Of two for one job, or where a lease was lost, each is asked for.
        let stands =
            written == rows.len() as u64 && jobs.len() == rows.len() || is_recorded(connection, row).await?;
        answers.push(if stands { Recorded::Written } else { Recorded::LeaseLost });
        // Written by this call: an earlier one has told of it.
        let Some(step) = steps.get(row.job_id).copied().filter(|_| stands) else { continue };
        steps.remove(row.job_id);
        let end = End {
            job_id: row.job_id,
            execution_id: step.try_get("execution_id")?,
            step_id: step.try_get("step_id")?,
            status: row.status,
            result: row.result.map(str::to_owned),
            error: row.error.clone(),
        };
        tell_execution(connection, end).await?;
    }
    Ok(answers)
}

/// Whether it stands in its job's history, from this call or an earlier one.
async fn is_recorded(connection: &mut SqliteConnection, row: &RecordingRow<'_>) -> Result<bool, StoreError> {
    let query = sqlx::query(sql::RECORDED).bind(row.job_id).bind(row.instance_id).bind(row.outcome);
    Ok(query.fetch_optional(connection).await?.is_some())
}

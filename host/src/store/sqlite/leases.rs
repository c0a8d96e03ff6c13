use super::{SqliteStore, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Lease};
use crate::store::recording::{RecordingRow, millis, stalled_error, to_json};
use crate::store::row;
use crate::store::{
    ClaimRequest, Claimed, LeaseState, LeaseStore, Reaped, Recorded, Recording, RunnerRow, StoreError,
};
use async_trait::async_trait;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        if request.handlers.is_empty() || request.limit == 0 {
            return Ok(Vec::new());
        }
        let query = sqlx::query(sql::CLAIM)
            .bind(&request.runner_id)
            .bind(to_json(&request.handlers))
            .bind(request.limit);
        row::claimed_in_order(&query.fetch_all(&self.writer).await?)
    }

    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let pairs: Vec<_> = leases.iter().map(|lease| (&lease.job_id, &lease.instance_id)).collect();
        let pairs = to_json(&pairs);
        let mut transaction = self.begin().await?;
        sqlx::query(sql::HEARTBEAT).bind(&pairs).execute(&mut *transaction).await?;
        let rows = sqlx::query(sql::LEASE_STATES).bind(&pairs).fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        rows.iter().map(|found| Ok(row::lease_state(found.try_get("state")?))).collect()
    }

    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        if recordings.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = Vec::with_capacity(recordings.len());
        let mut transaction = self.begin().await?;
        for recording in recordings {
            answers.push(record_one(&mut transaction, RecordingRow::new(recording)).await?);
        }
        transaction.commit().await?;
        Ok(answers)
    }

    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError> {
        let query = sqlx::query(sql::REAP)
            .bind(millis(older_than))
            .bind(limit)
            .bind(stalled_error())
            .bind(HISTORY_ENTRIES_MAX);
        query.fetch_all(&self.writer).await?.iter().map(row::reaped).collect()
    }

    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError> {
        let query = sqlx::query(sql::ANNOUNCE).bind(&runner.id).bind(to_json(&runner.handlers));
        Ok(query.execute(&self.writer).await.map(drop)?)
    }

    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError> {
        Ok(sqlx::query(sql::WITHDRAW).bind(runner_id).execute(&self.writer).await.map(drop)?)
    }
}

async fn record_one(connection: &mut SqliteConnection, row: RecordingRow) -> Result<Recorded, StoreError> {
    let done = sqlx::query(sql::RECORD)
        .bind(&row.job_id)
        .bind(&row.instance_id)
        .bind(row.status.as_str())
        .bind(row.outcome)
        .bind(row.result)
        .bind(row.error)
        .bind(row.delay_ms)
        .bind(row.at_ms)
        .bind(row.refund)
        .bind(row.waiting)
        .bind(row.usage)
        .bind(row.progress)
        .bind(HISTORY_ENTRIES_MAX)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() > 0 {
        return Ok(Recorded::Written);
    }
    let query = sqlx::query(sql::RECORDED).bind(&row.job_id).bind(&row.instance_id).bind(row.outcome);
    let earlier = query.fetch_optional(connection).await?;
    Ok(if earlier.is_some() { Recorded::Written } else { Recorded::LeaseLost })
}

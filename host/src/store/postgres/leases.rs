use super::{PgStore, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Lease};
use crate::store::recording::{RecordingRow, millis, stalled_error, to_json};
use crate::store::row;
use crate::store::{
    ClaimRequest, Claimed, LeaseState, LeaseStore, Reaped, Recorded, Recording, RunnerRow, StoreError,
};
use async_trait::async_trait;
use sqlx::Row;
use std::time::Duration;

#[async_trait]
impl LeaseStore for PgStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        if request.handlers.is_empty() || request.limit == 0 {
            return Ok(Vec::new());
        }
        let query = sqlx::query(sql::CLAIM)
            .bind(&request.runner_id)
            .bind(&request.handlers)
            .bind(i64::from(request.limit));
        row::claimed_in_order(&self.call(query.fetch_all(&self.pool)).await?)
    }

    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let jobs: Vec<&str> = leases.iter().map(|lease| lease.job_id.as_str()).collect();
        let instances: Vec<&str> = leases.iter().map(|lease| lease.instance_id.as_str()).collect();
        let query = sqlx::query(sql::HEARTBEAT).bind(jobs).bind(instances);
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|found| Ok(row::lease_state(found.try_get("state")?))).collect()
    }

    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        if recordings.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<RecordingRow> = recordings.iter().map(RecordingRow::new).collect();
        let column = |pick: fn(&RecordingRow) -> Option<&str>| -> Vec<Option<String>> {
            rows.iter().map(|row| pick(row).map(str::to_owned)).collect()
        };
        let query = sqlx::query(sql::RECORD)
            .bind(column(|row| Some(&row.job_id)))
            .bind(column(|row| Some(&row.instance_id)))
            .bind(column(|row| Some(row.status.as_str())))
            .bind(column(|row| Some(row.outcome)))
            .bind(column(|row| row.result.as_deref()))
            .bind(column(|row| row.error.as_deref()))
            .bind(rows.iter().map(|row| row.delay_ms).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.at_ms).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.refund).collect::<Vec<_>>())
            .bind(column(|row| row.waiting.as_deref()))
            .bind(column(|row| Some(&row.usage)))
            .bind(column(|row| row.progress.as_deref()))
            .bind(HISTORY_ENTRIES_MAX as i32);
        let answers = self.call(query.fetch_all(&self.pool)).await?;
        let recorded = |written| if written { Recorded::Written } else { Recorded::LeaseLost };
        answers.iter().map(|answer| Ok(recorded(answer.try_get("written")?))).collect()
    }

    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError> {
        let query = sqlx::query(sql::REAP)
            .bind(millis(older_than))
            .bind(i64::from(limit))
            .bind(stalled_error())
            .bind(HISTORY_ENTRIES_MAX as i32);
        self.call(query.fetch_all(&self.pool)).await?.iter().map(row::reaped).collect()
    }

    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError> {
        let query = sqlx::query(sql::ANNOUNCE).bind(&runner.id).bind(to_json(&runner.handlers));
        self.call(query.execute(&self.pool)).await.map(drop)
    }

    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError> {
        let query = sqlx::query(sql::WITHDRAW).bind(runner_id);
        self.call(query.execute(&self.pool)).await.map(drop)
    }
}

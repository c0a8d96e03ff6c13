use super::{PgStore, claim, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Lease};
use crate::store::recording::{millis, stalled_error, to_json};
use crate::store::row::{self, Columns};
use crate::store::{
    Claim, ClaimRequest, LeaseState, LeaseStore, Reaped, Recorded, Recording, Retention, RunnerRow,
    StoreError,
};
use async_trait::async_trait;
use sqlx::Row;
use std::time::Duration;

#[async_trait]
impl LeaseStore for PgStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        claim::claim(self, request).await
    }

    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        self.states(sql::HEARTBEAT, leases).await
    }

    async fn lease_states(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        self.states(sql::LEASE_STATES, leases).await
    }

    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        if recordings.is_empty() {
            return Ok(Vec::new());
        }
        self.record_all(recordings).await
    }

    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError> {
        let query = sqlx::query(sql::REAP)
            .bind(millis(older_than))
            .bind(i64::from(limit))
            .bind(stalled_error())
            .bind(HISTORY_ENTRIES_MAX as i32);
        self.rows(query).await?.iter().map(row::reaped).collect()
    }

    async fn purge(&self, retention: &Retention, limit: u32) -> Result<u64, StoreError> {
        let mut purged = 0;
        for (status, age) in retention.by_status() {
            let mut after = (i64::MIN, String::new());
            while purged < u64::from(limit) {
                let rows = i64::from(limit) - purged as i64;
                let page = sqlx::query(sql::PURGE)
                    .bind(status.as_str())
                    .bind(millis(age))
                    .bind(after.0)
                    .bind(&after.1)
                    .bind(rows);
                let page = self.call(page.fetch_one(&self.pool)).await?;
                purged += page.int("gone")? as u64;
                if page.int("seen")? < rows {
                    break;
                }
                after = (page.int("updated_at")?, page.text("id")?);
            }
        }
        Ok(purged)
    }

    async fn forget_expired(&self, limit: u32) -> Result<u64, StoreError> {
        let query = sqlx::query(sql::FORGET_EXPIRED).bind(i64::from(limit));
        Ok(self.call(query.execute(&self.pool)).await?.rows_affected())
    }

    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError> {
        let query = sqlx::query(sql::ANNOUNCE)
            .bind(&runner.id)
            .bind(to_json(&runner.handlers))
            .bind(to_json(&runner.versions));
        self.call(query.execute(&self.pool)).await.map(drop)
    }

    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError> {
        let query = sqlx::query(sql::WITHDRAW).bind(runner_id);
        self.call(query.execute(&self.pool)).await.map(drop)
    }
}

impl PgStore {
    async fn states(&self, statement: &'static str, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let jobs: Vec<&str> = leases.iter().map(|lease| lease.job_id.as_str()).collect();
        let instances: Vec<&str> = leases.iter().map(|lease| lease.instance_id.as_str()).collect();
        let rows = self.rows(sqlx::query(statement).bind(jobs).bind(instances)).await?;
        rows.iter().map(|found| Ok(row::lease_state(found.try_get("state")?))).collect()
    }
}

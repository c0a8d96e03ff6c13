use super::executions::{End, tell_execution};
use super::{SqliteStore, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Lease};
use crate::store::recording::{millis, stalled_error, to_json};
use crate::store::row;
use crate::store::{
    Claim, ClaimRequest, HandlerPlaces, LeaseState, LeaseStore, Notice, Reaped, Recorded, Recording,
    Retention, RunnerRow, StoreError,
};
use async_trait::async_trait;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;

/// Old rows are read page by page, since some of them may have to stay.
const PURGE_PAGE: u32 = 500;

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        let places = |one: &HandlerPlaces| one.places.unwrap_or(request.limit).min(request.limit);
        let wanted: Vec<_> =
            request.handlers.iter().map(|one| (&one.handler, places(one), one.fleet_max)).collect();
        let wanted = to_json(&wanted);
        let is_due = sqlx::query(sql::IS_DUE).bind(&wanted).fetch_one(&self.readers).await?;
        if request.limit == 0 || !is_due.try_get::<bool, _>("due")? {
            return Ok(Claim::default());
        }
        let query = sqlx::query(sql::CLAIM)
            .bind(&request.runner_id)
            .bind(wanted)
            .bind(request.limit)
            .bind(i32::try_from(request.heartbeat_interval.as_millis()).unwrap_or(i32::MAX));
        let rows = query.fetch_all(&self.writer).await?;
        let mut jobs = rows.iter().map(row::claimed).collect::<Result<Vec<_>, _>>()?;
        // `returning` promises no order.
        jobs.sort_unstable_by(|one, other| one.turn().cmp(&other.turn()));
        Ok(Claim { more: jobs.len() >= request.limit as usize, jobs })
    }

    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let pairs = pairs(leases);
        let mut transaction = self.begin().await?;
        sqlx::query(sql::HEARTBEAT).bind(&pairs).execute(&mut *transaction).await?;
        let states = states(&mut transaction, &pairs).await?;
        transaction.commit().await?;
        Ok(states)
    }

    async fn lease_states(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        states(&mut connection, &pairs(leases)).await
    }

    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        if recordings.is_empty() {
            return Ok(Vec::new());
        }
        self.record_all(recordings).await
    }

    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError> {
        let is_stalled =
            sqlx::query(sql::IS_STALLED).bind(millis(older_than)).fetch_one(&self.readers).await?;
        if !is_stalled.try_get::<bool, _>("stalled")? {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let query = sqlx::query(sql::REAP)
            .bind(millis(older_than))
            .bind(limit)
            .bind(stalled_error())
            .bind(HISTORY_ENTRIES_MAX);
        let rows = query.fetch_all(&mut *transaction).await?;
        let reaped = rows.iter().map(row::reaped).collect::<Result<Vec<_>, _>>()?;
        for (row, taken) in rows.iter().zip(&reaped) {
            let end = End {
                job_id: &taken.lease.job_id,
                execution_id: row.try_get("execution_id")?,
                step_id: row.try_get("step_id")?,
                status: taken.status,
                result: None,
                error: stalled_error(),
            };
            tell_execution(&mut transaction, end).await?;
        }
        transaction.commit().await?;
        self.tell(Notice::Changed);
        Ok(reaped)
    }

    async fn purge(&self, retention: &Retention, limit: u32) -> Result<u64, StoreError> {
        let mut purged = 0;
        for (status, age) in retention.by_status() {
            let mut after = (i64::MIN, String::new());
            while purged < u64::from(limit) {
                let left = i64::from(limit) - purged as i64;
                let page = sqlx::query(sql::PURGE)
                    .bind(status.as_str())
                    .bind(millis(age))
                    .bind(after.0)
                    .bind(&after.1)
                    .bind(PURGE_PAGE);
                let page = page.fetch_all(&self.readers).await?;
                let may_go = page.iter().filter(|row| row.try_get("may_go").unwrap_or(false));
                let ids = may_go.take(left as usize).map(|row| row.try_get::<String, _>("id"));
                let ids = ids.collect::<Result<Vec<_>, _>>()?;
                if !ids.is_empty() {
                    let delete = sqlx::query(sql::DELETE_JOBS).bind(to_json(&ids));
                    purged += delete.execute(&self.writer).await?.rows_affected();
                }
                match page.last() {
                    Some(last) if page.len() >= PURGE_PAGE as usize => {
                        after = (last.try_get("updated_at")?, last.try_get("id")?);
                    }
                    _ => break,
                }
            }
        }
        Ok(purged)
    }

    async fn forget_expired(&self, limit: u32) -> Result<u64, StoreError> {
        let expired = sqlx::query(sql::HAS_EXPIRED).fetch_one(&self.readers).await?;
        if !expired.try_get::<bool, _>("expired")? {
            return Ok(0);
        }
        let delete = sqlx::query(sql::FORGET_EXPIRED).bind(limit);
        Ok(delete.execute(&self.writer).await?.rows_affected())
    }

    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError> {
        let query = sqlx::query(sql::ANNOUNCE)
            .bind(&runner.id)
            .bind(to_json(&runner.handlers))
            .bind(to_json(&runner.versions));
        Ok(query.execute(&self.writer).await.map(drop)?)
    }

    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError> {
        Ok(sqlx::query(sql::WITHDRAW).bind(runner_id).execute(&self.writer).await.map(drop)?)
    }
}

pub(super) fn pairs(leases: &[Lease]) -> String {
    to_json(&leases.iter().map(|lease| (&lease.job_id, &lease.instance_id)).collect::<Vec<_>>())
}

async fn states(connection: &mut SqliteConnection, pairs: &str) -> Result<Vec<LeaseState>, StoreError> {
    let rows = sqlx::query(sql::LEASE_STATES).bind(pairs).fetch_all(connection).await?;
    rows.iter().map(|found| Ok(row::lease_state(found.try_get("state")?))).collect()
}

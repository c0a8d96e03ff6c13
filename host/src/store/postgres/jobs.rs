use super::{PgStore, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Job, NewJob, Status};
use crate::store::recording::millis;
use crate::store::{Changed, JobStore, ListFilter, RunnerRow, StoreError, new_job_id, row};
use async_trait::async_trait;
use sqlx::Row;
use std::time::Duration;

#[async_trait]
impl JobStore for PgStore {
    async fn create(&self, job: NewJob) -> Result<Job, StoreError> {
        job.check()?;
        let query = sqlx::query(sql::CREATE)
            .bind(new_job_id())
            .bind(job.execution_id)
            .bind(job.step_id)
            .bind(job.handler)
            .bind(job.input.as_str().to_owned())
            .bind(i64::try_from(job.delay_ms).unwrap_or(i64::MAX))
            .bind(i64::from(job.priority))
            .bind(i64::from(job.max_attempts));
        row::job(&self.call(query.fetch_one(&self.pool)).await?)
    }

    async fn get(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let query = sqlx::query(sql::GET).bind(id);
        self.call(query.fetch_optional(&self.pool)).await?.map(|found| row::job(&found)).transpose()
    }

    async fn list(&self, filter: &ListFilter) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::LIST)
            .bind(filter.status.map(Status::as_str))
            .bind(filter.handler.as_deref())
            .bind(filter.rows_max());
        self.call(query.fetch_all(&self.pool)).await?.iter().map(row::job).collect()
    }

    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::BY_EXECUTION).bind(execution_id);
        self.call(query.fetch_all(&self.pool)).await?.iter().map(row::job).collect()
    }

    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::FIND_STALLED).bind(millis(older_than)).bind(i64::from(limit));
        self.call(query.fetch_all(&self.pool)).await?.iter().map(row::job).collect()
    }

    async fn cancel(&self, id: &str) -> Result<Changed, StoreError> {
        let query = sqlx::query(sql::CANCEL).bind(id).bind(i64::from(HISTORY_ENTRIES_MAX));
        let done = self.call(query.execute(&self.pool)).await?;
        self.changed(id, done.rows_affected()).await
    }

    async fn retry(&self, id: &str) -> Result<Changed, StoreError> {
        let done = self.call(sqlx::query(sql::RETRY).bind(id).execute(&self.pool)).await?;
        self.changed(id, done.rows_affected()).await
    }

    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError> {
        let query = sqlx::query(sql::RUNNERS).bind(millis(older_than));
        self.call(query.fetch_all(&self.pool)).await?.iter().map(row::runner).collect()
    }
}

impl PgStore {
    async fn changed(&self, id: &str, rows: u64) -> Result<Changed, StoreError> {
        if rows > 0 {
            return Ok(Changed::Yes);
        }
        let query = sqlx::query(sql::STATUS).bind(id);
        let found = self.call(query.fetch_optional(&self.pool)).await?;
        row::not_changed(found.map(|row| row.try_get("status")).transpose()?)
    }
}

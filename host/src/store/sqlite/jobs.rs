use super::{SqliteStore, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Job, NewJob, Status};
use crate::store::recording::millis;
use crate::store::{Changed, JobStore, ListFilter, RunnerRow, StoreError, new_job_id, row};
use async_trait::async_trait;
use sqlx::Row;
use std::time::Duration;

#[async_trait]
impl JobStore for SqliteStore {
    async fn create(&self, job: NewJob) -> Result<Job, StoreError> {
        job.check()?;
        let query = sqlx::query(sql::CREATE)
            .bind(new_job_id())
            .bind(job.execution_id)
            .bind(job.step_id)
            .bind(job.handler)
            .bind(job.input.as_str().to_owned())
            .bind(i64::try_from(job.delay_ms).unwrap_or(i64::MAX))
            .bind(job.priority)
            .bind(job.max_attempts);
        // Not `fetch_one`: sqlx then ends the statement at its first row, and drops the error of a commit
        // that fails.
        let rows = query.fetch_all(&self.writer).await?;
        row::job(rows.first().ok_or(sqlx::Error::RowNotFound)?)
    }

    async fn get(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let found = sqlx::query(sql::GET).bind(id).fetch_optional(&self.readers).await?;
        found.map(|found| row::job(&found)).transpose()
    }

    async fn list(&self, filter: &ListFilter) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::LIST)
            .bind(filter.status.map(Status::as_str))
            .bind(filter.handler.as_deref())
            .bind(filter.rows_max());
        query.fetch_all(&self.readers).await?.iter().map(row::job).collect()
    }

    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::BY_EXECUTION).bind(execution_id);
        query.fetch_all(&self.readers).await?.iter().map(row::job).collect()
    }

    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::FIND_STALLED).bind(millis(older_than)).bind(limit);
        query.fetch_all(&self.readers).await?.iter().map(row::job).collect()
    }

    async fn cancel(&self, id: &str) -> Result<Changed, StoreError> {
        let query = sqlx::query(sql::CANCEL).bind(id).bind(HISTORY_ENTRIES_MAX);
        let done = query.execute(&self.writer).await?;
        self.changed(id, done.rows_affected()).await
    }

    async fn retry(&self, id: &str) -> Result<Changed, StoreError> {
        let done = sqlx::query(sql::RETRY).bind(id).execute(&self.writer).await?;
        self.changed(id, done.rows_affected()).await
    }

    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError> {
        let query = sqlx::query(sql::RUNNERS).bind(millis(older_than));
        query.fetch_all(&self.readers).await?.iter().map(row::runner).collect()
    }
}

impl SqliteStore {
    async fn changed(&self, id: &str, rows: u64) -> Result<Changed, StoreError> {
        if rows > 0 {
            return Ok(Changed::Yes);
        }
        let found = sqlx::query(sql::STATUS).bind(id).fetch_optional(&self.readers).await?;
        row::not_changed(found.map(|row| row.try_get("status")).transpose()?)
    }
}

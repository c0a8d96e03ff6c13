use super::{SqliteStore, listen, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Job, JsonText, NewJob, Status};
use crate::store::recording::millis;
use crate::store::{
    Changed, Created, HandlerStats, JobStore, ListFilter, Notice, Notices, RetryFilter, RunnerRow,
    STATS_COUNT_MAX, STATS_WINDOW, StoreError, row,
};
use async_trait::async_trait;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, query::Query};
use std::time::Duration;

/// How many jobs one transaction retries; a call goes on until there are none left.
const RETRY_BATCH: u32 = 1000;

#[async_trait]
impl JobStore for SqliteStore {
    async fn create(&self, job: NewJob) -> Result<Created, StoreError> {
        let mut created = self.create_on_pool(vec![job]).await?;
        created.pop().ok_or_else(|| StoreError::Internal("a created job is missing".into()))
    }

    async fn create_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError> {
        self.create_on_pool(jobs).await
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

    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::FIND_STALLED).bind(millis(older_than)).bind(limit);
        query.fetch_all(&self.readers).await?.iter().map(row::job).collect()
    }

    async fn cancel(&self, id: &str) -> Result<Changed, StoreError> {
        let query = sqlx::query(sql::CANCEL).bind(id).bind(HISTORY_ENTRIES_MAX);
        let done = query.execute(&self.writer).await?;
        self.tell(Notice::Cancelled { job_id: id.to_owned() });
        self.changed(id, done.rows_affected()).await
    }

    async fn retry(&self, id: &str) -> Result<Changed, StoreError> {
        match self.retry_by(sqlx::query(sql::RETRY).bind(id)).await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Changed::KeyTaken),
            retried => self.changed(id, retried?).await,
        }
    }

    async fn retry_many(&self, filter: &RetryFilter) -> Result<u64, StoreError> {
        let status = filter.status.unwrap_or(Status::Failed).as_str();
        let mut retried = 0;
        loop {
            let query = sqlx::query(sql::RETRY_MANY).bind(status).bind(&filter.handler).bind(RETRY_BATCH);
            let batch = self.retry_by(query).await?;
            retried += batch;
            if batch < u64::from(RETRY_BATCH) {
                break;
            }
        }
        let keyed = sqlx::query(sql::KEYED).bind(status).bind(&filter.handler);
        for row in keyed.fetch_all(&self.readers).await? {
            retried += u64::from(self.retry(row.try_get("id")?).await? == Changed::Yes);
        }
        Ok(retried)
    }

    async fn resume(&self, id: &str, payload: Option<&JsonText>) -> Result<Changed, StoreError> {
        let query = sqlx::query(sql::RESUME).bind(id).bind(payload.map(JsonText::as_str));
        let done = query.execute(&self.writer).await?;
        self.tell(Notice::Changed);
        self.changed(id, done.rows_affected()).await
    }

    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError> {
        let query = sqlx::query(sql::RUNNERS).bind(millis(older_than));
        query.fetch_all(&self.readers).await?.iter().map(row::runner).collect()
    }

    async fn stats(&self) -> Result<Vec<HandlerStats>, StoreError> {
        let query = sqlx::query(sql::STATS).bind(STATS_COUNT_MAX).bind(millis(STATS_WINDOW));
        query.fetch_all(&self.readers).await?.iter().map(row::stats).collect()
    }

    async fn listen(&self) -> Result<Notices, StoreError> {
        listen::listen(self).await
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

    /// Runs a statement that makes jobs pending again, and lets the executions that failed with them wait
    /// for them again.
    async fn retry_by(&self, retry: Query<'_, Sqlite, SqliteArguments>) -> Result<u64, sqlx::Error> {
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        let rows: Vec<SqliteRow> = retry.fetch_all(&mut *transaction).await?;
        for row in &rows {
            let Some(execution) = row.try_get::<Option<String>, _>("execution_id")? else { continue };
            let reopen = sqlx::query(sql::REOPEN_EXECUTION)
                .bind(execution)
                .bind(row.try_get::<Option<String>, _>("step_id")?)
                .bind(row.try_get::<String, _>("id")?);
            reopen.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        self.tell(Notice::Changed);
        Ok(rows.len() as u64)
    }
}

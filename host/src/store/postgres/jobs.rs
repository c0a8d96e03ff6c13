use super::{PgStore, listen, sql};
use crate::job::{HISTORY_ENTRIES_MAX, Job, JsonText, NewJob, Status};
use crate::store::recording::millis;
use crate::store::{
    Changed, Created, HandlerStats, JobStore, ListFilter, Notices, RetryFilter, RunnerRow, STATS_COUNT_MAX,
    STATS_WINDOW, StoreError, row,
};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use std::time::Duration;

/// How many jobs one statement retries; a call goes on until there are none left.
const RETRY_BATCH: i64 = 1000;

#[async_trait]
impl JobStore for PgStore {
    async fn create(&self, job: NewJob) -> Result<Created, StoreError> {
        let mut created = self.create_many(vec![job]).await?;
        created.pop().ok_or_else(|| StoreError::Internal("a created job is missing".into()))
    }

    async fn create_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError> {
        self.create_on_pool(jobs).await
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
        self.rows(query).await?.iter().map(row::job).collect()
    }

    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::FIND_STALLED).bind(millis(older_than)).bind(i64::from(limit));
        self.rows(query).await?.iter().map(row::job).collect()
    }

    async fn cancel(&self, id: &str) -> Result<Changed, StoreError> {
        let query = sqlx::query(sql::CANCEL).bind(id).bind(i64::from(HISTORY_ENTRIES_MAX));
        let done = self.call(query.execute(&self.pool)).await?;
        self.changed(id, done.rows_affected()).await
    }

    async fn retry(&self, id: &str) -> Result<Changed, StoreError> {
        let retried = sqlx::query(sql::RETRY).bind(id).fetch_all(&self.pool);
        let retried = self.call(async { Ok(retried.await) }).await?;
        match retried {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Changed::KeyTaken),
            retried => self.changed(id, retried?.len() as u64).await,
        }
    }

    async fn retry_many(&self, filter: &RetryFilter) -> Result<u64, StoreError> {
        let status = filter.status.unwrap_or(Status::Failed).as_str();
        let mut retried = 0;
        loop {
            let query = sqlx::query(sql::RETRY_MANY).bind(status).bind(&filter.handler).bind(RETRY_BATCH);
            let batch = self.rows(query).await?.len();
            retried += batch as u64;
            if batch < RETRY_BATCH as usize {
                break;
            }
        }
        for row in self.rows(sqlx::query(sql::KEYED).bind(status).bind(&filter.handler)).await? {
            retried += u64::from(self.retry(row.try_get("id")?).await? == Changed::Yes);
        }
        Ok(retried)
    }

    async fn resume(&self, id: &str, payload: Option<&JsonText>) -> Result<Changed, StoreError> {
        let query = sqlx::query(sql::RESUME).bind(id).bind(payload.map(JsonText::as_str));
        let done = self.call(query.execute(&self.pool)).await?;
        self.changed(id, done.rows_affected()).await
    }

    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError> {
        let query = sqlx::query(sql::RUNNERS).bind(millis(older_than));
        self.rows(query).await?.iter().map(row::runner).collect()
    }

    async fn stats(&self) -> Result<Vec<HandlerStats>, StoreError> {
        let query = sqlx::query(sql::STATS).bind(i64::from(STATS_COUNT_MAX)).bind(millis(STATS_WINDOW));
        self.rows(query).await?.iter().map(row::stats).collect()
    }

    async fn listen(&self) -> Result<Notices, StoreError> {
        listen::listen(self).await
    }
}

impl PgStore {
    pub(super) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.call(query.fetch_all(&self.pool)).await
    }

    /// As [`rows`](PgStore::rows), for what takes or ends many jobs.
    pub(super) async fn group(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.call(query.fetch_all(&self.groups)).await
    }

    async fn changed(&self, id: &str, rows: u64) -> Result<Changed, StoreError> {
        if rows > 0 {
            return Ok(Changed::Yes);
        }
        let query = sqlx::query(sql::STATUS).bind(id);
        let found = self.call(query.fetch_optional(&self.pool)).await?;
        row::not_changed(found.map(|row| row.try_get("status")).transpose()?)
    }
}

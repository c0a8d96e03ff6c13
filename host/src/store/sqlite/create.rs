use super::{SqliteStore, sql};
use crate::job::{Job, NewJob};
use crate::store::create::{Creation, Inserted, NewRow, ROUNDS_MAX};
use crate::store::recording::to_json;
use crate::store::{Created, Notice, StoreError, row};
use sqlx::{Connection, SqliteConnection};

/// An input has a megabyte at most, a statement's text a thousand.
const ROWS_A_STATEMENT: usize = 100;

impl SqliteStore {
    /// Creates a job inside the caller's own transaction: it is there once that commits, and never was if
    /// that does not. A `&mut Transaction<'_, Sqlite>` will do. Runners of this process find the job at
    /// their next look.
    ///
    /// # Errors
    /// As [`JobStore::create`](crate::store::JobStore::create).
    pub async fn create_in(
        &self,
        transaction: &mut SqliteConnection,
        job: NewJob,
    ) -> Result<Created, StoreError> {
        let mut created = self.create_many_in(transaction, vec![job]).await?;
        created.pop().ok_or_else(|| StoreError::Internal("a created job is missing".into()))
    }

    /// Creates many jobs inside the caller's own transaction; see [`SqliteStore::create_in`].
    ///
    /// # Errors
    /// As [`SqliteStore::create_in`].
    pub async fn create_many_in(
        &self,
        transaction: &mut SqliteConnection,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<Created>, StoreError> {
        create(transaction, Creation::new(jobs)?).await
    }

    pub(super) async fn create_on_pool(&self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError> {
        let creation = Creation::new(jobs)?;
        let mut transaction = self.begin().await?;
        let created = create(&mut transaction, creation).await?;
        transaction.commit().await?;
        if created.iter().any(|created| created.is_new) {
            self.tell(Notice::Due);
        }
        Ok(created)
    }
}

pub(super) async fn create(
    connection: &mut SqliteConnection,
    mut creation: Creation,
) -> Result<Vec<Created>, StoreError> {
    // All or none, also inside a transaction that goes on after an error.
    let mut savepoint = connection.begin().await?;
    let mut inserted = Vec::new();
    if creation.is_plain() {
        for rows in creation.rows.chunks(ROWS_A_STATEMENT) {
            let rows: Vec<PlainRow> = rows.iter().map(PlainRow::from).collect();
            let query = sqlx::query(sql::CREATE_PLAIN).bind(to_json(&rows));
            let found = query.fetch_all(&mut *savepoint).await?;
            inserted.extend(found.iter().map(row::inserted).collect::<Result<Vec<_>, _>>()?);
        }
        creation.inserted(inserted);
    }
    for _ in 0..ROUNDS_MAX {
        for place in creation.open() {
            let row = creation.rows[place].clone();
            match insert(&mut savepoint, &row).await? {
                Some(job) => creation.inserted(vec![job]),
                None => creation.held(place, holder(&mut savepoint, &row).await?),
            }
        }
    }
    savepoint.commit().await?;
    creation.finish()
}

/// A new job without a key, as JSON.
#[derive(serde::Serialize)]
struct PlainRow<'r> {
    id: &'r str,
    execution_id: Option<&'r str>,
    step_id: Option<&'r str>,
    handler: &'r str,
    input: &'r str,
    delay_ms: i64,
    at_ms: Option<i64>,
    priority: i16,
    max_attempts: u32,
    retry: Option<&'r str>,
    heartbeat_timeout_ms: Option<i64>,
    pinned_version: Option<&'r str>,
}

impl<'r> From<&'r NewRow> for PlainRow<'r> {
    fn from(row: &'r NewRow) -> Self {
        let NewRow { id, job, delay_ms, at_ms, retry, heartbeat_timeout_ms, .. } = row;
        PlainRow {
            id,
            execution_id: job.execution_id.as_deref(),
            step_id: job.step_id.as_deref(),
            handler: &job.handler,
            input: job.input.as_str(),
            delay_ms: *delay_ms,
            at_ms: *at_ms,
            priority: job.priority,
            max_attempts: job.max_attempts,
            retry: retry.as_deref(),
            heartbeat_timeout_ms: *heartbeat_timeout_ms,
            pinned_version: job.pinned_version.as_deref(),
        }
    }
}

/// The new job, or nothing when its key is taken.
async fn insert(connection: &mut SqliteConnection, row: &NewRow) -> Result<Option<Inserted>, StoreError> {
    if let Some(unique_ms) = row.unique_ms {
        let take = sqlx::query(sql::TAKE_PERIOD)
            .bind(&row.job.handler)
            .bind(&row.unique_key)
            .bind(&row.id)
            .bind(unique_ms);
        if take.fetch_all(&mut *connection).await?.is_empty() {
            return Ok(None);
        }
    }
    let inserted = sqlx::query(sql::CREATE)
        .bind(&row.id)
        .bind(&row.job.execution_id)
        .bind(&row.job.step_id)
        .bind(&row.job.handler)
        .bind(row.job.input.as_str())
        .bind(row.delay_ms)
        .bind(row.at_ms)
        .bind(row.job.priority)
        .bind(row.job.max_attempts)
        .bind(row.unique_ms.is_none().then_some(row.unique_key.as_deref()).flatten())
        .bind(&row.retry)
        .bind(row.heartbeat_timeout_ms)
        .bind(&row.job.pinned_version)
        .fetch_all(connection)
        .await?;
    inserted.first().map(row::inserted).transpose()
}

pub(super) async fn holder(
    connection: &mut SqliteConnection,
    row: &NewRow,
) -> Result<Option<Job>, StoreError> {
    let query =
        sqlx::query(sql::HOLDER).bind(&row.job.handler).bind(&row.unique_key).bind(row.unique_ms.is_some());
    query.fetch_optional(connection).await?.map(|found| row::job(&found)).transpose()
}

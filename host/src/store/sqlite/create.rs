use super::{SqliteStore, sql};
use crate::job::{Job, NewJob};
use crate::store::create::{Creation, NewRow, ROUNDS_MAX};
use crate::store::{Created, Notice, StoreError, row};
use sqlx::{Connection, SqliteConnection};

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

/// The new job, or nothing when its key is taken.
async fn insert(connection: &mut SqliteConnection, row: &NewRow) -> Result<Option<Job>, StoreError> {
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
    inserted.first().map(row::job).transpose()
}

pub(super) async fn holder(
    connection: &mut SqliteConnection,
    row: &NewRow,
) -> Result<Option<Job>, StoreError> {
    let query =
        sqlx::query(sql::HOLDER).bind(&row.job.handler).bind(&row.unique_key).bind(row.unique_ms.is_some());
    query.fetch_optional(connection).await?.map(|found| row::job(&found)).transpose()
}

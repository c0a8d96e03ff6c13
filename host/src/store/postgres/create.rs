use super::{PgStore, sql, within_deadline};
use crate::job::NewJob;
use crate::store::create::{Creation, NewRow, ROUNDS_MAX};
use crate::store::{Created, StoreError, row};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Row};
use std::collections::HashMap;

impl PgStore {
    /// Creates a job inside the caller's own transaction: it is there once that commits, and never was if
    /// that does not. A `&mut Transaction<'_, Postgres>` will do.
    ///
    /// # Errors
    /// As [`JobStore::create`](crate::store::JobStore::create). After an error Postgres refuses further
    /// statements of the transaction.
    pub async fn create_in(
        &self,
        transaction: &mut PgConnection,
        job: NewJob,
    ) -> Result<Created, StoreError> {
        let mut created = self.create_many_in(transaction, vec![job]).await?;
        created.pop().ok_or_else(|| StoreError::Internal("a created job is missing".into()))
    }

    /// Creates many jobs inside the caller's own transaction; see [`PgStore::create_in`].
    ///
    /// # Errors
    /// As [`PgStore::create_in`].
    pub async fn create_many_in(
        &self,
        transaction: &mut PgConnection,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<Created>, StoreError> {
        within_deadline(create(transaction, Creation::new(jobs)?)).await
    }

    pub(super) async fn create_on_pool(&self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError> {
        let creation = Creation::new(jobs)?;
        within_deadline(async {
            let mut connection = self.pool.acquire().await?;
            if creation.is_one_statement() {
                return create(&mut connection, creation).await;
            }
            let mut transaction = connection.begin().await?;
            let created = create(&mut transaction, creation).await?;
            transaction.commit().await?;
            Ok(created)
        })
        .await
    }
}

pub(super) async fn create(
    connection: &mut PgConnection,
    mut creation: Creation,
) -> Result<Vec<Created>, StoreError> {
    if creation.is_plain() && !creation.rows.is_empty() {
        let rows: Vec<&NewRow> = creation.rows.iter().collect();
        let found = insert_plain(&rows).fetch_all(&mut *connection).await?;
        return plainly_inserted(creation, &found);
    }
    for _ in 0..ROUNDS_MAX {
        let open = creation.open();
        if open.is_empty() {
            break;
        }
        let rows: Vec<&NewRow> = open.iter().map(|place| &creation.rows[*place]).collect();
        let inserted = insert(&rows).fetch_all(&mut *connection).await?;
        creation.inserted(inserted.iter().map(row::inserted).collect::<Result<_, _>>()?);
        find_holders(connection, &mut creation).await?;
    }
    creation.finish()
}

/// Finds who holds the keys of the rows that have no job yet.
pub(super) async fn find_holders(
    connection: &mut PgConnection,
    creation: &mut Creation,
) -> Result<(), StoreError> {
    let open = creation.open();
    if open.is_empty() {
        return Ok(());
    }
    let rows: Vec<&NewRow> = open.iter().map(|place| &creation.rows[*place]).collect();
    let holders = holders(&rows).fetch_all(connection).await?;
    for (place, holder) in open.into_iter().zip(holders) {
        let is_held = holder.try_get::<Option<&str>, _>("id")?.is_some();
        creation.held(place, is_held.then(|| row::job(&holder)).transpose()?);
    }
    Ok(())
}

fn column<'a, T>(rows: &[&'a NewRow], pick: impl Fn(&'a NewRow) -> T) -> Vec<T> {
    rows.iter().map(|row| pick(row)).collect()
}

fn insert(rows: &[&NewRow]) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql::CREATE)
        .bind(column(rows, |row| row.id.clone()))
        .bind(column(rows, |row| row.job.execution_id.clone()))
        .bind(column(rows, |row| row.job.step_id.clone()))
        .bind(column(rows, |row| row.job.handler.clone()))
        .bind(column(rows, |row| row.job.input.to_string()))
        .bind(column(rows, |row| row.delay_ms))
        .bind(column(rows, |row| row.at_ms))
        .bind(column(rows, |row| i32::from(row.job.priority)))
        .bind(column(rows, |row| row.job.max_attempts as i32))
        .bind(column(rows, |row| row.unique_key.clone()))
        .bind(column(rows, |row| row.unique_ms))
        .bind(column(rows, |row| row.retry.clone()))
        .bind(column(rows, |row| row.heartbeat_timeout_ms))
        .bind(column(rows, |row| row.job.pinned_version.clone()))
}

fn insert_plain<'q>(rows: &[&'q NewRow]) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql::CREATE_PLAIN)
        .bind(column(rows, |row| row.id.as_str()))
        .bind(column(rows, |row| row.job.execution_id.as_deref()))
        .bind(column(rows, |row| row.job.step_id.as_deref()))
        .bind(column(rows, |row| row.job.handler.as_str()))
        .bind(column(rows, |row| row.job.input.as_str()))
        .bind(column(rows, |row| row.delay_ms))
        .bind(column(rows, |row| row.at_ms))
        .bind(column(rows, |row| i32::from(row.job.priority)))
        .bind(column(rows, |row| row.job.max_attempts as i32))
        .bind(column(rows, |row| row.retry.as_deref()))
        .bind(column(rows, |row| row.heartbeat_timeout_ms))
        .bind(column(rows, |row| row.job.pinned_version.as_deref()))
}

/// All of them are there, pending but for those that are named.
fn plainly_inserted(creation: Creation, found: &[PgRow]) -> Result<Vec<Created>, StoreError> {
    let Some(first) = found.first() else { return creation.finish() };
    let created_at = first.try_get("created_at")?;
    let mut others = HashMap::new();
    for row in found {
        if let Some(id) = row.try_get::<Option<&str>, _>("id")? {
            let status: &str = row.try_get("status")?;
            others.insert(id, status.parse().map_err(StoreError::Internal)?);
        }
    }
    Ok(creation.all_inserted(created_at, &others))
}

fn holders(rows: &[&NewRow]) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql::HOLDERS)
        .bind(column(rows, |row| row.job.handler.clone()))
        .bind(column(rows, |row| row.unique_key.clone()))
        .bind(column(rows, |row| row.unique_ms.is_some()))
}

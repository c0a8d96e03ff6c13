use super::{PgStore, sql, within_deadline};
use crate::job::{Job, JsonText, Lease};
use crate::store::execution::check_context;
use crate::store::row::{self, Columns};
use crate::store::{ContextFault, Execution, ExecutionStore, StoreError};
use async_trait::async_trait;
use sqlx::{Postgres, Row, Transaction};

#[async_trait]
impl ExecutionStore for PgStore {
    async fn execution(&self, id: &str) -> Result<Option<Execution>, StoreError> {
        let query = sqlx::query(sql::EXECUTION).bind(id);
        self.call(query.fetch_optional(&self.pool)).await?.map(|found| row::execution(&found)).transpose()
    }

    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError> {
        self.rows(sqlx::query(sql::BY_EXECUTION).bind(execution_id)).await?.iter().map(row::job).collect()
    }

    async fn cancel_execution(&self, id: &str) -> Result<bool, StoreError> {
        within_deadline(async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query(sql::LOCK_JOBS_OF_EXECUTION).bind(id).execute(&mut *transaction).await?;
            let done = sqlx::query(sql::CANCEL_EXECUTION).bind(id).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

/// What guests do with their execution's context.
impl PgStore {
    pub(super) async fn read_context(
        &self,
        statement: &'static str,
        lease: &Lease,
        key: Option<&str>,
    ) -> Result<Option<JsonText>, ContextFault> {
        let query = super::guest::leased(statement, lease);
        let query = if let Some(key) = key { query.bind(key) } else { query };
        let found = self.call(query.fetch_optional(&self.pool)).await?.ok_or(StoreError::LeaseLost)?;
        if found.text_maybe("execution_id")?.is_none() {
            return Err(ContextFault::NoExecution);
        }
        Ok(found.text_maybe("value")?.map(JsonText::from_store))
    }

    pub(super) async fn write_context(
        &self,
        lease: &Lease,
        key: &str,
        value: Option<&JsonText>,
    ) -> Result<(), ContextFault> {
        within_deadline(async {
            let mut transaction = self.pool.begin().await?;
            let execution = lock_lease(&mut transaction, lease).await?;
            let Some(value) = value else {
                let delete = sqlx::query(sql::DELETE_CONTEXT).bind(execution).bind(key);
                delete.execute(&mut *transaction).await?;
                return Ok(transaction.commit().await?);
            };
            let set = sqlx::query(sql::SET_CONTEXT).bind(execution).bind(key).bind(value.as_str());
            let size = set.fetch_one(&mut *transaction).await?;
            check_context(size.int("bytes")? as usize, size.int("keys")? as usize)?;
            Ok(transaction.commit().await?)
        })
        .await
    }
}

/// The execution of the job that the lease names.
async fn lock_lease(
    transaction: &mut Transaction<'_, Postgres>,
    lease: &Lease,
) -> Result<String, ContextFault> {
    let query = super::guest::leased(sql::LOCK_LEASE, lease);
    let found = query.fetch_optional(&mut **transaction).await?.ok_or(StoreError::LeaseLost)?;
    found.try_get::<Option<String>, _>("execution_id")?.ok_or(ContextFault::NoExecution)
}

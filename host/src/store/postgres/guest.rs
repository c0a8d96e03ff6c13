use super::{PgStore, sql};
use crate::job::{JsonText, Lease, Progress};
use crate::store::recording::to_json;
use crate::store::row;
use crate::store::{ContextFault, GuestStore, StoreError};
use async_trait::async_trait;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

#[async_trait]
impl GuestStore for PgStore {
    async fn save_checkpoint(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), StoreError> {
        self.fenced(leased(sql::SAVE_CHECKPOINT, lease).bind(key).bind(value.as_str())).await
    }

    async fn delete_checkpoint(&self, lease: &Lease, key: &str) -> Result<(), StoreError> {
        self.fenced(leased(sql::DELETE_CHECKPOINT, lease).bind(key)).await
    }

    async fn clear_checkpoints(&self, lease: &Lease) -> Result<(), StoreError> {
        self.fenced(leased(sql::CLEAR_CHECKPOINTS, lease)).await
    }

    async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), StoreError> {
        self.fenced(leased(sql::PROGRESS, lease).bind(to_json(progress))).await
    }

    async fn context_value(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, ContextFault> {
        self.read_context(sql::CONTEXT_VALUE, lease, Some(key)).await
    }

    async fn context_keys(&self, lease: &Lease) -> Result<Vec<String>, ContextFault> {
        row::keys(self.read_context(sql::CONTEXT_KEYS, lease, None).await?)
    }

    async fn set_context(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), ContextFault> {
        self.write_context(lease, key, Some(value)).await
    }

    async fn delete_context(&self, lease: &Lease, key: &str) -> Result<(), ContextFault> {
        self.write_context(lease, key, None).await
    }
}

/// A statement whose first two parameters are the lease.
pub(super) fn leased(statement: &'static str, lease: &Lease) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(statement).bind(lease.job_id.clone()).bind(lease.instance_id.clone())
}

impl PgStore {
    async fn fenced(&self, query: Query<'_, Postgres, PgArguments>) -> Result<(), StoreError> {
        let done = self.call(query.execute(&self.pool)).await?;
        if done.rows_affected() == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
    }
}

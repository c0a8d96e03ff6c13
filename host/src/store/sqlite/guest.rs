use super::{SqliteStore, sql};
use crate::job::{JsonText, Lease, Progress};
use crate::store::recording::to_json;
use crate::store::{ContextFault, GuestStore, StoreError};
use async_trait::async_trait;
use sqlx::Row;
use std::collections::BTreeMap;

type Checkpoint = BTreeMap<String, JsonText>;

#[async_trait]
impl GuestStore for SqliteStore {
    async fn save_checkpoint(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), StoreError> {
        self.change_checkpoint(lease, |checkpoint| {
            checkpoint.insert(key.to_owned(), value.clone());
        })
        .await
    }

    async fn delete_checkpoint(&self, lease: &Lease, key: &str) -> Result<(), StoreError> {
        self.change_checkpoint(lease, |checkpoint| {
            checkpoint.remove(key);
        })
        .await
    }

    async fn clear_checkpoints(&self, lease: &Lease) -> Result<(), StoreError> {
        self.change_checkpoint(lease, BTreeMap::clear).await
    }

    async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), StoreError> {
        let query =
            sqlx::query(sql::PROGRESS).bind(&lease.job_id).bind(&lease.instance_id).bind(to_json(progress));
        let done = query.execute(&self.writer).await?;
        if done.rows_affected() == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
    }

    async fn context_value(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, ContextFault> {
        Ok(self.read_context(lease).await?.remove(key))
    }

    async fn context_keys(&self, lease: &Lease) -> Result<Vec<String>, ContextFault> {
        Ok(self.read_context(lease).await?.into_keys().collect())
    }

    async fn set_context(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), ContextFault> {
        self.change_context(lease, |context| {
            context.insert(key.to_owned(), value.clone());
        })
        .await
    }

    async fn delete_context(&self, lease: &Lease, key: &str) -> Result<(), ContextFault> {
        self.change_context(lease, |context| {
            context.remove(key);
        })
        .await
    }
}

impl SqliteStore {
    /// Reads and writes in one transaction that holds the write lock. SQLite's own JSON functions
    /// would do it in one statement, but read large numbers as doubles and odd keys as paths.
    async fn change_checkpoint(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut Checkpoint) + Send,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let query = sqlx::query(sql::CHECKPOINT).bind(&lease.job_id).bind(&lease.instance_id);
        let found = query.fetch_optional(&mut *transaction).await?.ok_or(StoreError::LeaseLost)?;
        let text: Option<String> = found.try_get("checkpoint")?;
        // What others wrote there and is no object counts as empty.
        let mut checkpoint: Checkpoint =
            text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        change(&mut checkpoint);
        let text = (!checkpoint.is_empty()).then(|| to_json(&checkpoint));
        let query = sqlx::query(sql::SET_CHECKPOINT).bind(&lease.job_id).bind(&lease.instance_id).bind(text);
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

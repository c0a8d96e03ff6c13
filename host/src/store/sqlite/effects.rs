use super::create::{create, holder};
use super::{SqliteStore, sql};
use crate::job::{JsonText, Keep, Lease, NewJob};
use crate::store::create::{Creation, ROUNDS_MAX};
use crate::store::effect::{taken, undecided};
use crate::store::row::Columns;
use crate::store::{Created, EffectFault, EffectStore, Notice, StoreError};
use async_trait::async_trait;
use sqlx::SqliteConnection;

#[async_trait]
impl EffectStore for SqliteStore {
    async fn create_child(
        &self,
        lease: &Lease,
        job: NewJob,
        pending_max: u32,
    ) -> Result<Created, EffectFault> {
        job.check().map_err(StoreError::from)?;
        let mut transaction = self.begin().await?;
        let parent = sqlx::query(sql::LEASED_PARENT).bind(&lease.job_id).bind(&lease.instance_id);
        let parent = parent.fetch_optional(&mut *transaction).await?.ok_or(StoreError::LeaseLost)?;
        let child = NewJob { execution_id: parent.text_maybe("execution_id")?, step_id: None, ..job };
        let created = create_where_room_is(&mut transaction, child, pending_max).await?;
        transaction.commit().await?;
        if created.is_new {
            self.tell(Notice::Due);
        }
        Ok(created)
    }

    async fn look_up_idempotency(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, EffectFault> {
        let query =
            sqlx::query(sql::LOOK_UP_IDEMPOTENCY).bind(&lease.job_id).bind(&lease.instance_id).bind(key);
        let found = query.fetch_optional(&self.readers).await?.ok_or(StoreError::LeaseLost)?;
        Ok(found.text_maybe("value")?.map(JsonText::from_store))
    }

    async fn record_idempotency(
        &self,
        lease: &Lease,
        key: &str,
        value: &JsonText,
        keep: Keep,
    ) -> Result<(), EffectFault> {
        for _ in 0..ROUNDS_MAX {
            let query = sqlx::query(sql::RECORD_IDEMPOTENCY)
                .bind(&lease.job_id)
                .bind(&lease.instance_id)
                .bind(key)
                .bind(value.as_str())
                .bind(keep.ms());
            // All rows, so that the statement comes to its end, which commits it.
            if !query.fetch_all(&self.writer).await?.is_empty() {
                return Ok(());
            }
            let found = self.look_up_idempotency(lease, key).await?;
            if let Some(answer) = taken(key, value, found.as_ref()) {
                return answer;
            }
        }
        Err(undecided())
    }
}

/// A handler that has its fill gets no new job, but one that is there already may be found.
async fn create_where_room_is(
    connection: &mut SqliteConnection,
    child: NewJob,
    pending_max: u32,
) -> Result<Created, EffectFault> {
    let handler = child.handler.clone();
    let creation = Creation::new(vec![child])?;
    let count = sqlx::query(sql::COUNT_PENDING).bind(&handler).bind(pending_max);
    let pending = count.fetch_one(&mut *connection).await?.int("pending")?;
    if pending < i64::from(pending_max) {
        return Ok(create(connection, creation).await?.remove(0));
    }
    let found = holder(connection, &creation.rows[0]).await?;
    let found = found.map(|job| Created { job, is_new: false });
    found.ok_or(EffectFault::QueueFull { handler, max: pending_max })
}

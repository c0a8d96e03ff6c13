use super::create::{create, find_holders};
use super::guest::leased;
use super::{PgStore, sql, within_deadline};
use crate::job::{JsonText, Keep, Lease, NewJob};
use crate::store::create::{Creation, ROUNDS_MAX};
use crate::store::effect::{taken, undecided};
use crate::store::row::Columns;
use crate::store::{Created, EffectFault, EffectStore, StoreError};
use async_trait::async_trait;
use sqlx::{PgConnection, Row};

#[async_trait]
impl EffectStore for PgStore {
    async fn create_child(
        &self,
        lease: &Lease,
        job: NewJob,
        pending_max: u32,
    ) -> Result<Created, EffectFault> {
        job.check().map_err(StoreError::from)?;
        within_deadline(async {
            let mut transaction = self.pool.begin().await?;
            let parent = leased(sql::LOCK_LEASE, lease).fetch_optional(&mut *transaction).await?;
            let execution_id = parent.ok_or(StoreError::LeaseLost)?.text_maybe("execution_id")?;
            let child = NewJob { execution_id, step_id: None, ..job };
            let created = create_where_room_is(&mut transaction, child, pending_max).await?;
            transaction.commit().await?;
            Ok(created)
        })
        .await
    }

    async fn look_up_idempotency(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, EffectFault> {
        let query = leased(sql::LOOK_UP_IDEMPOTENCY, lease).bind(key);
        let found = self.call(query.fetch_optional(&self.pool)).await?.ok_or(StoreError::LeaseLost)?;
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
            let query = leased(sql::RECORD_IDEMPOTENCY, lease).bind(key).bind(value.as_str()).bind(keep.ms());
            let answer = self.call(query.fetch_optional(&self.pool)).await?.ok_or(StoreError::LeaseLost)?;
            if answer.try_get("recorded")? {
                return Ok(());
            }
            // The statement itself cannot see what it waited for.
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
    connection: &mut PgConnection,
    child: NewJob,
    pending_max: u32,
) -> Result<Created, EffectFault> {
    let handler = child.handler.clone();
    let mut creation = Creation::new(vec![child])?;
    let count = sqlx::query(sql::COUNT_PENDING).bind(&handler).bind(i64::from(pending_max));
    let pending = count.fetch_one(&mut *connection).await?.int("pending")?;
    if pending < i64::from(pending_max) {
        return Ok(create(connection, creation).await?.remove(0));
    }
    find_holders(connection, &mut creation).await?;
    if creation.open().is_empty() {
        return Ok(creation.finish()?.remove(0));
    }
    Err(EffectFault::QueueFull { handler, max: pending_max })
}

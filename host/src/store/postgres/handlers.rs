//! Handlers in the database. What a change does is in [`change`]; here are its steps as statements.

use super::{PgStore, sql, within, within_deadline};
use crate::job::JsonText;
use crate::store::create::ROUNDS_MAX;
use crate::store::handler::change::{self, Change, Held};
use crate::store::handler::rules::{self, Entry};
use crate::store::row::{self, Columns};
use crate::store::{
    Activation, AuditRow, HandlerFault, HandlerRow, HandlerStore, NewVersion, Pushed, StoreError, VersionRow,
};
use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use std::time::Duration;

/// Components may be large and lines slow: a call that carries one may take so long.
const COMPONENT_TIMEOUT: Duration = Duration::from_secs(300);

#[async_trait]
impl HandlerStore for PgStore {
    async fn push_version(
        &self,
        new: &NewVersion,
        activation: Option<Activation>,
        actor: &str,
    ) -> Result<Pushed, HandlerFault> {
        rules::check(new)?;
        let push = async { change::push(self.change().await?, new, activation, actor).await };
        within(COMPONENT_TIMEOUT, push).await
    }

    async fn activate(
        &self,
        handler: &str,
        version: &str,
        activation: Activation,
        actor: &str,
    ) -> Result<(), HandlerFault> {
        within_deadline(async {
            change::activate(self.change().await?, handler, version, activation, actor).await
        })
        .await
    }

    async fn roll_back(&self, handler: &str, actor: &str) -> Result<String, HandlerFault> {
        within_deadline(async { change::roll_back(self.change().await?, handler, actor).await }).await
    }

    async fn promote_canary(&self, handler: &str, actor: &str) -> Result<String, HandlerFault> {
        within_deadline(async { change::promote(self.change().await?, handler, actor).await }).await
    }

    async fn abort_canary(&self, handler: &str, actor: &str) -> Result<String, HandlerFault> {
        within_deadline(async { change::abort(self.change().await?, handler, actor).await }).await
    }

    async fn set_handler_paused(
        &self,
        handler: &str,
        paused: bool,
        actor: &str,
    ) -> Result<bool, HandlerFault> {
        within_deadline(async { change::set_paused(self.change().await?, handler, paused, actor).await })
            .await
    }

    async fn remove_version(&self, handler: &str, version: &str, actor: &str) -> Result<(), HandlerFault> {
        within_deadline(async { change::remove_version(self.change().await?, handler, version, actor).await })
            .await
    }

    async fn remove_handler(
        &self,
        handler: &str,
        even_with_jobs: bool,
        actor: &str,
    ) -> Result<(), HandlerFault> {
        within_deadline(async {
            change::remove_handler(self.change().await?, handler, even_with_jobs, actor).await
        })
        .await
    }

    async fn handler_rows(&self) -> Result<Vec<HandlerRow>, StoreError> {
        self.rows(sqlx::query(sql::HANDLER_ROWS)).await?.iter().map(row::handler).collect()
    }

    async fn versions(&self, handler: &str) -> Result<Vec<VersionRow>, StoreError> {
        self.rows(sqlx::query(sql::VERSIONS).bind(handler)).await?.iter().map(row::version).collect()
    }

    async fn version(&self, handler: &str, version: &str) -> Result<Option<VersionRow>, StoreError> {
        let rows = self.rows(sqlx::query(sql::VERSION).bind(handler).bind(version)).await?;
        rows.first().map(row::version).transpose()
    }

    async fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query_scalar(sql::COMPONENT).bind(digest);
        within(COMPONENT_TIMEOUT, async { Ok(query.fetch_optional(&self.pool).await?) }).await
    }

    async fn audit(&self, handler: Option<&str>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let query = sqlx::query(sql::AUDIT).bind(handler).bind(i64::from(limit));
        self.rows(query).await?.iter().map(row::audit).collect()
    }
}

impl PgStore {
    async fn change(&self) -> Result<PgChange, StoreError> {
        Ok(PgChange { transaction: self.pool.begin().await? })
    }
}

struct PgChange {
    transaction: Transaction<'static, Postgres>,
}

impl PgChange {
    /// Whoever removes the component, which another handler may have had too, either waits for this
    /// transaction or is waited for.
    async fn keep_component(&mut self, new: &NewVersion) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let hold = sqlx::query(sql::HOLD_COMPONENT).bind(&new.digest);
            if hold.fetch_optional(&mut *self.transaction).await?.is_some() {
                return Ok(());
            }
            let insert = sqlx::query(sql::INSERT_COMPONENT).bind(&new.digest).bind(&new.component);
            if insert.execute(&mut *self.transaction).await?.rows_affected() > 0 {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(format!("the component {} comes and goes", new.digest)))
    }
}

#[async_trait]
impl Change for PgChange {
    async fn hold(&mut self, handler: &str) -> Result<Option<Held>, StoreError> {
        let query = sqlx::query(sql::LOCK_HANDLER).bind(handler);
        let Some(found) = query.fetch_optional(&mut *self.transaction).await? else { return Ok(None) };
        Ok(Some(Held { row: row::handler(&found)?, last_number: found.int("last_number")? }))
    }

    async fn create(&mut self, handler: &str, actor: &str) -> Result<(), StoreError> {
        let query = sqlx::query(sql::CREATE_HANDLER).bind(handler).bind(actor);
        Ok(query.execute(&mut *self.transaction).await.map(drop)?)
    }

    async fn set(&mut self, held: &Held, activated: Option<&str>, actor: &str) -> Result<(), StoreError> {
        let Held { row, last_number } = held;
        if let Some(version) = activated {
            let query = sqlx::query(sql::MARK_ACTIVE).bind(&row.name).bind(version);
            query.execute(&mut *self.transaction).await?;
        }
        let query = sqlx::query(sql::SET_HANDLER)
            .bind(&row.name)
            .bind(&row.active)
            .bind(row.canary.as_ref().map(|(version, _)| version))
            .bind(row.canary.as_ref().map(|(_, percent)| i16::from(*percent)))
            .bind(row.paused)
            .bind(last_number)
            .bind(actor);
        Ok(query.execute(&mut *self.transaction).await.map(drop)?)
    }

    async fn delete(&mut self, handler: &str, version: Option<&str>) -> Result<(), StoreError> {
        let digests = sqlx::query_scalar::<_, String>(sql::DIGESTS).bind(handler).bind(version);
        let digests = digests.fetch_all(&mut *self.transaction).await?;
        let delete = match version {
            Some(version) => sqlx::query(sql::DELETE_VERSION).bind(handler).bind(version),
            None => sqlx::query(sql::DELETE_HANDLER).bind(handler),
        };
        delete.execute(&mut *self.transaction).await?;
        for digest in digests {
            sqlx::query(sql::LOCK_COMPONENT).bind(&digest).execute(&mut *self.transaction).await?;
            sqlx::query(sql::DELETE_COMPONENT).bind(&digest).execute(&mut *self.transaction).await?;
        }
        Ok(())
    }

    async fn version(&mut self, handler: &str, version: &str) -> Result<Option<VersionRow>, StoreError> {
        let query = sqlx::query(sql::VERSION).bind(handler).bind(version);
        query.fetch_optional(&mut *self.transaction).await?.map(|found| row::version(&found)).transpose()
    }

    async fn same_version(&mut self, new: &NewVersion) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar(sql::SAME_VERSION)
            .bind(&new.handler)
            .bind(&new.digest)
            .bind(&new.manifest)
            .bind(new.schemas.as_ref().map(JsonText::as_str));
        Ok(query.fetch_optional(&mut *self.transaction).await?)
    }

    async fn older_version(&mut self, handler: &str, version: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar(sql::OLDER_VERSION).bind(handler).bind(version);
        Ok(query.fetch_optional(&mut *self.transaction).await?)
    }

    async fn insert_version(
        &mut self,
        new: &NewVersion,
        version: &str,
        number: i64,
        actor: &str,
    ) -> Result<(), StoreError> {
        self.keep_component(new).await?;
        let query = sqlx::query(sql::INSERT_VERSION)
            .bind(&new.handler)
            .bind(version)
            .bind(number)
            .bind(&new.digest)
            .bind(&new.manifest)
            .bind(new.metadata.as_ref().map(JsonText::as_str))
            .bind(new.schemas.as_ref().map(JsonText::as_str))
            .bind(&new.signature)
            .bind(&new.source)
            .bind(actor);
        Ok(query.execute(&mut *self.transaction).await.map(drop)?)
    }

    async fn count_jobs(
        &mut self,
        handler: &str,
        version: Option<&str>,
        max: u32,
    ) -> Result<u64, StoreError> {
        let max = i64::from(max);
        let query = match version {
            Some(version) => sqlx::query(sql::COUNT_PINNED).bind(handler).bind(version).bind(max),
            None => sqlx::query(sql::COUNT_OPEN).bind(handler).bind(max),
        };
        Ok(query.fetch_one(&mut *self.transaction).await?.int("jobs")? as u64)
    }

    async fn audit(&mut self, handler: &str, entry: &Entry, actor: &str) -> Result<(), StoreError> {
        let query = sqlx::query(sql::INSERT_AUDIT)
            .bind(handler)
            .bind(&entry.version)
            .bind(entry.action)
            .bind(actor)
            .bind(&entry.detail);
        Ok(query.execute(&mut *self.transaction).await.map(drop)?)
    }

    async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

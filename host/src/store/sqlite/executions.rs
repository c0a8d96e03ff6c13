use super::{SqliteStore, sql};
use crate::job::{Job, JsonText, Lease, Status};
use crate::store::execution::check_context;
use crate::store::recording::to_json;
use crate::store::row::{self, Columns};
use crate::store::{ContextFault, Execution, ExecutionStore, Notice, StoreError};
use async_trait::async_trait;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;

/// SQLite's own JSON functions read large numbers as doubles and odd keys as paths, so contexts are
/// changed here, inside a transaction that holds the write lock.
pub(super) type Context = BTreeMap<String, JsonText>;

#[async_trait]
impl ExecutionStore for SqliteStore {
    async fn execution(&self, id: &str) -> Result<Option<Execution>, StoreError> {
        let found = sqlx::query(sql::EXECUTION).bind(id).fetch_optional(&self.readers).await?;
        found.map(|found| row::execution(&found)).transpose()
    }

    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError> {
        let query = sqlx::query(sql::BY_EXECUTION).bind(execution_id);
        query.fetch_all(&self.readers).await?.iter().map(row::job).collect()
    }

    async fn cancel_execution(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(sql::CANCEL_EXECUTION).bind(id).execute(&self.writer).await?;
        self.tell(Notice::Changed);
        Ok(done.rows_affected() > 0)
    }
}

/// What guests do with their execution's context.
impl SqliteStore {
    pub(super) async fn read_context(&self, lease: &Lease) -> Result<Context, ContextFault> {
        let mut connection = self.readers.acquire().await?;
        leased_context(&mut connection, lease).await.map(|(_, context)| context)
    }

    pub(super) async fn change_context(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut Context) + Send,
    ) -> Result<(), ContextFault> {
        let mut transaction = self.begin().await?;
        let (execution, mut context) = leased_context(&mut transaction, lease).await?;
        let before = to_json(&context).len();
        change(&mut context);
        let text = to_json(&context);
        // One that is too large already, by its engine's doing, may shrink.
        if text.len() > before {
            check_context(text.len(), context.len())?;
        }
        let set = sqlx::query(sql::SET_CONTEXT).bind(execution).bind(text);
        set.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

async fn leased_context(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<(String, Context), ContextFault> {
    let query = sqlx::query(sql::LEASED_CONTEXT).bind(&lease.job_id).bind(&lease.instance_id);
    let found = query.fetch_optional(connection).await?.ok_or(StoreError::LeaseLost)?;
    let execution = found.text_maybe("execution_id")?.ok_or(ContextFault::NoExecution)?;
    Ok((execution, parse(found.text_maybe("context")?)))
}

/// What its engine wrote there and is no object counts as empty.
fn parse(context: Option<String>) -> Context {
    context.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// How a job ended, for the execution that waits for its step.
pub(super) struct End<'a> {
    pub(super) job_id: &'a str,
    pub(super) execution_id: Option<String>,
    pub(super) step_id: Option<String>,
    pub(super) status: Status,
    pub(super) result: Option<String>,
    pub(super) error: Option<String>,
}

/// The execution goes on with the job's result, or fails with it, if it waits for its step.
pub(super) async fn tell_execution(
    connection: &mut SqliteConnection,
    end: End<'_>,
) -> Result<(), StoreError> {
    let (Some(execution), Some(step)) = (end.execution_id, end.step_id) else { return Ok(()) };
    match end.status {
        Status::Completed => {
            let waiting = sqlx::query(sql::WAITING_CONTEXT).bind(&execution).bind(&step);
            let Some(found) = waiting.fetch_optional(&mut *connection).await? else { return Ok(()) };
            let mut context = parse(found.try_get("context")?);
            context.insert(step, JsonText::from_store(end.result.unwrap_or_else(|| "null".into())));
            let wake = sqlx::query(sql::WAKE_EXECUTION).bind(execution).bind(to_json(&context));
            wake.execute(connection).await?;
        }
        Status::Failed => {
            let fail = sqlx::query(sql::FAIL_EXECUTION)
                .bind(execution)
                .bind(step)
                .bind(end.job_id)
                .bind(end.error.unwrap_or_else(|| "{}".into()));
            fail.execute(connection).await?;
        }
        Status::Pending | Status::Running | Status::Cancelled => {}
    }
    Ok(())
}

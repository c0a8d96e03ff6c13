use super::StoreError;
use crate::job::{Job, JobError, JsonText};
use async_trait::async_trait;

/// The bytes of all keys and values of one execution's context, FlowMonkey's limit.
pub const CONTEXT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// How many keys a context has, FlowMonkey's limit.
pub const CONTEXT_KEYS_MAX: usize = 500;

/// A workflow instance, as far as jobs are concerned: one row of `fm_executions`. Its engine owns it.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// Which workflow.
    pub flow_id: String,
    /// pending, running, waiting, cancelling, cancelled, completed or failed.
    pub status: String,
    /// The step it is at.
    pub current_step: Option<String>,
    /// An object of step or key to value.
    pub context: JsonText,
    /// When its engine looks at it again, in milliseconds since 1970.
    pub wake_at: Option<i64>,
    /// Why it failed.
    pub error: Option<JobError>,
}

/// What operators do with executions. Jobs that end write to theirs by themselves, in
/// [`record`](super::LeaseStore::record).
#[async_trait]
pub trait ExecutionStore: Send + Sync + 'static {
    /// The execution with this id.
    async fn execution(&self, id: &str) -> Result<Option<Execution>, StoreError>;

    /// The jobs of an execution, oldest first.
    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError>;

    /// Cancels an execution that has not ended, and all its jobs with it. Returns whether it did.
    async fn cancel_execution(&self, id: &str) -> Result<bool, StoreError>;
}

/// Why an attempt cannot use its execution's context.
#[derive(Debug, thiserror::Error)]
pub enum ContextFault {
    /// The job belongs to no execution.
    #[error("the job belongs to no execution")]
    NoExecution,
    /// The context would be too large.
    #[error("{0}")]
    LimitExceeded(String),
    /// As for every call.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ContextFault {
    fn from(error: sqlx::Error) -> Self {
        ContextFault::Store(error.into())
    }
}

/// Whether a context of this size may be stored.
pub(crate) fn check_context(bytes: usize, keys: usize) -> Result<(), ContextFault> {
    let fault = |what: String| Err(ContextFault::LimitExceeded(format!("the context would have {what}")));
    if keys > CONTEXT_KEYS_MAX {
        return fault(format!("{keys} keys, over the limit of {CONTEXT_KEYS_MAX}"));
    }
    if bytes > CONTEXT_BYTES_MAX {
        return fault(format!("{bytes} bytes, over the limit of {CONTEXT_BYTES_MAX}"));
    }
    Ok(())
}

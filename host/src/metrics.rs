//! How many jobs there are, for dashboards and alarms.

use crate::store::{HandlerStats, SharedStore, StoreError};

/// FlowMonkey's `JobMetrics`, without counting whole tables: each number stops at
/// [`STATS_COUNT_MAX`](crate::store::STATS_COUNT_MAX) a handler.
#[derive(Clone)]
pub struct JobMetrics {
    store: SharedStore,
}

/// The numbers of all handlers together.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Pending and due.
    pub due: u64,
    /// Pending and due later.
    pub later: u64,
    /// Pending until they are resumed.
    pub waiting: u64,
    /// Under a lease.
    pub running: u64,
    /// Completed within the last hour.
    pub completed: u64,
    /// Failed within the last hour.
    pub failed: u64,
    /// Cancelled within the last hour.
    pub cancelled: u64,
    /// How long the job that is first in line has been due, in milliseconds: how far the runners are behind.
    pub oldest_due_ms: Option<i64>,
}

impl JobMetrics {
    /// Metrics of this store.
    pub fn new(store: SharedStore) -> Self {
        JobMetrics { store }
    }

    /// The numbers of all handlers together.
    ///
    /// # Errors
    /// As every call of a store.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(sum(&self.stats_by_handler().await?))
    }

    /// The numbers of each handler that has jobs, by name.
    ///
    /// # Errors
    /// As every call of a store.
    pub async fn stats_by_handler(&self) -> Result<Vec<HandlerStats>, StoreError> {
        self.store.stats().await
    }
}

/// Adds up the numbers of handlers.
pub fn sum(handlers: &[HandlerStats]) -> Stats {
    handlers.iter().fold(Stats::default(), |sum, one| Stats {
        due: sum.due + one.due,
        later: sum.later + one.later,
        waiting: sum.waiting + one.waiting,
        running: sum.running + one.running,
        completed: sum.completed + one.completed,
        failed: sum.failed + one.failed,
        cancelled: sum.cancelled + one.cancelled,
        oldest_due_ms: sum.oldest_due_ms.max(one.oldest_due_ms),
    })
}

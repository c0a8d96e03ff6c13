//! What holds a race open: a rival transaction on Postgres, and a way to know that a call waits for it.

use flowmonkey_jobs::store::SharedStore;
use flowmonkey_tests::database::Fixture;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Where every wait of these tests ends, so that a fault shows as a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Changes one row, and leaves it to the caller when the transaction ends.
pub(crate) async fn hold(rival: &mut PgConnection, statement: &str, id: &str) {
    let sql = AssertSqlSafe(format!("{statement} where id = '{id}'"));
    assert_eq!(sqlx::raw_sql(sql).execute(rival).await.unwrap().rows_affected(), 1);
}

/// Locks one job.
pub(crate) async fn lock(rival: &mut PgConnection, id: &str) {
    let sql = "select id from fm_jobs where id = $1 for update";
    sqlx::query(sql).bind(id).fetch_one(rival).await.unwrap();
}

/// Returns once a statement of the store waits for a lock.
pub(crate) async fn blocked(pool: &PgPool) {
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let waiting = async {
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("nothing waits for a lock");
}

/// Begins a call of the store that will have to wait.
pub(crate) fn start<T, F>(f: &Fixture, call: impl FnOnce(SharedStore) -> F) -> JoinHandle<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    tokio::spawn(call(Arc::clone(&f.store)))
}

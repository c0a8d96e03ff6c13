//! What every store must do, case by case, on Postgres and on SQLite.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// Makes each case run as `postgres::case` and as `sqlite::case`, on a database of its own.
macro_rules! on_both_stores {
    ($($case:ident),* $(,)?) => {
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(flowmonkey_tests::database::Fixture::postgres().await).await;
                }
            )*
        }
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(flowmonkey_tests::database::Fixture::sqlite().await).await;
                }
            )*
        }
    };
}

/// For cases about what only Postgres can show: `on_postgres::case`.
macro_rules! on_postgres {
    ($($case:ident),* $(,)?) => {
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(flowmonkey_tests::database::Fixture::postgres().await).await;
                }
            )*
        }
    };
}

/// For cases about what only SQLite can show: `on_sqlite::case`.
macro_rules! on_sqlite {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(flowmonkey_tests::database::Fixture::sqlite().await).await;
                }
            )*
        }
    };
}

mod given;
mod hold;

mod bulk;
mod bulk_retry;
mod cancel_retry;
mod checkpoint;
mod children;
mod claim;
mod concurrent;
mod connect;
mod context;
mod create;
mod enqueue_sql;
mod execution_cancel;
mod execution_end;
mod executions;
mod fence;
mod fleet;
mod flowmonkey;
mod flowmonkey_client;
mod forget;
mod handler_removal;
mod handler_rivals;
mod handler_turns;
mod handlers;
mod heartbeat;
mod history;
mod idempotency;
mod lifecycle;
mod list;
mod notices;
mod pauses;
mod pins;
mod places;
mod plan;
mod promise;
mod purge;
mod reap;
mod record;
mod resume;
mod rivals;
mod runners;
mod schedules;
mod schema;
mod snapshot;
mod stats;
mod transaction;
mod unique;
mod upgrade;
mod upgrade_handlers;
mod wait;

//! A database that has no handlers yet, with jobs that are under way, comes to have them.

use crate::given::{claim, json, record, request};
use crate::handlers::{ACTOR, handler, push, version};
use flowmonkey_jobs::job::{Lease, Transition};
use flowmonkey_jobs::store::{Activation, NewVersion, PgStore, Recorded, SqliteStore};
use flowmonkey_tests::database::{Database, Fixture, PgDatabase, SqliteDatabase};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::sync::Arc;
use std::time::Duration;

macro_rules! migrations {
    ($engine:literal) => {
        [
            ("jobs", include_str!(concat!("../../migrations/", $engine, "/0001_jobs.sql"))),
            ("life", include_str!(concat!("../../migrations/", $engine, "/0002_life.sql"))),
            ("idempotency", include_str!(concat!("../../migrations/", $engine, "/0003_idempotency.sql"))),
        ]
    };
}

const ROWS: &str = r#"
    insert into fm_jobs (id, handler, input, status, attempts, instance_id, heartbeat_at, unique_key)
    values ('due', 'email-send', '1', 'pending', 0, null, null, 'k'),
        ('running', 'email-send', '1', 'running', 1, 'i-running', 4000000000000, null);
    update fm_jobs set run_at = 1000;
    insert into fm_runners (id, handlers) values ('r', '["email-send"]');
    insert into fm_schedules (name, cron, handler, input) values ('nightly', '0 0 * * *', 'email-send', '1');
    insert into fm_idempotency (handler, key, value, job_id, created_at) values ('email-send', 'k', '1', 'x', 1)"#;

fn third(texts: [(&'static str, &'static str); 3]) -> Migrator {
    let migrations = texts.into_iter().zip(1..).map(|((name, text), version)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

async fn live_on(f: Fixture) {
    let job = f.store.get("due").await.unwrap().unwrap();
    assert_eq!((job.pinned_version, job.unique_key.as_deref()), (None, Some("k")));
    let runners = f.store.runners(Duration::MAX).await.unwrap();
    assert_eq!((runners.len(), runners[0].versions.as_slice()), (1, [].as_slice()));
    let lease = Lease { job_id: "running".into(), instance_id: "i-running".into() };
    assert_eq!(record(&f, &lease, Transition::Complete(Some(json("7")))).await, Recorded::Written);
    assert!(f.store.schedule("nightly").await.unwrap().is_some());
    let new = NewVersion { handler: "email-send".into(), ..version(None, "a") };
    push(&f, new, Some(Activation::All)).await;
    assert_eq!(handler(&f).await.active.as_deref(), Some("1"));
    f.store.set_handler_paused("email-send", true, ACTOR).await.unwrap();
    assert!(f.store.claim(&request(10)).await.unwrap().jobs.is_empty());
    f.store.set_handler_paused("email-send", false, ACTOR).await.unwrap();
    let claimed = claim(&f, 10).await;
    assert_eq!((claimed.len(), claimed[0].lease.job_id.as_str()), (1, "due"));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_jobs_live_on() {
    let database = PgDatabase::empty().await;
    third(migrations!("postgres")).run(&database.pool).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&database.pool).await.unwrap();
    let timed = "select fm_enqueue('timed', '{}', null, 1000, 0, 3, 'k', 60000, null, null)";
    sqlx::query(timed).execute(&database.pool).await.unwrap();
    let store = Arc::new(PgStore::migrate(&database.url).await.unwrap());
    // Programs go on calling it as they did.
    let call = "select fm_enqueue('later', '{}', null, 1000, 0, 3, 'k', null, null, null)";
    sqlx::query(call).execute(&database.pool).await.unwrap();
    let f = Fixture { store, database: Database::Postgres(database) };
    // A key that was held for a time before goes with its job as well.
    assert_eq!(f.number("select count(*) from fm_unique_periods").await, 1);
    f.execute("delete from fm_jobs where handler = 'timed'").await;
    assert_eq!(f.number("select count(*) from fm_unique_periods").await, 0);
    live_on(f).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_jobs_live_on() {
    let database = SqliteDatabase::empty().await;
    let options = SqliteConnectOptions::new().filename(&database.path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    third(migrations!("sqlite")).run(&pool).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&pool).await.unwrap();
    pool.close().await;
    let store = Arc::new(SqliteStore::open_existing(&database.path).await.unwrap());
    live_on(Fixture { store, database: Database::Sqlite(database) }).await;
}

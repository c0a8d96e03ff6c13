//! A database of the first version, with jobs in every state, comes to the newest.

use crate::given::{STALLED, claim, json, record, request, value};
use flowmonkey_jobs::job::{Job, Lease, NewJob, Status, Transition, Waiting};
use flowmonkey_jobs::store::{
    Changed, LeaseState, ListFilter, PgStore, Recorded, SharedStore, SqliteStore, StoreError,
};
use flowmonkey_tests::database::{Database, Fixture, PgDatabase, SqliteDatabase};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The first migrations, which no later version may change: their checksums are in every database.
const POSTGRES: &str = include_str!("../../migrations/postgres/0001_jobs.sql");
const SQLITE: &str = include_str!("../../migrations/sqlite/0001_jobs.sql");

/// The columns of the first version.
const COLUMNS: [&str; 22] = [
    "id",
    "execution_id",
    "step_id",
    "handler",
    "status",
    "input",
    "result",
    "error",
    "runner_id",
    "heartbeat_at",
    "heartbeat_ms",
    "attempts",
    "max_attempts",
    "created_at",
    "updated_at",
    "instance_id",
    "checkpoint",
    "progress",
    "priority",
    "run_at",
    "waiting",
    "history",
];

/// One row a state. `NOW` is when they are written.
const ROWS: &str = r#"
    insert into fm_executions (id, flow_id, flow_version, current_step, status, context)
    values ('e', 'signup', '1', 'send', 'waiting', '{"kept": 1}');
    insert into fm_jobs (id, execution_id, step_id, handler, status, input, result, error, runner_id,
        heartbeat_at, attempts, max_attempts, created_at, updated_at, instance_id, checkpoint, progress,
        priority, run_at, waiting, history)
    values
        ('due', 'e', 'send', 'email-send', 'pending', '{"n": 12345678901234567890}', null, null, null,
            null, 0, 3, 1000, 1000, null, null, null, 0, 1000, null, '[]'),
        ('again', null, null, 'email-send', 'pending', '1', null,
            '{"code": "X", "message": "m"}', 'r', 1500, 1, 3, 1001, 1500, 'i-again', '{"page": 7}',
            '{"percent": 50.0}', 0, 1500, null,
            '[{"attempt": 1, "instance_id": "i-again", "runner_id": "r", "outcome": "retried",
            "error": {"code": "X", "message": "m"}, "at": 1500}]'),
        ('later', null, null, 'email-send', 'pending', '1', null, null, null, null, 0, 3, 1002, 1002,
            null, null, null, 5, NOW + 3600000, null, '[]'),
        ('signal', null, null, 'email-send', 'pending', '1', null, null, 'r', 1600, 0, 3, 1003, 1600,
            'i-signal', null, null, 0, null, '{"signal": "paid", "reason": "why"}',
            '[{"attempt": 1, "instance_id": "i-signal", "runner_id": "r", "outcome": "waiting",
            "at": 1600}]'),
        ('exhausted', null, null, 'email-send', 'pending', '1', null, null, null, null, 3, 3, 1004, 1004,
            null, null, null, 0, 1004, null, '[]'),
        ('running', null, null, 'email-send', 'running', '1', null, null, 'r', NOW, 1, 3, 1005, NOW,
            'i-running', null, null, 0, 1005, null, '[]'),
        ('silent', null, null, 'email-send', 'running', '1', null, null, 'r', 2000, 1, 3, 1006, 2000,
            'i-silent', '{"page": 1}', null, 9, 1006, null, '[]'),
        ('completed', null, null, 'email-send', 'completed', '1', '[1.50]', null, 'r', 2000, 1, 3, 1007,
            3000, 'i-completed', null, null, 0, 1007, null,
            '[{"attempt": 1, "instance_id": "i-completed", "runner_id": "r", "outcome": "completed",
            "at": 3000}]'),
        ('failed', null, null, 'email-send', 'failed', '1', null, '{"code": "X", "message": "m"}', 'r',
            2000, 3, 3, 1008, 3000, 'i-failed', null, null, 0, 1008, null, '[]'),
        ('cancelled', null, null, 'email-send', 'cancelled', '1', null, null, null, null, 0, 3, 1009,
            3000, null, null, null, 0, 1009, null, '[]');
    insert into fm_runners (id, handlers) values ('r', '["email-send"]');"#;

fn first(text: &'static str) -> Migrator {
    let migration = Migration::new(1, "jobs".into(), MigrationType::Simple, text.into_sql_str(), false);
    Migrator::with_migrations(vec![migration])
}

/// Every job by its id, each column as text.
async fn rows(database: &Database) -> BTreeMap<String, Vec<Option<String>>> {
    let columns: Vec<_> = COLUMNS.iter().map(|column| format!("cast({column} as text)")).collect();
    let sql = AssertSqlSafe(format!("select {} from fm_jobs", columns.join(", ")));
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    match database {
        Database::Postgres(database) => {
            // Not prepared: a migration changes what the columns are.
            let rows_now = sqlx::query(sql).persistent(false);
            for row in rows_now.fetch_all(&database.pool).await.unwrap() {
                rows.push((0..COLUMNS.len()).map(|at| row.get(at)).collect());
            }
        }
        Database::Sqlite(database) => {
            for row in sqlx::query(sql).fetch_all(&database.pool).await.unwrap() {
                rows.push((0..COLUMNS.len()).map(|at| row.get(at)).collect());
            }
        }
    }
    rows.into_iter().map(|row| (row[0].clone().unwrap(), row)).collect()
}

/// Writes the rows of the first version, brings the database to the newest, and compares.
async fn upgraded(database: Database) -> Fixture {
    match &database {
        Database::Postgres(database) => {
            first(POSTGRES).run(&database.pool).await.unwrap();
            let now: i64 = sqlx::query_scalar("select fm_now_ms()").fetch_one(&database.pool).await.unwrap();
            let rows = AssertSqlSafe(ROWS.replace("NOW", &now.to_string()));
            sqlx::raw_sql(rows).execute(&database.pool).await.unwrap();
        }
        Database::Sqlite(database) => {
            let options = SqliteConnectOptions::new().filename(&database.path).create_if_missing(true);
            let pool = SqlitePool::connect_with(options).await.unwrap();
            first(SQLITE).run(&pool).await.unwrap();
            let now: i64 = sqlx::query_scalar("select now from fm_clock").fetch_one(&pool).await.unwrap();
            let rows = AssertSqlSafe(ROWS.replace("NOW", &now.to_string()));
            sqlx::raw_sql(rows).execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
    let before = rows(&database).await;
    assert_eq!(before.len(), 10);
    let store: SharedStore = match &database {
        Database::Postgres(database) => Arc::new(PgStore::migrate(&database.url).await.unwrap()),
        Database::Sqlite(database) => Arc::new(SqliteStore::open_existing(&database.path).await.unwrap()),
    };
    assert_eq!(rows(&database).await, before);
    Fixture { store, database }
}

mod postgres {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn its_jobs_live_on() {
        live_on(upgraded(Database::Postgres(PgDatabase::empty().await)).await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_has_the_schema_of_a_new_one() {
        let f = upgraded(Database::Postgres(PgDatabase::empty().await)).await;
        assert_eq!(
            crate::snapshot::schema(&f).await,
            crate::snapshot::schema(&Fixture::postgres().await).await
        );
    }

    /// How many columns compare by their bytes.
    const BYTEWISE: &str = "select count(*) from information_schema.columns
        where table_name like 'fm\\_%' and collation_name = 'C'";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_view_of_somebodys_is_in_the_way_of_nothing() {
        let database = PgDatabase::empty().await;
        first(POSTGRES).run(&database.pool).await.unwrap();
        sqlx::query("create view mine as select id, status from fm_jobs")
            .execute(&database.pool)
            .await
            .unwrap();
        let f = upgraded(Database::Postgres(database)).await;
        assert_eq!(f.number(BYTEWISE).await, 0);
        assert_eq!(f.number("select count(*) from mine").await, 10);
        live_on(f).await;
    }

    /// A runner of before has prepared statements, which Postgres refuses when their answers have another collation.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_connected_goes_on() {
        let f = Fixture::postgres().await;
        let Database::Postgres(database) = &f.database else { unreachable!() };
        let before: SharedStore = Arc::new(database.store().await);
        f.execute(
            "alter table fm_jobs alter column id type text collate \"default\",
                alter column handler type text collate \"default\"",
        )
        .await;
        f.execute("delete from _sqlx_migrations where version = 7").await;
        f.execute("update _sqlx_migrations set installed_on = installed_on - interval '1 hour'").await;
        let lease = create_and_claim(&before).await.unwrap();

        PgStore::migrate(&database.url).await.unwrap().close().await;
        assert_eq!(f.number(BYTEWISE).await, 8);
        // What was under way on a connection that ended is repeated, as when the database was away.
        let mut refused = Vec::new();
        while let Err(error) = create_and_claim(&before).await {
            assert!(
                matches!(error, StoreError::Unavailable(_)) && refused.len() < 10,
                "{error} after {refused:?}"
            );
            refused.push(error);
        }
        assert_eq!(before.heartbeat(&[lease]).await.unwrap(), [LeaseState::Held]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_waits_long_behind_a_migration_that_waits() {
        let f = Fixture::postgres().await;
        let Database::Postgres(database) = &f.database else { unreachable!() };
        f.execute("delete from _sqlx_migrations where version = 7").await;
        let mut open = database.pool.begin().await.unwrap();
        sqlx::query("select from fm_jobs").execute(&mut *open).await.unwrap();
        let refused = PgStore::migrate(&database.url).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Schema(why) if why.contains("end it")), "{refused}");
        open.commit().await.unwrap();
        PgStore::migrate(&database.url).await.unwrap();
    }

    /// A rebuild may last longer than jobs may be silent. What the migration waits for here counts like its own work.
    #[tokio::test(flavor = "multi_thread")]
    async fn no_job_is_stalled_by_a_migration_that_takes_long() {
        let f = Fixture::postgres().await;
        let Database::Postgres(database) = &f.database else { unreachable!() };
        let lease = create_and_claim(&f.store).await.unwrap();
        f.execute("update fm_jobs set heartbeat_at = 1").await;
        let beat = "select heartbeat_at from fm_jobs";
        f.execute("delete from _sqlx_migrations where version = 7").await;
        PgStore::migrate(&database.url).await.unwrap();
        assert_eq!(f.number(beat).await, 1, "a short one leaves it to the runner");

        f.execute("delete from _sqlx_migrations where version = 7").await;
        let mut open = database.pool.begin().await.unwrap();
        let before: i64 =
            sqlx::query_scalar("select fm_now_ms() from fm_jobs").fetch_one(&mut *open).await.unwrap();
        let url = database.url.clone();
        let migrated = tokio::spawn(async move { PgStore::migrate(&url).await.map(drop) });
        let waits = "select count(*) from pg_locks where not granted and relation = 'fm_jobs'::regclass";
        while f.number(waits).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sqlx::query("select pg_sleep(11)").execute(&mut *open).await.unwrap();
        open.commit().await.unwrap();
        migrated.await.unwrap().unwrap();
        assert!(f.number(beat).await > before);
        assert_eq!(f.store.heartbeat(&[lease]).await.unwrap(), [LeaseState::Held]);
    }

    async fn create_and_claim(store: &SharedStore) -> Result<Lease, StoreError> {
        store.create(NewJob::new("email-send", json("1"))).await?;
        let mut claimed = store.claim(&request(1)).await?.jobs;
        Ok(claimed.pop().expect("a job").lease)
    }
}

mod sqlite {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn its_jobs_live_on() {
        live_on(upgraded(Database::Sqlite(SqliteDatabase::empty().await)).await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_has_the_schema_of_a_new_one() {
        let f = upgraded(Database::Sqlite(SqliteDatabase::empty().await)).await;
        assert_eq!(
            crate::snapshot::schema(&f).await,
            crate::snapshot::schema(&Fixture::sqlite().await).await
        );
    }
}

async fn get(f: &Fixture, id: &str) -> Job {
    f.store.get(id).await.unwrap().unwrap()
}

async fn live_on(f: Fixture) {
    every_job_can_be_read(&f).await;
    // The runner of the first version beats and records as before.
    let lease = |id: &str| Lease { job_id: id.into(), instance_id: format!("i-{id}") };
    let beats = f.store.heartbeat(&[lease("running"), lease("failed")]).await.unwrap();
    assert_eq!(beats, [LeaseState::Held, LeaseState::Lost]);
    let end = Transition::Complete(Some(json("7")));
    assert_eq!(record(&f, &lease("running"), end).await, Recorded::Written);
    assert_eq!(get(&f, "running").await.result, Some(json("7")));
    // What it wrote twice counts as written.
    let end = Transition::Complete(None);
    assert_eq!(record(&f, &lease("completed"), end).await, Recorded::Written);

    let reaped = f.store.reap(STALLED, 10).await.unwrap();
    // One of them had no attempt left, though it was pending.
    let mut reaped: Vec<_> = reaped.iter().map(|one| (one.lease.job_id.as_str(), one.status)).collect();
    reaped.sort_by_key(|(id, _)| *id);
    assert_eq!(reaped, [("exhausted", Status::Failed), ("silent", Status::Pending)]);
    assert_eq!(f.store.resume("signal", Some(&json("5"))).await.unwrap(), Changed::Yes);
    for id in ["failed", "cancelled"] {
        assert_eq!(f.store.retry(id).await.unwrap(), Changed::Yes);
    }
    f.execute("update fm_jobs set run_at = 2000 where id in ('signal', 'failed', 'cancelled')").await;
    let claimed = claim(&f, 100).await;
    let ids: Vec<_> = claimed.iter().map(|job| job.lease.job_id.as_str()).collect();
    assert_eq!(ids, ["due", "again", "cancelled", "failed", "signal", "silent"]);
    let attempts: Vec<_> = claimed.iter().map(|job| job.attempt).collect();
    assert_eq!(attempts, [1, 2, 1, 1, 1, 2]);
    assert_eq!(claimed[0].input.as_str(), "{\"n\": 12345678901234567890}");
    assert_eq!(value(claimed[1].checkpoint.as_ref().unwrap())["page"], 7);
    assert_eq!(claimed[4].resumed_with, Some(json("5")));
    assert_eq!(record(&f, &claimed[0].lease, Transition::Complete(None)).await, Recorded::Written);
    let execution = f.store.execution("e").await.unwrap().unwrap();
    assert_eq!(value(&execution.context), value(&json("{\"kept\": 1, \"send\": null}")));
    assert!(f.store.claim(&request(10)).await.unwrap().jobs.is_empty());
}

async fn every_job_can_be_read(f: &Fixture) {
    let jobs = f.store.list(&ListFilter::default()).await.unwrap();
    assert_eq!(jobs.len(), 10);
    for job in &jobs {
        let new = (job.waits, &job.resumed_with, &job.retry, job.heartbeat_timeout_ms, &job.unique_key);
        assert_eq!(new, (0, &None, &None, None, &None), "{}", job.id);
        assert_eq!(job.schedule, None);
    }
    let waiting = Waiting { signal: Some("paid".into()), reason: Some("why".into()) };
    assert_eq!(get(f, "signal").await.waiting, Some(waiting));
    assert_eq!(get(f, "completed").await.result, Some(json("[1.50]")));
    assert_eq!(get(f, "failed").await.error.unwrap().code, "X");
    assert_eq!(get(f, "again").await.history[0].outcome, "retried");
    assert_eq!(get(f, "running").await.status, Status::Running);
    assert_eq!(get(f, "later").await.priority, 5);
}

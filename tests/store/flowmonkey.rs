//! A database that FlowMonkey's own package made, with its rows, comes to us.

use crate::given::{STALLED, places, record};
use flowmonkey_jobs::job::{Status, Transition};
use flowmonkey_jobs::store::{ClaimRequest, JobStore, ListFilter, PgStore, Recorded};
use flowmonkey_tests::database::{Database, Fixture, PgDatabase};
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::time::Duration;

/// The columns of the current package.
const EXECUTIONS: &str = "
    create table fm_executions (
        id text primary key, flow_id text not null, flow_version text not null, current_step text not null,
        status text not null check (status in
            ('pending', 'running', 'waiting', 'cancelling', 'cancelled', 'completed', 'failed')),
        context jsonb not null default '{}', wake_at bigint, wait_reason text, error jsonb,
        step_count integer not null default 0, history jsonb, tenant_id text, metadata jsonb,
        created_at bigint not null, updated_at bigint not null, idempotency_key text,
        idempotency_expires_at bigint, cancellation jsonb, parent_execution_id text,
        wait_started_at bigint, timeout_config jsonb);
    insert into fm_executions (id, flow_id, flow_version, current_step, status, created_at, updated_at)
    values ('e1', 'signup', '1.0.0', 'send', 'waiting', 1, 1);";

const JOBS: &str = "
    create table fm_jobs (
        id text primary key, execution_id text not null, step_id text not null, handler text not null,
        status text not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
        input jsonb not null, result jsonb, error jsonb, runner_id text, heartbeat_at bigint,
        heartbeat_ms integer not null default 30000, attempts integer not null default 0,
        max_attempts integer not null default 3, created_at bigint not null, updated_at bigint not null,
        instance_id text, checkpoint jsonb, progress jsonb,
        constraint fk_job_execution foreign key (execution_id)
            references fm_executions (id) on delete cascade);
    create index idx_fm_jobs_stalled on fm_jobs (heartbeat_at) where status = 'running';";

/// Its first version knew no `cancelled`, no instances, no checkpoints and no progress.
const FIRST_JOBS: &str = "
    create table fm_jobs (
        id text primary key, execution_id text not null, step_id text not null, handler text not null,
        status text not null check (status in ('pending', 'running', 'completed', 'failed')),
        input jsonb not null, result jsonb, error jsonb, runner_id text, heartbeat_at bigint,
        heartbeat_ms integer not null default 30000, attempts integer not null default 0,
        max_attempts integer not null default 3, created_at bigint not null, updated_at bigint not null,
        constraint fk_job_execution foreign key (execution_id)
            references fm_executions (id) on delete cascade);";

/// As the package inserts a job.
const INSERT: &str = "
    insert into fm_jobs (id, execution_id, step_id, handler, status, input, heartbeat_ms, attempts,
        max_attempts, created_at, updated_at)
    values ('new', 'e1', 'send', 'email', 'pending', '{\"to\": \"a\"}', 30000, 0, 3, 5000, 5000)";

const ROWS: &str = "
    insert into fm_jobs (id, execution_id, step_id, handler, status, input, result, error, runner_id,
        heartbeat_at, attempts, created_at, updated_at)
    values
        ('pending', 'e1', 'a', 'email', 'pending', '[1.50]', null, null, null, null, 0, 1000, 1000),
        ('again', 'e1', 'a2', 'email', 'pending', '{}', null, null, 'node-1', 1500, 1, 900, 1500),
        ('running', 'e1', 'b', 'email', 'running', '{}', null, null, 'node-1', 2000, 1, 1000, 2000),
        ('silent', 'e1', 'b2', 'email', 'running', '{}', null, null, 'node-1', null, 1, 1000, 2000),
        ('completed', 'e1', 'c', 'email', 'completed', '{}', '{\"ok\": true}', null, 'node-1', 2, 1, 1, 3),
        ('failed', 'e1', 'd', 'email', 'failed', '{}', null,
            '{\"code\": \"HANDLER_ERROR\", \"message\": \"no\", \"details\": null}', 'node-1', 2, 3, 1, 3);";

async fn fixture(tables: &[&str]) -> Fixture {
    let database = PgDatabase::empty().await;
    for sql in tables {
        sqlx::raw_sql(AssertSqlSafe(*sql)).execute(&database.pool).await.unwrap();
    }
    let store = PgStore::migrate(&database.url).await.unwrap();
    Fixture { store: Arc::new(store), database: Database::Postgres(database) }
}

fn request() -> ClaimRequest {
    ClaimRequest {
        runner_id: "r".into(),
        handlers: vec![places("email")],
        limit: 10,
        heartbeat_interval: Duration::from_secs(10),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_rows_stay_what_they_were() {
    for jobs in [JOBS, FIRST_JOBS] {
        let f = fixture(&[EXECUTIONS, jobs, ROWS]).await;
        let mut rows: Vec<_> = f.store.list(&ListFilter::default()).await.unwrap();
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        let seen: Vec<_> = rows
            .iter()
            .map(|job| (job.id.as_str(), job.status, job.attempts, job.created_at, job.updated_at))
            .collect();
        let expected = [
            ("again", Status::Pending, 1, 900, 1500),
            ("completed", Status::Completed, 1, 1, 3),
            ("failed", Status::Failed, 3, 1, 3),
            ("pending", Status::Pending, 0, 1000, 1000),
            ("running", Status::Running, 1, 1000, 2000),
            ("silent", Status::Running, 1, 1000, 2000),
        ];
        assert_eq!(seen, expected);
        assert!(rows.iter().all(|job| job.execution_id.as_deref() == Some("e1")));
        assert!(rows.iter().all(|job| job.run_at == Some(job.created_at) && job.history.is_empty()));
        assert_eq!(rows[1].result.as_ref().unwrap().as_str(), "{\"ok\": true}");
        assert_eq!(rows[2].error.as_ref().unwrap().code, "HANDLER_ERROR");
        assert_eq!(rows[3].input.as_str(), "[1.50]");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_jobs_run_here() {
    for jobs in [JOBS, FIRST_JOBS] {
        let f = fixture(&[EXECUTIONS, jobs, ROWS]).await;
        let claimed = f.store.claim(&request()).await.unwrap().jobs;
        // Oldest first, as they were created.
        assert_eq!(
            claimed.iter().map(|job| job.lease.job_id.as_str()).collect::<Vec<_>>(),
            ["again", "pending"]
        );
        assert_eq!((claimed[0].attempt, claimed[0].execution_id.as_deref()), (2, Some("e1")));
        assert_eq!(record(&f, &claimed[0].lease, Transition::Complete(None)).await, Recorded::Written);
        f.store.cancel(&claimed[1].lease.job_id).await.unwrap();

        // What its runners left behind is taken over, with or without a heartbeat.
        let mut reaped = f.store.reap(STALLED, 10).await.unwrap();
        reaped.sort_by(|a, b| a.lease.job_id.cmp(&b.lease.job_id));
        assert_eq!(
            reaped.iter().map(|one| one.lease.job_id.as_str()).collect::<Vec<_>>(),
            ["running", "silent"]
        );
        assert_eq!(f.store.claim(&request()).await.unwrap().jobs.len(), 2);
        for id in ["running", "silent"] {
            assert_eq!(f.store.get(id).await.unwrap().unwrap().history[0].outcome, "stalled");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_creating_jobs() {
    for jobs in [Some(JOBS), Some(FIRST_JOBS), None] {
        let f = match jobs {
            Some(jobs) => fixture(&[EXECUTIONS, jobs]).await,
            None => Fixture::postgres().await,
        };
        if jobs.is_none() {
            f.execute("insert into fm_executions (id, flow_id, flow_version) values ('e1', 'f', '1')").await;
        }
        f.execute(INSERT).await;
        let claimed = f.store.claim(&request()).await.unwrap().jobs;
        assert_eq!((claimed.len(), claimed[0].lease.job_id.as_str()), (1, "new"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_their_own_live_beside_its_jobs() {
    for jobs in [JOBS, FIRST_JOBS] {
        let f = fixture(&[EXECUTIONS, jobs, ROWS]).await;
        let job = f.store.create(crate::given::new_job()).await.unwrap().job;
        assert_eq!((job.status, job.execution_id), (Status::Pending, None));
        assert_eq!(f.store.by_execution("e1").await.unwrap().len(), 6);
        f.execute("delete from fm_executions").await;
        assert_eq!(f.number("select count(*) from fm_jobs").await, 1);
    }
}

/// It may have written any JSON there; an object is what a guest gets.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_no_object_counts_as_empty() {
    let f = fixture(&[EXECUTIONS, JOBS, ROWS]).await;
    for odd in ["5", "[1]", "null", "\"text\""] {
        f.set("pending", &format!("checkpoint = '{odd}', status = 'pending', attempts = 0")).await;
        let claimed = f.store.claim(&ClaimRequest { limit: 10, ..request() }).await.unwrap().jobs;
        let lease = &claimed.iter().find(|job| job.lease.job_id == "pending").unwrap().lease;
        f.store.save_checkpoint(lease, "a", &crate::given::json("1")).await.unwrap();
        let job = f.store.get("pending").await.unwrap().unwrap();
        assert_eq!(job.checkpoint.unwrap().as_str(), "{\"a\": 1}", "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_migrated_database_is_found_up_to_date() {
    let f = fixture(&[EXECUTIONS, JOBS, ROWS]).await;
    let Database::Postgres(database) = &f.database else { panic!() };
    let store = PgStore::connect(&database.url, 1).await.unwrap();
    assert_eq!(store.find_stalled(Duration::from_secs(90), 10).await.unwrap().len(), 2);
}

//! The states that cases start from, reached the way programs reach them.

use flowmonkey_jobs::job::{
    ErrorCode, Job, JobError, JsonText, Lease, NewJob, Progress, Status, Transition, Usage,
};
use flowmonkey_jobs::store::{Changed, ClaimRequest, Claimed, HandlerPlaces, PgStore, Recorded, Recording};
use flowmonkey_tests::database::{Database, Fixture};
use serde_json::Value;
use std::time::Duration;

pub(crate) const HANDLER: &str = "email-send";
/// The threshold of every reap here; jobs are made twice as silent, or not at all.
pub(crate) const STALLED: Duration = Duration::from_secs(60);
pub(crate) const USAGE: Usage = Usage { fuel: Some(123), memory_bytes: 65_536, wall_us: 1_500 };

pub(crate) fn json(text: &str) -> JsonText {
    JsonText::parse(text).unwrap()
}

/// For comparing JSON that a database may have spelt anew.
pub(crate) fn value(text: &JsonText) -> Value {
    serde_json::from_str(text.as_str()).unwrap()
}

pub(crate) fn error(code: &str) -> JobError {
    JobError::guest(code.into(), format!("because of {code}"), None)
}

pub(crate) fn progress(percent: f32, message: Option<&str>) -> Progress {
    Progress { percent, message: message.map(str::to_owned) }
}

pub(crate) fn new_job() -> NewJob {
    NewJob::new(HANDLER, json(r#"{"to": "a@example.com"}"#))
}

/// As many places for a handler as the claim takes.
pub(crate) fn places(handler: &str) -> HandlerPlaces {
    HandlerPlaces { handler: handler.into(), places: None, fleet_max: None }
}

pub(crate) fn request(limit: u32) -> ClaimRequest {
    ClaimRequest {
        runner_id: "runner-1".into(),
        handlers: vec![places(HANDLER)],
        limit,
        heartbeat_interval: Duration::from_secs(10),
    }
}

pub(crate) fn retry_at_once(code: &str) -> Transition {
    Transition::Retry { after: Duration::ZERO, error: error(code) }
}

pub(crate) fn recording(lease: &Lease, transition: Transition) -> Recording {
    Recording { lease: lease.clone(), transition, usage: USAGE, progress: None, ran: None, keep: true }
}

pub(crate) async fn pending(f: &Fixture) -> Job {
    f.store.create(new_job()).await.unwrap().job
}

/// Creates so many jobs, due one after the other.
pub(crate) async fn pending_in_order(f: &Fixture, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for at in 1..=count {
        let job = pending(f).await;
        f.set(&job.id, &format!("run_at = {at}")).await;
        ids.push(job.id);
    }
    ids
}

pub(crate) async fn claim(f: &Fixture, limit: u32) -> Vec<Claimed> {
    f.store.claim(&request(limit)).await.unwrap().jobs
}

/// Claims the only job that is due.
pub(crate) async fn claim_one(f: &Fixture) -> Claimed {
    let mut claimed = claim(f, 2).await;
    assert_eq!(claimed.len(), 1, "due jobs");
    claimed.remove(0)
}

/// A job under a lease; there must be no other that is due.
pub(crate) async fn running(f: &Fixture) -> Lease {
    let job = pending(f).await;
    let lease = claim_one(f).await.lease;
    assert_eq!(lease.job_id, job.id);
    lease
}

/// A job in this status, with the fields that status comes with.
pub(crate) async fn in_status(f: &Fixture, status: Status) -> Job {
    let id = match status {
        Status::Pending => pending(f).await.id,
        Status::Running => running(f).await.job_id,
        Status::Cancelled => {
            let id = pending(f).await.id;
            assert_eq!(f.store.cancel(&id).await.unwrap(), Changed::Yes);
            id
        }
        Status::Completed | Status::Failed => {
            let lease = running(f).await;
            let failed = status == Status::Failed;
            let end = if failed { Transition::Fail(error("X")) } else { Transition::Complete(None) };
            assert_eq!(record(f, &lease, end).await, Recorded::Written);
            lease.job_id
        }
    };
    let job = get(f, &id).await;
    assert_eq!(job.status, status);
    job
}

pub(crate) async fn get(f: &Fixture, id: &str) -> Job {
    f.store.get(id).await.unwrap().unwrap()
}

pub(crate) async fn record(f: &Fixture, lease: &Lease, transition: Transition) -> Recorded {
    f.store.record(&[recording(lease, transition)]).await.unwrap()[0]
}

/// Makes the runner of a job look dead.
pub(crate) async fn silence(f: &Fixture, job_id: &str) {
    let ms = 2 * STALLED.as_millis();
    f.set(job_id, &format!("heartbeat_at = heartbeat_at - {ms}")).await;
}

pub(crate) async fn reap_one(f: &Fixture) {
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap().len(), 1);
}

/// How an attempt can lose its lease.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    Cancelled,
    RetriedByOperator,
    Completed,
    Reaped,
    Failed,
    ClaimedAgain,
}

impl Loss {
    pub(crate) const ALL: [Loss; 6] = [
        Loss::Cancelled,
        Loss::RetriedByOperator,
        Loss::Completed,
        Loss::Reaped,
        Loss::Failed,
        Loss::ClaimedAgain,
    ];

    /// Lets it happen to a running job.
    pub(crate) async fn befall(self, f: &Fixture, lease: &Lease) {
        match self {
            Loss::Cancelled => assert_eq!(f.store.cancel(&lease.job_id).await.unwrap(), Changed::Yes),
            Loss::RetriedByOperator => {
                assert_eq!(f.store.cancel(&lease.job_id).await.unwrap(), Changed::Yes);
                assert_eq!(f.store.retry(&lease.job_id).await.unwrap(), Changed::Yes);
            }
            Loss::Completed => {
                let end = Transition::Complete(Some(json("1")));
                assert_eq!(record(f, lease, end).await, Recorded::Written);
            }
            Loss::Reaped => {
                silence(f, &lease.job_id).await;
                reap_one(f).await;
            }
            Loss::Failed => {
                f.set(&lease.job_id, "max_attempts = 1").await;
                silence(f, &lease.job_id).await;
                reap_one(f).await;
                assert_eq!(get(f, &lease.job_id).await.error.unwrap().code, ErrorCode::Stalled.as_str());
            }
            Loss::ClaimedAgain => {
                silence(f, &lease.job_id).await;
                reap_one(f).await;
                assert_eq!(claim_one(f).await.lease.job_id, lease.job_id);
            }
        }
    }
}

/// An execution that waits at a step, with something in its context already.
pub(crate) async fn waiting_execution(f: &Fixture, id: &str, step: &str) {
    let step = step.replace('\'', "''");
    let sql = format!(
        "insert into fm_executions (id, flow_id, flow_version, current_step, status, context)
        values ('{id}', 'f', '1', '{step}', 'waiting', '{{\"kept\": 9007199254740993}}')"
    );
    assert_eq!(f.execute(&sql).await, 1);
}

/// A job that belongs to a step of an execution.
pub(crate) fn job_of(execution: &str, step: &str) -> NewJob {
    NewJob { execution_id: Some(execution.into()), step_id: Some(step.into()), ..new_job() }
}

/// Such a job under a lease; there must be no other that is due.
pub(crate) async fn running_of(f: &Fixture, execution: &str, step: &str) -> Lease {
    let job = f.store.create(job_of(execution, step)).await.unwrap().job;
    let lease = claim_one(f).await.lease;
    assert_eq!(lease.job_id, job.id);
    lease
}

/// All that an execution's engine sees, to tell that nothing changed.
pub(crate) async fn execution_row(f: &Fixture, id: &str) -> String {
    let execution = f.store.execution(id).await.unwrap().unwrap();
    let updated_at = f.number(&format!("select updated_at from fm_executions where id = '{id}'")).await;
    format!("{execution:?} at {updated_at}")
}

/// Writes so many jobs behind the store's back, `job-1` and so on, with further columns and their values,
/// in which `i` is the number.
pub(crate) async fn insert_many(f: &Fixture, count: usize, columns: &str, values: &str) {
    let sql = format!(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < {count})
        insert into fm_jobs (id, handler, input, {columns})
        select 'job-' || i, '{HANDLER}', '1', {values} from n"
    );
    assert_eq!(f.execute(&sql).await, count as u64);
}

/// The store of a Postgres fixture, for what only that one has.
pub(crate) async fn pg_store(f: &Fixture) -> PgStore {
    let Database::Postgres(database) = &f.database else { panic!("this case is about Postgres") };
    database.store().await
}

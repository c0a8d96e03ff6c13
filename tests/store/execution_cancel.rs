//! Executions that are cancelled take their jobs along, whoever cancels them.

use crate::given::{
    claim, claim_one, execution_row, get, job_of, new_job, record, recording, running_of, waiting_execution,
};
use crate::hold::{blocked, hold, lock, start};
use flowmonkey_jobs::job::{HISTORY_ENTRIES_MAX, Job, Lease, Status, Transition, Wake};
use flowmonkey_jobs::store::{Changed, LeaseState, Recorded, StoreError};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    live_jobs_are_cancelled_and_others_stay,
    an_engine_that_cancels_its_execution_cancels_the_jobs,
    an_execution_that_has_ended_is_not_cancelled,
    other_changes_of_an_execution_leave_its_jobs_alone,
    an_outcome_after_that_has_lost_its_lease,
    a_job_that_comes_to_a_cancelled_execution_is_cancelled_as_well,
    a_cancelled_job_of_an_execution_may_be_retried,
    the_history_keeps_its_bound,
}

on_postgres! {
    a_job_that_is_created_beside_a_cancel_does_not_outlive_it,
    a_cancel_that_waits_for_an_outcome_holds_nothing_that_the_outcome_needs,
    a_circle_of_an_outcome_and_an_engine_is_broken_and_leaves_nothing_by_halves,
}

struct Given {
    pending: String,
    waiting: String,
    running: Lease,
    completed: String,
    others: [String; 2],
}

/// An execution with a job in each state, and jobs that are not its own.
async fn given(f: &Fixture) -> Given {
    for id in ["e", "e2"] {
        waiting_execution(f, id, "s").await;
    }
    let completed = running_of(f, "e", "done").await;
    record(f, &completed, Transition::Complete(None)).await;
    let waiting = running_of(f, "e", "s").await;
    let wait = Transition::Wait { until: Wake::Signal("x".into()), reason: None };
    record(f, &waiting, wait).await;
    let running = running_of(f, "e", "s").await;
    let pending = f.store.create(job_of("e", "s")).await.unwrap().job.id;
    let other = f.store.create(job_of("e2", "s")).await.unwrap().job.id;
    let loner = f.store.create(new_job()).await.unwrap().job.id;
    Given { pending, waiting: waiting.job_id, running, completed: completed.job_id, others: [other, loner] }
}

async fn assert_jobs_are_cancelled(f: &Fixture, given: &Given) {
    for id in [&given.pending, &given.waiting] {
        let job = get(f, id).await;
        assert_eq!((job.status, job.waiting), (Status::Cancelled, None));
        assert!(job.history.iter().all(|entry| entry.outcome != "cancelled"), "{:?}", job.history);
    }
    let job: Job = get(f, &given.running.job_id).await;
    assert_eq!((job.status, job.instance_id.as_ref()), (Status::Cancelled, Some(&given.running.instance_id)));
    let [entry] = job.history.as_slice() else { panic!("{:?}", job.history) };
    assert_eq!((entry.outcome.as_str(), entry.attempt, entry.at), ("cancelled", 1, job.updated_at));
    assert_eq!(entry.instance_id, given.running.instance_id);
    assert_eq!(entry.runner_id.as_deref(), Some("runner-1"));
    let beat = f.store.heartbeat(std::slice::from_ref(&given.running)).await.unwrap();
    assert_eq!(beat, [LeaseState::Cancelled]);
}

async fn rows(f: &Fixture, given: &Given) -> Vec<String> {
    let mut rows = vec![execution_row(f, "e2").await];
    for id in given.others.iter().chain([&given.completed]) {
        rows.push(f.row(id).await);
    }
    rows
}

async fn live_jobs_are_cancelled_and_others_stay(f: Fixture) {
    let given = given(&f).await;
    f.execute("update fm_executions set wake_at = 5 where id = 'e'").await;
    let before = rows(&f, &given).await;
    assert!(f.store.cancel_execution("e").await.unwrap());
    assert_jobs_are_cancelled(&f, &given).await;
    let execution = f.store.execution("e").await.unwrap().unwrap();
    assert_eq!((execution.status.as_str(), execution.wake_at), ("cancelled", None));
    assert_eq!(rows(&f, &given).await, before);
    let mut claimed: Vec<_> = claim(&f, 10).await.into_iter().map(|job| job.lease.job_id).collect();
    claimed.sort();
    assert_eq!(claimed, given.others);
}

async fn an_engine_that_cancels_its_execution_cancels_the_jobs(f: Fixture) {
    for status in ["cancelling", "cancelled"] {
        let given = given(&f).await;
        let before = rows(&f, &given).await;
        f.execute(&format!("update fm_executions set status = '{status}' where id = 'e'")).await;
        assert_jobs_are_cancelled(&f, &given).await;
        assert_eq!(rows(&f, &given).await, before);
        f.execute("delete from fm_executions").await;
        f.execute("delete from fm_jobs").await;
    }
}

async fn an_execution_that_has_ended_is_not_cancelled(f: Fixture) {
    for status in ["completed", "failed", "cancelled"] {
        waiting_execution(&f, status, "s").await;
        f.execute(&format!("update fm_executions set status = '{status}' where id = '{status}'")).await;
        let job = f.store.create(job_of(status, "s")).await.unwrap().job;
        let before = (execution_row(&f, status).await, f.row(&job.id).await);
        assert!(!f.store.cancel_execution(status).await.unwrap());
        assert_eq!((execution_row(&f, status).await, f.row(&job.id).await), before);
    }
    for id in ["", "nope", "' or true --"] {
        assert!(!f.store.cancel_execution(id).await.unwrap());
    }
    for status in ["pending", "running", "waiting"] {
        waiting_execution(&f, status, "s").await;
        f.execute(&format!("update fm_executions set status = '{status}' where id = '{status}'")).await;
        assert!(f.store.cancel_execution(status).await.unwrap());
        assert!(!f.store.cancel_execution(status).await.unwrap());
    }
}

async fn other_changes_of_an_execution_leave_its_jobs_alone(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    let before = f.row(&lease.job_id).await;
    for change in ["status = 'running'", "status = 'failed'", "status = 'completed'", "wake_at = 7"] {
        f.execute(&format!("update fm_executions set {change}")).await;
        assert_eq!(f.row(&lease.job_id).await, before, "{change}");
    }
}

async fn an_outcome_after_that_has_lost_its_lease(f: Fixture) {
    for by_engine in [false, true] {
        waiting_execution(&f, "e", "s").await;
        let lease = running_of(&f, "e", "s").await;
        if by_engine {
            f.execute("update fm_executions set status = 'cancelling'").await;
        } else {
            assert!(f.store.cancel_execution("e").await.unwrap());
        }
        let before = (execution_row(&f, "e").await, f.row(&lease.job_id).await);
        assert_eq!(record(&f, &lease, Transition::Complete(None)).await, Recorded::LeaseLost);
        assert_eq!((execution_row(&f, "e").await, f.row(&lease.job_id).await), before);
        f.execute("delete from fm_executions").await;
    }
}

async fn a_cancelled_job_of_an_execution_may_be_retried(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let id = f.store.create(job_of("e", "s")).await.unwrap().job.id;
    f.store.cancel_execution("e").await.unwrap();
    let before = execution_row(&f, "e").await;
    assert_eq!(f.store.retry(&id).await.unwrap(), Changed::Yes);
    let lease = claim_one(&f).await.lease;
    assert_eq!(record(&f, &lease, Transition::Complete(None)).await, Recorded::Written);
    assert_eq!(execution_row(&f, "e").await, before);
}

async fn the_history_keeps_its_bound(f: Fixture) {
    for entries in [HISTORY_ENTRIES_MAX - 1, HISTORY_ENTRIES_MAX] {
        waiting_execution(&f, "e", "s").await;
        let lease = running_of(&f, "e", "s").await;
        let entry = |at| {
            format!("{{\"attempt\": {at}, \"instance_id\": \"i\", \"outcome\": \"retried\", \"at\": 1}}")
        };
        let history: Vec<_> = (1..=entries).map(entry).collect();
        f.set(&lease.job_id, &format!("history = '[{}]'", history.join(", "))).await;
        f.execute("update fm_executions set status = 'cancelling'").await;
        let history = get(&f, &lease.job_id).await.history;
        assert_eq!(history.len(), HISTORY_ENTRIES_MAX as usize);
        assert_eq!(history[0].attempt, entries + 2 - HISTORY_ENTRIES_MAX);
        assert_eq!(history.last().unwrap().outcome, "cancelled");
        f.execute("delete from fm_executions").await;
    }
}

/// Jobs first, then the execution, as an outcome does: so the two never wait for each other in a circle.
async fn a_cancel_that_waits_for_an_outcome_holds_nothing_that_the_outcome_needs(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    let mut rival = f.pg().begin().await.unwrap();
    lock(&mut rival, &lease.job_id).await;
    let cancel = start(&f, |store| async move { store.cancel_execution("e").await });
    blocked(f.pg()).await;
    let free = sqlx::query("select id from fm_executions for update skip locked");
    assert_eq!(free.fetch_all(f.pg()).await.unwrap().len(), 1);
    rival.commit().await.unwrap();
    assert!(cancel.await.unwrap().unwrap());
    let late = f.store.record(&[recording(&lease, Transition::Complete(None))]).await.unwrap();
    assert_eq!(late, [Recorded::LeaseLost]);
}

/// An engine that writes to its execution twice in one transaction locks it before the jobs. Postgres ends
/// one of the two; which, hangs on who waited first.
async fn a_circle_of_an_outcome_and_an_engine_is_broken_and_leaves_nothing_by_halves(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    let mut engine = f.pg().begin().await.unwrap();
    hold(&mut engine, "update fm_executions set step_count = 7", "e").await;
    let ended = recording(&lease, Transition::Complete(None));
    let again = ended.clone();
    let outcome = start(&f, |store| async move { store.record(&[ended]).await });
    blocked(f.pg()).await;
    let cancel = sqlx::query("update fm_executions set status = 'cancelling'");
    let cancelled = cancel.execute(&mut *engine).await;
    let committed = if cancelled.is_ok() { engine.commit().await } else { engine.rollback().await };
    committed.unwrap();
    let outcome = outcome.await.unwrap();
    let job = get(&f, &lease.job_id).await;
    let execution = f.store.execution("e").await.unwrap().unwrap();
    let truth = if cancelled.is_ok() {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        assert_eq!((job.status, execution.status.as_str()), (Status::Cancelled, "cancelling"));
        Recorded::LeaseLost
    } else {
        assert_eq!((job.status, execution.status.as_str()), (Status::Completed, "waiting"));
        assert!(execution.wake_at.is_some());
        Recorded::Written
    };
    // A runner repeats what failed, and hears which it was.
    assert_eq!(f.store.record(&[again]).await.unwrap(), [truth]);
}

async fn a_job_that_comes_to_a_cancelled_execution_is_cancelled_as_well(f: Fixture) {
    for status in ["cancelling", "cancelled"] {
        waiting_execution(&f, "e", "s").await;
        f.execute(&format!("update fm_executions set status = '{status}'")).await;
        let created = f.store.create(job_of("e", "s")).await.unwrap();
        assert_eq!((created.job.status, created.is_new), (Status::Cancelled, true));
        assert!(claim(&f, 10).await.is_empty());
        f.execute("delete from fm_executions").await;
    }
}

/// The job's insert is under way when the cancel comes, and the other way round.
async fn a_job_that_is_created_beside_a_cancel_does_not_outlive_it(f: Fixture) {
    for job_first in [true, false] {
        waiting_execution(&f, "e", "s").await;
        let mut rival = f.pg().begin().await.unwrap();
        let insert = "insert into fm_jobs (id, execution_id, handler, input) values ('j', 'e', 'h', '1')";
        let cancel = "update fm_executions set status = 'cancelled' where id = 'e'";
        let (first, second) = if job_first { (insert, cancel) } else { (cancel, insert) };
        sqlx::query(first).execute(&mut *rival).await.unwrap();
        let pool = f.pg().clone();
        let other = tokio::spawn(async move { sqlx::query(second).execute(&pool).await.unwrap() });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        other.await.unwrap();
        assert_eq!(get(&f, "j").await.status, Status::Cancelled, "job first: {job_first}");
        f.execute("delete from fm_executions").await;
    }
}

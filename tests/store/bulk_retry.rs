//! `retry_many`: what an operator does after an outage.

use crate::given::{
    claim_one, error, execution_row, get, insert_many, record, running_of, waiting_execution,
};
use flowmonkey_jobs::job::{Status, Transition};
use flowmonkey_jobs::store::RetryFilter;
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    failed_jobs_are_retried_when_nothing_else_is_said,
    only_the_status_and_handler_that_were_asked_for,
    what_has_not_failed_or_been_cancelled_is_never_retried,
    retried_jobs_begin_from_the_start,
    of_several_jobs_with_one_key_the_newest_comes_back,
    a_job_whose_key_another_holds_stays_as_it_is,
    keys_of_different_handlers_come_back_together,
    more_jobs_than_one_batch_are_retried,
    executions_that_failed_with_their_jobs_wait_again,
}

on_postgres! {
    rows_that_a_rival_holds_are_left_to_it,
}

/// A row that ended long ago: id, handler, status, unique key.
async fn ended(f: &Fixture, id: &str, handler: &str, status: Status, key: Option<&str>) {
    let key = key.map_or("null".into(), |key| format!("'{key}'"));
    let handler = handler.replace('\'', "''");
    f.execute(&format!(
        "insert into fm_jobs (id, handler, status, input, unique_key, attempts, waits, run_at, created_at,
            updated_at)
        values ('{id}', '{handler}', '{status}', '1', {key}, 3, 2, null, 1, 1)"
    ))
    .await;
}

async fn retry(f: &Fixture, status: Option<Status>, handler: Option<&str>) -> u64 {
    let filter = RetryFilter { status, handler: handler.map(str::to_owned) };
    f.store.retry_many(&filter).await.unwrap()
}

/// The ids of the jobs that are pending, in order.
async fn pending_ids(f: &Fixture) -> Vec<String> {
    let filter = flowmonkey_jobs::store::ListFilter { status: Some(Status::Pending), ..Default::default() };
    let mut ids: Vec<_> = f.store.list(&filter).await.unwrap().into_iter().map(|job| job.id).collect();
    ids.sort();
    ids
}

async fn failed_jobs_are_retried_when_nothing_else_is_said(f: Fixture) {
    assert_eq!(retry(&f, None, None).await, 0);
    ended(&f, "a", "x", Status::Failed, None).await;
    ended(&f, "b", "y'", Status::Failed, Some("k")).await;
    ended(&f, "c", "x", Status::Cancelled, None).await;
    ended(&f, "d", "x", Status::Cancelled, Some("k")).await;
    assert_eq!(retry(&f, None, None).await, 2);
    assert_eq!(pending_ids(&f).await, ["a", "b"]);
    assert_eq!(retry(&f, None, None).await, 0);
}

async fn only_the_status_and_handler_that_were_asked_for(f: Fixture) {
    for (id, handler) in [("a", "x"), ("b", "y'")] {
        ended(&f, &format!("f{id}"), handler, Status::Failed, None).await;
        ended(&f, &format!("c{id}"), handler, Status::Cancelled, None).await;
        ended(&f, &format!("k{id}"), handler, Status::Cancelled, Some("k")).await;
    }
    let before = f.row("fa").await;
    assert_eq!(retry(&f, Some(Status::Cancelled), Some("y'")).await, 2);
    assert_eq!(pending_ids(&f).await, ["cb", "kb"]);
    assert_eq!(retry(&f, Some(Status::Cancelled), Some("unknown")).await, 0);
    assert_eq!(retry(&f, None, Some("y'")).await, 1);
    assert_eq!(pending_ids(&f).await, ["cb", "fb", "kb"]);
    assert_eq!(f.row("fa").await, before);
}

async fn what_has_not_failed_or_been_cancelled_is_never_retried(f: Fixture) {
    for status in [Status::Completed, Status::Running, Status::Pending] {
        for (id, key) in [("a", None), ("b", Some("k"))] {
            let id = format!("{status}-{id}");
            ended(&f, &id, status.as_str(), status, key).await;
            let before = f.row(&id).await;
            assert_eq!(retry(&f, Some(status), None).await, 0, "{status}");
            assert_eq!(f.row(&id).await, before, "{status}");
        }
    }
}

async fn retried_jobs_begin_from_the_start(f: Fixture) {
    for key in [None, Some("k")] {
        ended(&f, "a", crate::given::HANDLER, Status::Failed, key).await;
        f.set("a", "checkpoint = '{\"page\": 7}'").await;
        assert_eq!(retry(&f, None, None).await, 1);
        let job = get(&f, "a").await;
        assert_eq!((job.status, job.attempts, job.waits), (Status::Pending, 0, 0));
        assert_eq!((job.run_at, job.created_at), (Some(job.updated_at), 1));
        let claimed = claim_one(&f).await;
        assert_eq!((claimed.lease.job_id.as_str(), claimed.attempt), ("a", 1));
        assert!(claimed.checkpoint.is_some());
        f.execute("delete from fm_jobs").await;
    }
}

async fn of_several_jobs_with_one_key_the_newest_comes_back(f: Fixture) {
    for (id, updated_at) in [("a", 10), ("b", 30), ("c", 20)] {
        ended(&f, id, "x", Status::Failed, Some("k")).await;
        f.set(id, &format!("updated_at = {updated_at}")).await;
    }
    let before = [f.row("a").await, f.row("c").await];
    assert_eq!(retry(&f, None, None).await, 1);
    assert_eq!(pending_ids(&f).await, ["b"]);
    assert_eq!([f.row("a").await, f.row("c").await], before);
}

async fn a_job_whose_key_another_holds_stays_as_it_is(f: Fixture) {
    ended(&f, "old", "x", Status::Failed, Some("k")).await;
    ended(&f, "free", "x", Status::Failed, Some("other")).await;
    ended(&f, "holder", "x", Status::Running, Some("k")).await;
    let before = (f.row("old").await, f.row("holder").await);
    assert_eq!(retry(&f, None, None).await, 1);
    assert_eq!((f.row("old").await, f.row("holder").await), before);
    assert_eq!(pending_ids(&f).await, ["free"]);
}

async fn keys_of_different_handlers_come_back_together(f: Fixture) {
    ended(&f, "a", "x", Status::Failed, Some("k")).await;
    ended(&f, "b", "y", Status::Failed, Some("k")).await;
    assert_eq!(retry(&f, None, None).await, 2);
    assert_eq!(pending_ids(&f).await, ["a", "b"]);
}

async fn more_jobs_than_one_batch_are_retried(f: Fixture) {
    const COUNT: usize = 2500;
    insert_many(&f, COUNT, "status, attempts, updated_at", "'failed', 3, i").await;
    ended(&f, "keyed", "x", Status::Failed, Some("k")).await;
    ended(&f, "other", "x", Status::Cancelled, None).await;
    assert_eq!(retry(&f, None, None).await, COUNT as u64 + 1);
    let fresh = "select count(*) from fm_jobs where status = 'pending' and attempts = 0";
    assert_eq!(f.number(fresh).await, COUNT as i64 + 1);
    assert_eq!(get(&f, "other").await.status, Status::Cancelled);
}

async fn executions_that_failed_with_their_jobs_wait_again(f: Fixture) {
    for id in ["e1", "e2", "e3"] {
        waiting_execution(&f, id, "s").await;
        let lease = running_of(&f, id, "s").await;
        record(&f, &lease, Transition::Fail(error("X"))).await;
    }
    // That one's engine went on without its job.
    f.execute("update fm_executions set current_step = 'later' where id = 'e2'").await;
    let before = execution_row(&f, "e2").await;
    f.execute("update fm_jobs set unique_key = 'k' where execution_id = 'e3'").await;
    assert_eq!(retry(&f, None, None).await, 3);
    for id in ["e1", "e3"] {
        let execution = f.store.execution(id).await.unwrap().unwrap();
        assert_eq!((execution.status.as_str(), execution.error), ("waiting", None), "{id}");
    }
    assert_eq!(execution_row(&f, "e2").await, before);
}

async fn rows_that_a_rival_holds_are_left_to_it(f: Fixture) {
    ended(&f, "a", "x", Status::Failed, None).await;
    ended(&f, "b", "x", Status::Failed, None).await;
    let mut rival = f.pg().begin().await.unwrap();
    crate::hold::lock(&mut rival, "a").await;
    assert_eq!(retry(&f, None, None).await, 1);
    rival.rollback().await.unwrap();
    assert_eq!(pending_ids(&f).await, ["b"]);
    assert_eq!(retry(&f, None, None).await, 1);
}

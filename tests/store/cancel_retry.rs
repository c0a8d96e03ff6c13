//! `cancel` and `retry`: what operators do.

use crate::given::{
    claim, claim_one, error, get, in_status, new_job, pending, record, retry_at_once, running,
};
use flowmonkey_jobs::job::{NewJob, Start, Status, Transition, Wake};
use flowmonkey_jobs::store::{Changed, Recorded};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_pending_job_is_called_off,
    a_running_job_is_called_off_with_its_attempt,
    a_waiting_job_is_called_off,
    a_job_that_has_ended_is_not_cancelled,
    a_failed_or_cancelled_job_is_retried_from_the_start,
    a_retried_job_keeps_its_error_until_it_succeeds,
    a_job_that_has_not_failed_is_not_retried,
    an_unknown_job_is_not_found,
    a_retry_leaves_the_old_attempt_behind,
}

async fn a_pending_job_is_called_off(f: Fixture) {
    let job = f
        .store
        .create(NewJob { start: Start::After(Duration::from_secs(1)), ..new_job() })
        .await
        .unwrap()
        .job;
    assert_eq!(f.store.cancel(&job.id).await.unwrap(), Changed::Yes);
    let cancelled = get(&f, &job.id).await;
    assert_eq!((cancelled.status, cancelled.attempts), (Status::Cancelled, 0));
    assert!(cancelled.history.is_empty() && cancelled.updated_at >= job.updated_at);
    f.set(&job.id, "run_at = 0").await;
    assert!(claim(&f, 10).await.is_empty());
}

async fn a_running_job_is_called_off_with_its_attempt(f: Fixture) {
    let lease = running(&f).await;
    assert_eq!(f.store.cancel(&lease.job_id).await.unwrap(), Changed::Yes);
    let job = get(&f, &lease.job_id).await;
    assert_eq!((job.status, job.attempts, job.error), (Status::Cancelled, 1, None));
    // The attempt keeps its name, so that its beats can be answered.
    assert_eq!(job.instance_id.as_ref(), Some(&lease.instance_id));
    let [entry] = job.history.as_slice() else { panic!("{:?}", job.history) };
    assert_eq!((entry.outcome.as_str(), entry.attempt), ("cancelled", 1));
    assert_eq!((&entry.instance_id, entry.runner_id.as_deref()), (&lease.instance_id, Some("runner-1")));
    assert_eq!(entry.at, job.updated_at);
}

async fn a_waiting_job_is_called_off(f: Fixture) {
    let lease = running(&f).await;
    let wait = Transition::Wait { until: Wake::Signal("paid".into()), reason: None };
    record(&f, &lease, wait).await;
    assert_eq!(f.store.cancel(&lease.job_id).await.unwrap(), Changed::Yes);
    let job = get(&f, &lease.job_id).await;
    assert_eq!((job.status, job.waiting, job.history.len()), (Status::Cancelled, None, 1));
}

async fn a_job_that_has_ended_is_not_cancelled(f: Fixture) {
    for status in [Status::Completed, Status::Failed, Status::Cancelled] {
        let job = in_status(&f, status).await;
        let before = f.row(&job.id).await;
        assert_eq!(f.store.cancel(&job.id).await.unwrap(), Changed::NotFrom(status));
        assert_eq!(f.row(&job.id).await, before);
    }
}

async fn a_failed_or_cancelled_job_is_retried_from_the_start(f: Fixture) {
    for status in [Status::Failed, Status::Cancelled] {
        let job = in_status(&f, status).await;
        f.set(&job.id, "attempts = 3, run_at = null").await;
        assert_eq!(f.store.retry(&job.id).await.unwrap(), Changed::Yes);
        let retried = get(&f, &job.id).await;
        assert_eq!((retried.status, retried.attempts), (Status::Pending, 0));
        assert_eq!(retried.run_at, Some(retried.updated_at));
        let claimed = claim_one(&f).await;
        assert_eq!((claimed.lease.job_id, claimed.attempt), (job.id, 1));
    }
}

async fn a_retried_job_keeps_its_error_until_it_succeeds(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, Transition::Fail(error("X"))).await;
    f.store.retry(&lease.job_id).await.unwrap();
    let lease = claim_one(&f).await.lease;
    assert_eq!(get(&f, &lease.job_id).await.error, Some(error("X")));
    record(&f, &lease, Transition::Complete(None)).await;
    assert_eq!(get(&f, &lease.job_id).await.error, None);
}

async fn a_job_that_has_not_failed_is_not_retried(f: Fixture) {
    for status in [Status::Running, Status::Completed, Status::Pending] {
        let job = in_status(&f, status).await;
        let before = f.row(&job.id).await;
        assert_eq!(f.store.retry(&job.id).await.unwrap(), Changed::NotFrom(status));
        assert_eq!(f.row(&job.id).await, before);
    }
}

async fn an_unknown_job_is_not_found(f: Fixture) {
    pending(&f).await;
    for id in ["", "nope", "' or true --"] {
        assert_eq!(f.store.cancel(id).await.unwrap(), Changed::NotFound);
        assert_eq!(f.store.retry(id).await.unwrap(), Changed::NotFound);
    }
    assert_eq!(f.number("select count(*) from fm_jobs where status = 'pending'").await, 1);
}

/// The guest of the cancelled attempt may still run when the next one begins.
async fn a_retry_leaves_the_old_attempt_behind(f: Fixture) {
    let old = running(&f).await;
    f.store.cancel(&old.job_id).await.unwrap();
    f.store.retry(&old.job_id).await.unwrap();
    let new = claim_one(&f).await.lease;
    assert_eq!(record(&f, &old, Transition::Complete(None)).await, Recorded::LeaseLost);
    assert_eq!(record(&f, &new, retry_at_once("X")).await, Recorded::Written);
}

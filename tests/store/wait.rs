//! A handler that asks to wait.

use crate::given::{claim, claim_one, get, json, new_job, record, running};
use flowmonkey_jobs::job::{NewJob, Outcome, Status, Transition, WAIT_MAX, Waiting, Wake};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_wait_after_counts_from_the_recording,
    a_wait_until_a_moment_ends_at_that_moment,
    a_moment_in_the_past_is_due_at_once,
    a_moment_too_far_is_brought_forward,
    a_wait_for_a_signal_has_no_end_of_its_own,
    a_wait_refunds_the_attempt,
    a_wait_keeps_checkpoints_and_progress,
    a_wait_clears_the_error_of_earlier_attempts,
}

async fn wait(f: &Fixture, until: Wake) -> flowmonkey_jobs::job::Job {
    let lease = running(f).await;
    record(f, &lease, Transition::Wait { until, reason: Some("größe".into()) }).await;
    let job = get(f, &lease.job_id).await;
    assert_eq!((job.status, job.attempts), (Status::Pending, 0));
    assert_eq!(job.waiting.as_ref().unwrap().reason.as_deref(), Some("größe"));
    job
}

async fn a_wait_after_counts_from_the_recording(f: Fixture) {
    for ms in [1_000, WAIT_MAX.as_millis() as u64] {
        let job = wait(&f, Wake::After(Duration::from_millis(ms))).await;
        assert_eq!(job.run_at, Some(job.updated_at + ms as i64));
        assert!(claim(&f, 10).await.is_empty());
    }
    // The bound is the outcome's.
    let Outcome::Wait { until, .. } = Outcome::wait(Wake::After(Duration::MAX), None) else { panic!() };
    assert_eq!(until, Wake::After(WAIT_MAX));
}

async fn a_wait_until_a_moment_ends_at_that_moment(f: Fixture) {
    let moment = f.now().await + 3_600_000;
    let job = wait(&f, Wake::At(moment)).await;
    assert_eq!(job.run_at, Some(moment));
    assert!(claim(&f, 10).await.is_empty());
    f.set(&job.id, "run_at = run_at - 3600000").await;
    assert_eq!(claim_one(&f).await.lease.job_id, job.id);
}

async fn a_moment_in_the_past_is_due_at_once(f: Fixture) {
    for moment in [0, i64::MIN] {
        let job = wait(&f, Wake::At(moment)).await;
        assert_eq!(job.run_at, Some(moment));
        assert_eq!(claim_one(&f).await.lease.job_id, job.id);
    }
}

async fn a_moment_too_far_is_brought_forward(f: Fixture) {
    let max = WAIT_MAX.as_millis() as i64;
    for moment in [i64::MAX, f.now().await + 2 * max] {
        let job = wait(&f, Wake::At(moment)).await;
        assert_eq!(job.run_at, Some(job.updated_at + max));
    }
}

async fn a_wait_for_a_signal_has_no_end_of_its_own(f: Fixture) {
    let job = wait(&f, Wake::Signal("paid '1'".into())).await;
    assert_eq!(job.run_at, None);
    let expected = Waiting { signal: Some("paid '1'".into()), reason: Some("größe".into()) };
    assert_eq!(job.waiting, Some(expected));
    assert!(claim(&f, 10).await.is_empty());
}

/// Else a job that waits often would run out of attempts without a failure.
async fn a_wait_refunds_the_attempt(f: Fixture) {
    let job = f.store.create(NewJob { max_attempts: 1, ..new_job() }).await.unwrap().job;
    for _ in 0..3 {
        let claimed = claim_one(&f).await;
        assert_eq!((claimed.lease.job_id.as_str(), claimed.attempt), (job.id.as_str(), 1));
        record(&f, &claimed.lease, Transition::Wait { until: Wake::At(0), reason: None }).await;
    }
    let job = get(&f, &job.id).await;
    assert_eq!(job.waiting, Some(Waiting { signal: None, reason: None }));
    assert_eq!(job.history.iter().map(|entry| entry.attempt).collect::<Vec<_>>(), [1, 1, 1]);
}

async fn a_wait_keeps_checkpoints_and_progress(f: Fixture) {
    let lease = running(&f).await;
    f.store.save_checkpoint(&lease, "page", &json("7")).await.unwrap();
    f.store.progress(&lease, &crate::given::progress(50.0, Some("half"))).await.unwrap();
    record(&f, &lease, Transition::Wait { until: Wake::At(0), reason: None }).await;
    assert_eq!(crate::given::value(&claim_one(&f).await.checkpoint.unwrap())["page"], 7);
    assert!(get(&f, &lease.job_id).await.progress.is_some());
}

async fn a_wait_clears_the_error_of_earlier_attempts(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, crate::given::retry_at_once("X")).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Wait { until: Wake::At(0), reason: None }).await;
    assert_eq!(get(&f, &lease.job_id).await.error, None);
}

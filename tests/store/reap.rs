//! `reap` and `find_stalled`: what becomes of the jobs of silent runners.

use crate::given::{
    STALLED, claim, claim_one, get, in_status, json, pending, pending_in_order, progress, record, running,
    silence,
};
use flowmonkey_jobs::job::{JobError, Lease, Status, Transition, reap};
use flowmonkey_jobs::store::{LeaseState, Reaped, Recorded};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_pending_job_without_an_attempt_left_fails,
    only_heartbeats_older_than_the_threshold_are_reaped,
    the_statement_decides_as_the_rule_does,
    a_reaped_job_runs_again_at_once,
    the_reaper_names_what_it_took,
    a_beat_just_before_saves_the_job,
    a_write_of_the_guest_just_before_saves_the_job,
    an_outcome_just_before_is_left_alone,
    only_running_jobs_are_reaped,
    a_reap_takes_the_stalest_up_to_its_limit,
    a_job_is_reaped_once,
    a_row_without_an_instance_is_reaped_too,
    stalled_jobs_are_found_stalest_first,
    finding_stalled_jobs_changes_nothing,
}

async fn silent(f: &Fixture, ms: u64) -> Lease {
    let lease = running(f).await;
    f.set(&lease.job_id, &format!("heartbeat_at = heartbeat_at - {ms}")).await;
    lease
}

async fn only_heartbeats_older_than_the_threshold_are_reaped(f: Fixture) {
    // seconds of silence, threshold in seconds
    for (silence, threshold, taken) in [(0, 3600, 0), (3000, 3600, 0), (3700, 3600, 1), (3700, 7200, 0)] {
        silent(&f, silence * 1000).await;
        let older_than = Duration::from_secs(threshold);
        assert_eq!(f.store.find_stalled(older_than, 10).await.unwrap().len(), taken);
        assert_eq!(f.store.reap(older_than, 10).await.unwrap().len(), taken, "{silence} {threshold}");
        f.execute("delete from fm_jobs").await;
    }
    silent(&f, 1_000_000).await;
    assert!(f.store.reap(Duration::MAX, 10).await.unwrap().is_empty());
}

async fn the_statement_decides_as_the_rule_does(f: Fixture) {
    for (attempts, max) in [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (4, 3), (999, 1000), (1000, 1000)] {
        let lease = running(&f).await;
        f.set(&lease.job_id, &format!("attempts = {attempts}, max_attempts = {max}")).await;
        silence(&f, &lease.job_id).await;
        let reaped = f.store.reap(STALLED, 10).await.unwrap();
        let job = get(&f, &lease.job_id).await;

        let rule = reap(attempts, max);
        assert_eq!((reaped[0].status, job.status), (rule.leads_to(), rule.leads_to()), "{attempts} {max}");
        let (Transition::Fail(error) | Transition::Retry { error, .. }) = rule else { panic!() };
        assert_eq!((job.error.as_ref(), job.attempts), (Some(&error), attempts));
        assert_eq!(error.code, "STALLED");
        assert_history(&job.history, &lease, attempts, &error);
        f.execute("delete from fm_jobs").await;
    }
}

fn assert_history(
    history: &[flowmonkey_jobs::job::HistoryEntry],
    lease: &Lease,
    attempt: u32,
    error: &JobError,
) {
    let [entry] = history else { panic!("{history:?}") };
    assert_eq!((entry.outcome.as_str(), entry.attempt), ("stalled", attempt));
    assert_eq!((&entry.instance_id, entry.runner_id.as_deref()), (&lease.instance_id, Some("runner-1")));
    assert_eq!((entry.error.as_ref(), entry.usage), (Some(error), None));
}

async fn a_reaped_job_runs_again_at_once(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    f.set(&lease.job_id, "run_at = null").await;
    f.store.reap(STALLED, 10).await.unwrap();
    let job = get(&f, &lease.job_id).await;
    assert_eq!(job.run_at, Some(job.updated_at));
    let again = claim_one(&f).await;
    assert_eq!((&again.lease.job_id, again.attempt), (&lease.job_id, 2));
    assert_ne!(again.lease.instance_id, lease.instance_id);
}

async fn the_reaper_names_what_it_took(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    let expected = Reaped {
        lease,
        attempt: 1,
        handler: crate::given::HANDLER.into(),
        runner_id: Some("runner-1".into()),
        status: Status::Pending,
    };
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap(), [expected]);
}

async fn a_beat_just_before_saves_the_job(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    let beats = f.store.heartbeat(std::slice::from_ref(&lease)).await.unwrap();
    assert_eq!(beats, [LeaseState::Held]);
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
    assert_eq!(record(&f, &lease, Transition::Complete(None)).await, Recorded::Written);
}

async fn a_write_of_the_guest_just_before_saves_the_job(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    f.store.save_checkpoint(&lease, "a", &json("1")).await.unwrap();
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
    silence(&f, &lease.job_id).await;
    f.store.progress(&lease, &progress(1.0, None)).await.unwrap();
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
}

async fn an_outcome_just_before_is_left_alone(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    record(&f, &lease, Transition::Complete(None)).await;
    let before = f.row(&lease.job_id).await;
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
    assert_eq!(f.row(&lease.job_id).await, before);
}

async fn only_running_jobs_are_reaped(f: Fixture) {
    for status in Status::ALL.into_iter().rev() {
        let job = in_status(&f, status).await;
        f.set(&job.id, "heartbeat_at = 1").await;
        let found = f.store.find_stalled(STALLED, 10).await.unwrap().len();
        let taken = f.store.reap(STALLED, 10).await.unwrap().len();
        let expected = usize::from(status == Status::Running);
        assert_eq!((found, taken), (expected, expected), "{status}");
        f.execute("delete from fm_jobs").await;
    }
}

/// Jobs of which the last created is the stalest.
async fn stalest_last(f: &Fixture, count: usize) -> Vec<String> {
    let ids = pending_in_order(f, count).await;
    claim(f, count as u32).await;
    for (at, id) in ids.iter().enumerate() {
        f.set(id, &format!("heartbeat_at = {}", count - at)).await;
    }
    ids
}

async fn a_reap_takes_the_stalest_up_to_its_limit(f: Fixture) {
    let ids = stalest_last(&f, 5).await;
    for expected in [&ids[4..5], &ids[2..4], &ids[..2], &[]] {
        let reaped = f.store.reap(STALLED, expected.len().max(1) as u32).await.unwrap();
        let mut taken: Vec<_> = reaped.into_iter().map(|reaped| reaped.lease.job_id).collect();
        taken.sort();
        assert_eq!(taken, expected);
    }
    assert!(f.store.reap(STALLED, 0).await.unwrap().is_empty());
}

async fn a_job_is_reaped_once(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap().len(), 1);
    let before = f.row(&lease.job_id).await;
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
    assert_eq!(f.row(&lease.job_id).await, before);
}

/// Rows that an early FlowMonkey left running have none.
async fn a_row_without_an_instance_is_reaped_too(f: Fixture) {
    let job = pending(&f).await;
    let orphan = "status = 'running', attempts = 1, heartbeat_at = 1, instance_id = null, runner_id = null";
    f.set(&job.id, orphan).await;
    let reaped = f.store.reap(STALLED, 10).await.unwrap();
    assert_eq!((reaped[0].lease.instance_id.as_str(), reaped[0].runner_id.as_deref()), ("", None));
    assert_eq!(get(&f, &job.id).await.history[0].outcome, "stalled");

    f.set(&job.id, orphan).await;
    f.store.cancel(&job.id).await.unwrap();
    assert_eq!(get(&f, &job.id).await.history[1].outcome, "cancelled");
}

async fn stalled_jobs_are_found_stalest_first(f: Fixture) {
    let mut ids = stalest_last(&f, 4).await;
    running(&f).await;
    ids.reverse();
    for limit in [4, 2, 0] {
        let found = f.store.find_stalled(STALLED, limit).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|job| job.id).collect();
        assert_eq!(found, ids[..limit as usize]);
    }
}

async fn finding_stalled_jobs_changes_nothing(f: Fixture) {
    let lease = silent(&f, 120_000).await;
    let before = f.row(&lease.job_id).await;
    let found = f.store.find_stalled(STALLED, 10).await.unwrap();
    assert_eq!(format!("{found:?}"), format!("[{:?}]", get(&f, &lease.job_id).await));
    assert_eq!(f.row(&lease.job_id).await, before);
}

/// A client that gives jobs back without a look at their attempts leaves such behind.
async fn a_pending_job_without_an_attempt_left_fails(f: Fixture) {
    let job = pending(&f).await;
    f.set(&job.id, "attempts = 3").await;
    assert!(claim(&f, 10).await.is_empty());
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap()[0].status, Status::Failed);
    let job = get(&f, &job.id).await;
    assert_eq!((job.status, job.error.unwrap().code.as_str()), (Status::Failed, "STALLED"));
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
}

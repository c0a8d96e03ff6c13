//! `record`: what each outcome makes of a running job.

use crate::given::{
    USAGE, claim, claim_one, error, get, json, new_job, pending, pending_in_order, progress, record,
    recording, retry_at_once, running, value,
};
use flowmonkey_jobs::job::{
    Attempt, JobError, NewJob, Outcome, RetryPolicy, Status, Transition, Wake, transition,
};
use flowmonkey_jobs::store::{Recorded, Recording};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_transition_ends_in_the_status_the_rule_says,
    success_stores_the_result,
    a_result_keeps_its_exact_text,
    success_clears_the_error_of_earlier_attempts,
    a_failure_with_attempts_left_is_due_after_its_pause,
    a_fatal_failure_ends_the_job,
    attempts_are_used_up_one_by_one,
    an_error_has_the_shape_that_flowmonkey_reads,
    a_release_refunds_the_attempt,
    the_last_progress_is_written_with_the_outcome,
    a_batch_is_written_job_by_job,
    a_batch_is_written_whole_or_not_at_all,
    nothing_to_record_is_no_error,
}

fn each_transition() -> [Transition; 5] {
    [
        Transition::Complete(Some(json("1"))),
        Transition::Fail(error("X")),
        retry_at_once("X"),
        Transition::Wait { until: Wake::At(0), reason: None },
        Transition::Release,
    ]
}

async fn a_transition_ends_in_the_status_the_rule_says(f: Fixture) {
    for transition in each_transition() {
        let lease = running(&f).await;
        assert_eq!(record(&f, &lease, transition.clone()).await, Recorded::Written);
        let job = get(&f, &lease.job_id).await;
        assert_eq!(job.status, transition.leads_to(), "{transition:?}");
        // Who ran it last stays visible. The fence goes with the attempt: a program that claims without
        // setting one must not make it hold again.
        assert_eq!(job.runner_id.as_deref(), Some("runner-1"));
        let fence = (job.status != Status::Pending).then_some(lease.instance_id);
        assert_eq!(job.instance_id, fence, "{transition:?}");
        f.execute("delete from fm_jobs").await;
    }
}

async fn success_stores_the_result(f: Fixture) {
    for result in [Some(r#"{"sent": [1, "größe", null]}"#), Some("null"), None] {
        let lease = running(&f).await;
        let before = f.now().await;
        record(&f, &lease, Transition::Complete(result.map(json))).await;
        let job = get(&f, &lease.job_id).await;
        assert_eq!(job.result.as_ref().map(value), result.map(|text| value(&json(text))));
        assert_eq!((job.status, job.attempts, job.waiting), (Status::Completed, 1, None));
        assert!(job.updated_at >= before);
    }
}

async fn a_result_keeps_its_exact_text(f: Fixture) {
    for text in ["123456789012345678901234567890", "0.30", "-9223372036854775809", "\"\\\\u0000\""] {
        let lease = running(&f).await;
        record(&f, &lease, Transition::Complete(Some(json(text)))).await;
        assert_eq!(get(&f, &lease.job_id).await.result.unwrap().as_str(), text);
    }
}

async fn success_clears_the_error_of_earlier_attempts(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, retry_at_once("FIRST")).await;
    assert_eq!(get(&f, &lease.job_id).await.error, Some(error("FIRST")));
    let lease = claim_one(&f).await.lease;
    assert_eq!(get(&f, &lease.job_id).await.error, Some(error("FIRST")), "visible while it runs again");
    record(&f, &lease, Transition::Complete(None)).await;
    assert_eq!(get(&f, &lease.job_id).await.error, None);
}

async fn a_failure_with_attempts_left_is_due_after_its_pause(f: Fixture) {
    for pause_ms in [0, 1, 90_000, 30 * 24 * 60 * 60 * 1000] {
        let lease = running(&f).await;
        let after = Duration::from_millis(pause_ms);
        record(&f, &lease, Transition::Retry { after, error: error("BUSY") }).await;
        let job = get(&f, &lease.job_id).await;
        assert_eq!((job.status, job.attempts), (Status::Pending, 1));
        assert_eq!(job.run_at, Some(job.updated_at + pause_ms as i64));
        assert_eq!((job.error, job.result), (Some(error("BUSY")), None));
        f.execute("delete from fm_jobs").await;
    }
}

async fn a_fatal_failure_ends_the_job(f: Fixture) {
    let lease = running(&f).await;
    let due = get(&f, &lease.job_id).await.run_at;
    record(&f, &lease, Transition::Fail(error("BAD_ADDRESS"))).await;
    let job = get(&f, &lease.job_id).await;
    assert_eq!((job.status, job.attempts, job.run_at), (Status::Failed, 1, due));
    assert_eq!((job.error, job.result), (Some(error("BAD_ADDRESS")), None));
    assert!(claim(&f, 10).await.is_empty());
}

/// The pure rule and the statements together.
async fn attempts_are_used_up_one_by_one(f: Fixture) {
    let job = pending(&f).await;
    for (number, status) in [(1, Status::Pending), (2, Status::Pending), (3, Status::Failed)] {
        let claimed = claim_one(&f).await;
        assert_eq!(claimed.attempt, number);
        let attempt = Attempt {
            number: claimed.attempt,
            max: claimed.max_attempts,
            retry: RetryPolicy::default(),
            waits: 0,
            waits_max: 1,
        };
        let outcome = Outcome::Retryable { error: error("X"), after: Some(Duration::ZERO) };
        record(&f, &claimed.lease, transition(&attempt, outcome, 0.5)).await;
        let job = get(&f, &job.id).await;
        assert_eq!((job.status, job.attempts, job.error), (status, number, Some(error("X"))));
    }
    assert!(claim(&f, 10).await.is_empty());
}

async fn an_error_has_the_shape_that_flowmonkey_reads(f: Fixture) {
    let plain = JobError::guest("X".into(), "why \"so\"".into(), None);
    let details = JobError::guest("Y".into(), "größe".into(), Some(r#"{"a": [1.50]}"#.into()));
    let full = JobError { backtrace: vec!["run".into(), "main".into()], ..details };
    let table = [
        (plain, r#"{"code": "X", "message": "why \"so\""}"#),
        (
            full,
            r#"{"code": "Y", "message": "größe", "details": {"a": [1.50]}, "backtrace": ["run", "main"]}"#,
        ),
    ];
    for (error, expected) in table {
        let lease = running(&f).await;
        record(&f, &lease, Transition::Fail(error.clone())).await;
        let id = &lease.job_id;
        let stored = f.text(&format!("select cast(error as text) from fm_jobs where id = '{id}'")).await;
        assert_eq!(value(&json(&stored.unwrap())), value(&json(expected)));
        let job = get(&f, id).await;
        assert_eq!(job.history[0].error.as_ref().unwrap().backtrace, error.backtrace);
        let details = job.error.unwrap().details;
        assert_eq!(details.as_ref().map(value), error.details.as_ref().map(value));
    }
}

async fn a_release_refunds_the_attempt(f: Fixture) {
    let job = f.store.create(NewJob { max_attempts: 1, ..new_job() }).await.unwrap().job;
    for _ in 0..3 {
        let claimed = claim_one(&f).await;
        assert_eq!(claimed.attempt, 1);
        f.store.save_checkpoint(&claimed.lease, "k", &json("1")).await.unwrap();
        record(&f, &claimed.lease, Transition::Release).await;
        let job = get(&f, &job.id).await;
        assert_eq!((job.status, job.attempts), (Status::Pending, 0));
        assert_eq!((job.run_at, job.error), (Some(job.updated_at), None));
        assert!(job.checkpoint.is_some());
    }
}

async fn the_last_progress_is_written_with_the_outcome(f: Fixture) {
    let lease = running(&f).await;
    f.store.progress(&lease, &progress(10.0, None)).await.unwrap();
    record(&f, &lease, Transition::Release).await;
    assert_eq!(get(&f, &lease.job_id).await.progress, Some(progress(10.0, None)), "none leaves the old");

    let lease = claim_one(&f).await.lease;
    let last = progress(99.5, Some("almost"));
    let ended = Recording { progress: Some(last.clone()), ..recording(&lease, retry_at_once("X")) };
    f.store.record(&[ended]).await.unwrap();
    assert_eq!(get(&f, &lease.job_id).await.progress, Some(last));
}

async fn a_batch_is_written_job_by_job(f: Fixture) {
    pending_in_order(&f, 5).await;
    let leases: Vec<_> = claim(&f, 5).await.into_iter().map(|job| job.lease).collect();
    f.store.cancel(&leases[1].job_id).await.unwrap();
    let ends = each_transition();
    let mut batch: Vec<Recording> =
        leases.iter().zip(&ends).map(|(lease, end)| recording(lease, end.clone())).collect();
    batch.reverse();
    let answers = f.store.record(&batch).await.unwrap();
    let expected: Vec<_> = batch
        .iter()
        .map(|one| if one.lease == leases[1] { Recorded::LeaseLost } else { Recorded::Written })
        .collect();
    assert_eq!(answers, expected);
    for (at, (lease, end)) in leases.iter().zip(&ends).enumerate() {
        let job = get(&f, &lease.job_id).await;
        assert_eq!(job.status, if at == 1 { Status::Cancelled } else { end.leads_to() });
        if at != 1 {
            assert_eq!(job.history[0].instance_id, lease.instance_id);
            assert_eq!(job.history[0].usage, Some(USAGE));
        }
    }
}

/// The second one overflows the clock, which no rule of ours lets happen: it stands for whatever a
/// database may refuse.
async fn a_batch_is_written_whole_or_not_at_all(f: Fixture) {
    pending_in_order(&f, 2).await;
    let leases: Vec<_> = claim(&f, 2).await.into_iter().map(|job| job.lease).collect();
    let refused = Transition::Retry { after: Duration::MAX, error: error("X") };
    let batch = [recording(&leases[0], Transition::Complete(None)), recording(&leases[1], refused)];
    let before = f.row(&leases[0].job_id).await;
    assert!(f.store.record(&batch).await.is_err());
    assert_eq!(f.row(&leases[0].job_id).await, before);
    assert_eq!(f.store.record(&batch[..1]).await.unwrap(), [Recorded::Written]);
}

async fn nothing_to_record_is_no_error(f: Fixture) {
    assert_eq!(f.store.record(&[]).await.unwrap(), []);
}

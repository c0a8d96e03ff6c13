//! `resume`: what ends a wait before its time, and what the handler is told.

use crate::given::{
    claim, claim_one, error, get, in_status, json, new_job, pending, reap_one, record, retry_at_once,
    running, silence, value,
};
use crate::hold::{blocked, hold, start};
use flowmonkey_jobs::job::{JsonText, NewJob, Start, Status, Transition, Wake};
use flowmonkey_jobs::store::Changed;
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    the_payload_outlives_a_failure_and_an_operators_retry,
    every_kind_of_wait_is_resumed,
    a_wait_whose_time_has_come_is_resumed_with_its_payload,
    the_payload_reaches_the_next_attempt_as_it_was,
    the_payload_stays_until_an_attempt_has_used_it,
    the_payload_is_gone_after_the_next_wait,
    the_payload_is_gone_once_the_job_has_completed,
    what_does_not_wait_is_not_resumed,
    a_job_that_pauses_before_its_next_attempt_is_not_resumed,
    an_unknown_job_is_not_found,
    a_second_resume_does_not_overwrite_the_first,
    waits_are_counted_until_an_operator_retries_the_job,
    checkpoints_and_attempts_stay,
}

on_postgres! {
    a_resume_that_waits_for_a_rival_sees_the_truth,
    of_two_resumes_at_once_the_first_stands,
}

const HOUR: Duration = Duration::from_secs(3600);

/// A job that waits; nothing else is due.
async fn waiting(f: &Fixture, until: Wake) -> String {
    let lease = running(f).await;
    record(f, &lease, Transition::Wait { until, reason: Some("why".into()) }).await;
    assert!(get(f, &lease.job_id).await.waiting.is_some());
    lease.job_id
}

fn signal() -> Wake {
    Wake::Signal("paid".into())
}

async fn resume(f: &Fixture, id: &str, payload: Option<&str>) -> Changed {
    f.store.resume(id, payload.map(json).as_ref()).await.unwrap()
}

async fn every_kind_of_wait_is_resumed(f: Fixture) {
    let later = f.now().await + 3_600_000;
    for until in [Wake::At(later), Wake::After(HOUR), signal()] {
        for payload in [None, Some("{\"paid\": true}")] {
            let id = waiting(&f, until.clone()).await;
            assert!(claim(&f, 10).await.is_empty());
            assert_eq!(resume(&f, &id, payload).await, Changed::Yes, "{until:?}");
            let job = get(&f, &id).await;
            assert_eq!((job.status, job.waiting, job.attempts), (Status::Pending, None, 0));
            assert_eq!(job.run_at, Some(job.updated_at));
            assert_eq!(job.resumed_with, payload.map(json));
            let claimed = claim_one(&f).await;
            assert_eq!((claimed.lease.job_id, claimed.attempt, claimed.waits), (id, 1, 1));
            assert_eq!(claimed.resumed_with, payload.map(json));
        }
    }
}

async fn a_wait_whose_time_has_come_is_resumed_with_its_payload(f: Fixture) {
    let id = waiting(&f, Wake::At(0)).await;
    assert_eq!(resume(&f, &id, Some("1")).await, Changed::Yes);
    assert_eq!(claim_one(&f).await.resumed_with, Some(json("1")));
}

async fn the_payload_reaches_the_next_attempt_as_it_was(f: Fixture) {
    for text in ["null", "false", "\"größe 😀\"", "12345678901234567890", "[1.50]", r#"{"a": {"b\"": []}}"#]
    {
        let id = waiting(&f, signal()).await;
        assert_eq!(resume(&f, &id, Some(text)).await, Changed::Yes);
        let claimed = claim_one(&f).await.resumed_with.unwrap();
        assert_eq!(value(&claimed), value(&json(text)));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        assert_eq!(digits(claimed.as_str()), digits(text));
    }
}

/// A retry, a release and a stall each end an attempt that has not used it.
async fn the_payload_stays_until_an_attempt_has_used_it(f: Fixture) {
    let id = waiting(&f, signal()).await;
    let payload = Some(json("{\"paid\": 1}"));
    resume(&f, &id, Some("{\"paid\": 1}")).await;
    let claimed = claim_one(&f).await;
    assert_eq!(claimed.resumed_with, payload);
    record(&f, &claimed.lease, retry_at_once("X")).await;
    let claimed = claim_one(&f).await;
    assert_eq!((&claimed.resumed_with, claimed.attempt), (&payload, 2));
    record(&f, &claimed.lease, Transition::Release).await;
    let claimed = claim_one(&f).await;
    assert_eq!((&claimed.resumed_with, claimed.attempt), (&payload, 2));
    silence(&f, &id).await;
    reap_one(&f).await;
    let claimed = claim_one(&f).await;
    assert_eq!((&claimed.resumed_with, claimed.attempt), (&payload, 3));
}

async fn the_payload_is_gone_after_the_next_wait(f: Fixture) {
    let id = waiting(&f, signal()).await;
    resume(&f, &id, Some("1")).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Wait { until: Wake::At(0), reason: None }).await;
    assert_eq!(get(&f, &id).await.resumed_with, None);
    // Its time ends this one; nobody said anything.
    let claimed = claim_one(&f).await;
    assert_eq!((claimed.resumed_with, claimed.waits), (None, 2));
    record(&f, &claimed.lease, Transition::Wait { until: signal(), reason: None }).await;
    assert_eq!(resume(&f, &id, Some("3")).await, Changed::Yes);
    assert_eq!(claim_one(&f).await.resumed_with, Some(json("3")));
}

async fn the_payload_is_gone_once_the_job_has_completed(f: Fixture) {
    let id = waiting(&f, signal()).await;
    resume(&f, &id, Some("1")).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Complete(None)).await;
    assert_eq!(get(&f, &id).await.resumed_with, None);
}

async fn assert_refused(f: &Fixture, id: &str, status: Status) {
    let before = f.row(id).await;
    for payload in [None, Some("1")] {
        assert_eq!(resume(f, id, payload).await, Changed::NotFrom(status));
    }
    assert_eq!(f.row(id).await, before);
}

async fn what_does_not_wait_is_not_resumed(f: Fixture) {
    for status in Status::ALL.into_iter().rev() {
        let job = in_status(&f, status).await;
        assert_refused(&f, &job.id, status).await;
    }
    // Nor one that waits no more.
    f.execute("delete from fm_jobs").await;
    let id = waiting(&f, Wake::At(0)).await;
    claim_one(&f).await;
    assert_refused(&f, &id, Status::Running).await;
    let id = waiting(&f, signal()).await;
    f.store.cancel(&id).await.unwrap();
    assert_refused(&f, &id, Status::Cancelled).await;
    f.store.retry(&id).await.unwrap();
    assert_refused(&f, &id, Status::Pending).await;
}

/// Else a signal would cut short a backoff or a delay.
async fn a_job_that_pauses_before_its_next_attempt_is_not_resumed(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, Transition::Retry { after: HOUR, error: error("X") }).await;
    assert_refused(&f, &lease.job_id, Status::Pending).await;
    let delayed = NewJob { start: Start::After(HOUR), ..new_job() };
    let delayed = f.store.create(delayed).await.unwrap().job;
    assert_refused(&f, &delayed.id, Status::Pending).await;
}

async fn an_unknown_job_is_not_found(f: Fixture) {
    let job = pending(&f).await;
    let before = f.row(&job.id).await;
    for id in ["", "nope", "' or true --"] {
        assert_eq!(resume(&f, id, Some("1")).await, Changed::NotFound);
    }
    assert_eq!(f.row(&job.id).await, before);
}

async fn a_second_resume_does_not_overwrite_the_first(f: Fixture) {
    let id = waiting(&f, signal()).await;
    assert_eq!(resume(&f, &id, Some("\"first\"")).await, Changed::Yes);
    assert_refused(&f, &id, Status::Pending).await;
    assert_eq!(claim_one(&f).await.resumed_with, Some(json("\"first\"")));
    assert_refused(&f, &id, Status::Running).await;
}

async fn waits_are_counted_until_an_operator_retries_the_job(f: Fixture) {
    let job = pending(&f).await;
    for waits in 0..3 {
        let claimed = claim_one(&f).await;
        assert_eq!((claimed.waits, get(&f, &job.id).await.waits), (waits, waits));
        // Only a wait counts.
        record(&f, &claimed.lease, Transition::Release).await;
        let lease = claim_one(&f).await.lease;
        record(&f, &lease, Transition::Wait { until: signal(), reason: None }).await;
        assert_eq!(resume(&f, &job.id, None).await, Changed::Yes);
    }
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Fail(error("X"))).await;
    assert_eq!(get(&f, &job.id).await.waits, 3);
    f.store.retry(&job.id).await.unwrap();
    assert_eq!(claim_one(&f).await.waits, 0);
}

async fn checkpoints_and_attempts_stay(f: Fixture) {
    let job = pending(&f).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, retry_at_once("X")).await;
    let lease = claim_one(&f).await.lease;
    f.store.save_checkpoint(&lease, "page", &json("7")).await.unwrap();
    record(&f, &lease, Transition::Wait { until: signal(), reason: None }).await;
    resume(&f, &job.id, Some("1")).await;
    let claimed = claim_one(&f).await;
    assert_eq!(claimed.attempt, 2);
    assert_eq!(value(&claimed.checkpoint.unwrap())["page"], 7);
    assert_eq!(get(&f, &job.id).await.history.len(), 2);
}

async fn a_resume_that_waits_for_a_rival_sees_the_truth(f: Fixture) {
    let table = [
        ("update fm_jobs set status = 'cancelled', waiting = null", Changed::NotFrom(Status::Cancelled)),
        ("update fm_jobs set status = 'running', waiting = null", Changed::NotFrom(Status::Running)),
        ("update fm_jobs set waiting = null", Changed::NotFrom(Status::Pending)),
        ("delete from fm_jobs", Changed::NotFound),
        ("update fm_jobs set updated_at = 1", Changed::Yes),
    ];
    for (statement, expected) in table {
        let id = waiting(&f, signal()).await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, statement, &id).await;
        let late = id.clone();
        let resume = start(&f, |store| async move { store.resume(&late, Some(&json("1"))).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        assert_eq!(resume.await.unwrap().unwrap(), expected, "{statement}");
        if expected != Changed::NotFound {
            let payload: Option<JsonText> = get(&f, &id).await.resumed_with;
            assert_eq!(payload.is_some(), expected == Changed::Yes, "{statement}");
        }
        f.execute("delete from fm_jobs").await;
    }
}

async fn of_two_resumes_at_once_the_first_stands(f: Fixture) {
    let id = waiting(&f, signal()).await;
    let mut rival = f.pg().begin().await.unwrap();
    let first = "update fm_jobs set run_at = 1, resumed_with = '\"first\"', waiting = null";
    hold(&mut rival, first, &id).await;
    let late = id.clone();
    let second = start(&f, |store| async move { store.resume(&late, Some(&json("\"second\""))).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    assert_eq!(second.await.unwrap().unwrap(), Changed::NotFrom(Status::Pending));
    assert_eq!(claim_one(&f).await.resumed_with, Some(json("\"first\"")));
}

async fn the_payload_outlives_a_failure_and_an_operators_retry(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, Transition::Wait { until: Wake::Signal("s".into()), reason: None }).await;
    assert_eq!(f.store.resume(&lease.job_id, Some(&json("5"))).await.unwrap(), Changed::Yes);
    let again = claim_one(&f).await;
    record(&f, &again.lease, Transition::Fail(error("X"))).await;
    assert_eq!(f.store.retry(&lease.job_id).await.unwrap(), Changed::Yes);
    assert_eq!(claim_one(&f).await.resumed_with, Some(json("5")), "the handler was resumed once and for all");
}

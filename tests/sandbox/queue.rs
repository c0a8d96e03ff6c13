//! What a guest may enqueue, and what it may not.

use crate::rig::{Memory, Run, limits, result};
use flowmonkey_jobs::job::{NewJob, Start, Unique};
use flowmonkey_jobs::sandbox::{Grants, HostFault, Limits};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn granted() -> Grants {
    Grants { queue: ["digest-send".to_owned()].into(), ..Grants::default() }
}

fn enqueue(steps: &Value) -> Run {
    Run { grants: granted(), ..Run::with(json!({"do": "queue", "steps": steps})) }
}

fn assert_error(answer: &Value, kind: &str, words: &str) {
    let error = answer["error"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(error.contains(kind) && error.contains(words), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_handler_is_enqueued_as_asked() {
    let run = enqueue(&json!([
        {"handler": "digest-send", "input": "{\"n\": 1}"},
        {"handler": "digest-send", "after": 1500, "priority": 9, "max": 7, "key": "nightly"},
        {"handler": "digest-send", "at": 1_800_000_000_000_u64},
    ]));
    assert_eq!(result(&run.probe().await), json!(["child-1", "child-2", "child-3"]));
    let jobs = run.host.enqueued.lock().unwrap();
    let facts = |job: &NewJob| (job.start, job.priority, job.max_attempts, job.unique.clone());
    assert_eq!(jobs[0].input.as_str(), "{\"n\": 1}");
    assert_eq!(facts(&jobs[0]), (Start::Now, 0, 3, None));
    let later = Start::After(Duration::from_millis(1500));
    assert_eq!(facts(&jobs[1]), (later, 9, 7, Some(Unique::active("nightly"))));
    assert_eq!(jobs[2].start, Start::At(1_800_000_000_000));
    assert!(jobs.iter().all(|job| job.execution_id.is_none() && job.step_id.is_none()), "the store's affair");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_is_not_granted_is_not_enqueued() {
    let run = enqueue(&json!([
        {"handler": "email-send"}, {"handler": "digest-send2"}, {"handler": "digest-sen"}, {"handler": "probe"},
    ]));
    let answers = result(&run.probe().await);
    for (at, name) in ["email-send", "digest-send2", "digest-sen", "probe"].iter().enumerate() {
        assert_error(&answers[at], "Denied", &format!("no grant `queue` for the handler \\\"{name}\\\""));
    }
    let ungranted = Run { grants: Grants::default(), ..enqueue(&json!([{"handler": "digest-send"}])) };
    assert_error(&result(&ungranted.probe().await)[0], "Denied", "no grant `queue`");
    assert!(run.host.enqueued.lock().unwrap().is_empty());
    assert!(ungranted.host.enqueued.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_job_is_refused_with_the_reason() {
    let table = [
        (json!({"handler": ""}), "Invalid", "handler has 0 bytes"),
        (json!({"handler": "x".repeat(500)}), "Invalid", "handler has 500 bytes"),
        (json!({"handler": "a\u{1b}[2J"}), "Invalid", "control character"),
        (json!({"handler": "digest-send", "input": "{"}), "Invalid", "not JSON"),
        (json!({"handler": "digest-send", "priority": 10}), "Invalid", "priority 10"),
        (json!({"handler": "digest-send", "max": 0}), "Invalid", "max attempts 0"),
        (json!({"handler": "digest-send", "key": ""}), "Invalid", "unique key"),
        (json!({"handler": "digest-send", "after": u64::MAX}), "Invalid", "ten years"),
        (json!({"handler": "digest-send", "at": u64::MAX}), "Invalid", "1970 and 2200"),
        (json!({"handler": "digest-send", "input": "1".repeat(1_048_577)}), "LimitExceeded", "1048577 bytes"),
    ];
    let steps: Vec<&Value> = table.iter().map(|(step, _, _)| step).collect();
    let mut limits = limits();
    limits.fuel = limits.fuel.map(|fuel| fuel * 20);
    let run = Run { limits, ..enqueue(&json!(steps)) };
    let answers = result(&run.probe().await);
    for (at, (_, kind, words)) in table.iter().enumerate() {
        assert_error(&answers[at], kind, words);
    }
    assert_eq!(run.host.calls.load(std::sync::atomic::Ordering::Relaxed), 0, "none of them got out");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_creates_no_more_jobs_than_it_may() {
    let limits = Limits { enqueues_max: 3, ..limits() };
    let step = json!({"handler": "digest-send"});
    let run = Run { limits, ..enqueue(&json!([step, step, step, step, step])) };
    let answers = result(&run.probe().await);
    assert_eq!(answers[2], "child-3");
    for at in [3, 4] {
        assert_error(&answers[at], "LimitExceeded", "3 jobs created by this attempt, its limit is 3");
    }
    assert_eq!(run.host.enqueued.lock().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_pending_jobs_goes_to_whoever_counts_them() {
    let limits = Limits { queue_pending_max: 2, enqueues_max: 3, ..limits() };
    let step = json!({"handler": "digest-send"});
    let run = Run { limits, ..enqueue(&json!([step, step, step, step])) };
    let answers = result(&run.probe().await);
    assert_eq!(answers[1], "child-2");
    for at in [2, 3] {
        // Not "3 jobs created": what was refused is not counted as created.
        assert_error(&answers[at], "LimitExceeded", "2 pending jobs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stores_faults_reach_whoever_enqueues() {
    for (fault, expected) in
        [(HostFault::LeaseLost, "LeaseLost"), (HostFault::Unavailable("away".into()), "Unavailable")]
    {
        let host = Arc::new(Memory { fault: Some(fault), ..Memory::default() });
        let run = Run { host, ..enqueue(&json!([{"handler": "digest-send"}])) };
        assert_error(&result(&run.probe().await)[0], expected, "");
    }
}

//! What a job remembers of its attempts.

use crate::given::{
    STALLED, USAGE, claim_one, error, get, pending, reap_one, record, retry_at_once, running, silence,
};
use flowmonkey_jobs::job::{HISTORY_ENTRIES_MAX, Status, Transition, Wake};
use flowmonkey_tests::database::Fixture;
use serde_json::{Value, json};

on_both_stores! {
    an_attempt_leaves_one_entry,
    attempts_are_remembered_in_order,
    history_is_bounded_whatever_ends_the_attempt,
    a_retry_by_an_operator_keeps_the_history,
}

async fn an_attempt_leaves_one_entry(f: Fixture) {
    let wait = Transition::Wait { until: Wake::At(0), reason: None };
    let table = [
        (Transition::Complete(None), "completed", None),
        (Transition::Fail(error("F")), "failed", Some(error("F"))),
        (retry_at_once("R"), "retried", Some(error("R"))),
        (wait, "waiting", None),
        (Transition::Release, "released", None),
    ];
    for (end, outcome, expected) in table {
        let lease = running(&f).await;
        record(&f, &lease, end).await;
        let job = get(&f, &lease.job_id).await;
        let [entry] = job.history.as_slice() else { panic!("{:?}", job.history) };
        assert_eq!((entry.outcome.as_str(), entry.error.as_ref()), (outcome, expected.as_ref()));
        assert_eq!((entry.attempt, &entry.instance_id), (1, &lease.instance_id));
        assert_eq!((entry.runner_id.as_deref(), entry.usage), (Some("runner-1"), Some(USAGE)));
        assert_eq!(entry.at, job.updated_at);
        f.execute("delete from fm_jobs").await;
    }
}

async fn attempts_are_remembered_in_order(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, retry_at_once("X")).await;
    record(&f, &claim_one(&f).await.lease, Transition::Release).await;
    claim_one(&f).await;
    silence(&f, &lease.job_id).await;
    reap_one(&f).await;
    claim_one(&f).await;
    f.store.cancel(&lease.job_id).await.unwrap();
    let history = get(&f, &lease.job_id).await.history;
    let seen: Vec<_> = history.iter().map(|entry| (entry.attempt, entry.outcome.as_str())).collect();
    assert_eq!(seen, [(1, "retried"), (2, "released"), (2, "stalled"), (3, "cancelled")]);
}

/// The attempts of the seed are numbered from 1, so the oldest kept one tells what fell out.
async fn history_is_bounded_whatever_ends_the_attempt(f: Fixture) {
    let max = HISTORY_ENTRIES_MAX as usize;
    // entries before, entries after, the oldest of them
    for (before, after, oldest) in [(max - 1, max, 1), (max, max, 2)] {
        for outcome in ["retried", "stalled", "cancelled"] {
            let job = pending(&f).await;
            let seed: Vec<Value> = (1..=before).map(seed_entry).collect();
            f.set(&job.id, &format!("history = '{}'", Value::from(seed))).await;
            let lease = claim_one(&f).await.lease;
            match outcome {
                "retried" => drop(record(&f, &lease, retry_at_once("X")).await),
                "stalled" => {
                    silence(&f, &job.id).await;
                    assert_eq!(f.store.reap(STALLED, 1).await.unwrap().len(), 1);
                }
                _ => drop(f.store.cancel(&job.id).await.unwrap()),
            }
            let history = get(&f, &job.id).await.history;
            assert_eq!((history.len(), history[0].attempt), (after, oldest), "{outcome}");
            assert_eq!(history[after - 1].outcome, outcome);
            assert_eq!(history[after - 1].instance_id, lease.instance_id);
            f.execute("delete from fm_jobs").await;
        }
    }
}

fn seed_entry(attempt: usize) -> Value {
    json!({"attempt": attempt, "instance_id": format!("i{attempt}"), "outcome": "retried", "at": attempt})
}

async fn a_retry_by_an_operator_keeps_the_history(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, Transition::Fail(error("X"))).await;
    f.store.retry(&lease.job_id).await.unwrap();
    let job = get(&f, &lease.job_id).await;
    assert_eq!((job.status, job.history.len()), (Status::Pending, 1));
}

//! Guests that call the database as often as they can.

use crate::rig::{Memory, Run, limits, result};
use flowmonkey_jobs::sandbox::{Grants, Limits};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const STORM: usize = 1000;
const PER_SECOND: usize = 5;

/// A thousand times one call, with every grant; returns what the guest was told, and its host.
async fn storm(of: &str, step: &Value, limits: Limits) -> (Value, Arc<Memory>) {
    let grants = Grants {
        context: true,
        idempotency: true,
        queue: ["digest-send".to_owned()].into(),
        ..Grants::default()
    };
    let limits = Limits { fuel: limits.fuel.map(|fuel| fuel * 20), ..limits };
    let input = json!({"do": "storm", "of": of, "step": step, "n": STORM});
    let run = Run { grants, limits, ..Run::with(input) };
    let told = result(&run.probe().await);
    (told, run.host)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_any_call_that_reaches_the_database_is_bounded() {
    let limits = Limits { store_calls_per_second: PER_SECOND as u32, ..limits() };
    for (of, step) in [
        ("checkpoints", json!(["save", "k", "1"])),
        ("checkpoints", json!(["clear"])),
        ("context", json!(["get", "k"])),
        ("context", json!(["set", "k", "1"])),
        ("context", json!(["delete", "k"])),
        ("context", json!(["keys"])),
        ("queue", json!({"handler": "digest-send"})),
        ("idempotency", json!(["lookup", "k"])),
        ("idempotency", json!(["record", "k", "1"])),
    ] {
        let (told, host) = storm(of, &step, limits).await;
        let done = told["done"].as_u64().unwrap() as usize;
        assert!((PER_SECOND..STORM).contains(&done), "{of} {step}: {told}");
        assert_eq!(host.calls.load(Ordering::Relaxed), done, "{of} {step}: what is refused goes no further");
        let refusal = told["refusal"].as_str().unwrap();
        assert!(refusal.contains("LimitExceeded") && refusal.contains("5 calls a second"), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_database_may_be_called_at_will() {
    let limits = Limits { store_calls_per_second: 1, ..limits() };
    for step in [json!(["restore", "k"]), json!(["keys"]), json!(["delete", "k"])] {
        let (told, host) = storm("checkpoints", &step, limits).await;
        assert_eq!(told, json!({"done": STORM, "refusal": null}), "{step}");
        assert_eq!(host.calls.load(Ordering::Relaxed), 0, "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_within_the_rate_ends_at_the_number_of_jobs() {
    let limits = Limits { store_calls_per_second: 10_000, enqueues_max: 30, ..limits() };
    let (told, host) = storm("queue", &json!({"handler": "digest-send"}), limits).await;
    assert_eq!(told["done"], 30, "{told}");
    assert!(told["refusal"].as_str().unwrap().contains("its limit is 30"), "{told}");
    assert_eq!(host.calls.load(Ordering::Relaxed), 30);
}

//! What a guest may remember for its handler's other jobs. The twin without the grant is in `capability`.

use crate::rig::{Run, limits, result};
use flowmonkey_jobs::job::Keep;
use flowmonkey_jobs::sandbox::{Grants, Limits};
use serde_json::{Value, json};

fn run(limits: Limits, steps: &Value) -> Run {
    let grants = Grants { idempotency: true, ..Grants::default() };
    Run { grants, limits, ..Run::with(json!({"do": "idempotency", "steps": steps})) }
}

fn assert_error(answer: &Value, kind: &str, words: &str) {
    let error = answer["error"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(error.contains(kind) && error.contains(words), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_is_found_for_whoever_has_the_grant() {
    let steps = json!([
        ["lookup", "a"],
        ["record", "a", "{\"sent\": true}"],
        ["lookup", "a"],
        ["record", "b", "1", 60_000],
    ]);
    let run = run(limits(), &steps);
    assert_eq!(result(&run.probe().await), json!([null, "recorded", "{\"sent\": true}", "recorded"]));
    let remembered = run.host.remembered.lock().unwrap();
    assert_eq!((remembered["a"].1, remembered["b"].1), (Keep::FOR_GOOD, Keep::millis(60_000).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_values_and_times_are_checked() {
    let long = "k".repeat(257);
    let table = [
        (json!(["lookup", ""]), "Invalid", "1 to 256 bytes"),
        (json!(["lookup", long]), "Invalid", "1 to 256 bytes"),
        (json!(["record", "", "1"]), "Invalid", "1 to 256 bytes"),
        (json!(["record", long, "1"]), "Invalid", "1 to 256 bytes"),
        (json!(["record", "a", "{"]), "Invalid", "not JSON"),
        (json!(["record", "a", "1", 0]), "Invalid", "between 1 ms and ten years"),
        (json!(["record", "a", "1", u64::MAX]), "Invalid", "between 1 ms and ten years"),
        (json!(["record-large", "a", 99]), "LimitExceeded", "idempotency value has 101 bytes"),
    ];
    let steps: Vec<&Value> = table.iter().map(|(step, _, _)| step).collect();
    let limits = Limits { idempotency_value_bytes_max: 100, ..limits() };
    let refused = run(limits, &json!(steps));
    let answers = result(&refused.probe().await);
    for (at, (_, kind, words)) in table.iter().enumerate() {
        assert_error(&answers[at], kind, words);
    }
    assert!(refused.host.remembered.lock().unwrap().is_empty());
    let fits = run(limits, &json!([["record-large", "k".repeat(256), 98], ["record", "b", "1", 1]]));
    assert_eq!(result(&fits.probe().await), json!(["recorded", "recorded"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_records_no_more_keys_than_it_may() {
    let limits = Limits { idempotency_records_max: 2, ..limits() };
    let steps = json!([
        ["record", "a", "1"],
        ["record", "b", "1"],
        ["record", "c", "1"],
        ["record", "d", "1"],
        ["lookup", "a"],
    ]);
    let run = run(limits, &steps);
    let answers = result(&run.probe().await);
    assert_eq!(
        (&answers[0], &answers[1], &answers[4]),
        (&json!("recorded"), &json!("recorded"), &json!("1"))
    );
    for at in [2, 3] {
        let words = "2 idempotency keys recorded by this attempt, its limit is 2";
        assert_error(&answers[at], "LimitExceeded", words);
    }
    assert_eq!(run.host.remembered.lock().unwrap().len(), 2);
}

//! What a guest writes while it runs: checkpoints and progress. How a lost lease is refused is in
//! `fence`.

use crate::given::{
    claim_one, get, json, progress, reap_one, record, retry_at_once, running, silence, value,
};
use flowmonkey_jobs::job::{JSON_DEPTH_MAX, JsonText, Lease, Progress, Transition};
use flowmonkey_tests::database::Fixture;
use std::collections::BTreeMap;

on_both_stores! {
    saving_one_value_leaves_the_others,
    the_last_value_of_a_key_wins,
    a_null_value_is_a_value,
    any_text_may_be_a_key,
    numbers_keep_every_digit,
    values_of_every_shape_come_back,
    deleting_one_value_leaves_the_others,
    deleting_the_last_value_leaves_none,
    clearing_removes_all_values,
    checkpoints_reach_the_next_attempt_whatever_ended_the_last,
    every_write_is_a_sign_of_life,
    saving_at_once_under_two_keys_keeps_both,
    progress_is_shown_while_the_job_runs,
}

/// Each value as its exact text.
async fn stored(f: &Fixture, lease: &Lease) -> BTreeMap<String, String> {
    let Some(checkpoint) = get(f, &lease.job_id).await.checkpoint else { return BTreeMap::new() };
    let values: BTreeMap<String, JsonText> = serde_json::from_str(checkpoint.as_str()).unwrap();
    values.into_iter().map(|(key, value)| (key, value.to_string())).collect()
}

async fn save(f: &Fixture, lease: &Lease, key: &str, text: &str) {
    f.store.save_checkpoint(lease, key, &json(text)).await.unwrap();
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

async fn saving_one_value_leaves_the_others(f: Fixture) {
    let lease = running(&f).await;
    for (key, text) in [("a", "1"), ("b", "2"), ("c", "3")] {
        save(&f, &lease, key, text).await;
    }
    assert_eq!(stored(&f, &lease).await, pairs([("a", "1"), ("b", "2"), ("c", "3")]));
}

async fn the_last_value_of_a_key_wins(f: Fixture) {
    let lease = running(&f).await;
    for text in ["{\"x\":1}", "[1,2]", "\"last\""] {
        save(&f, &lease, "a", text).await;
    }
    // Replaced, not merged.
    assert_eq!(stored(&f, &lease).await, pairs([("a", "\"last\"")]));
}

async fn a_null_value_is_a_value(f: Fixture) {
    let lease = running(&f).await;
    save(&f, &lease, "a", "null").await;
    save(&f, &lease, "b", "1").await;
    assert_eq!(stored(&f, &lease).await, pairs([("a", "null"), ("b", "1")]));
}

async fn any_text_may_be_a_key(f: Fixture) {
    let keys = [
        "", " ", "a.b", "$", "$.a", "$[0]", "0", "[0]", "a'b", "a\"b", "a\\b", "größe", "日本", "😀", "{}",
        "null", "$1", "?1", "%s", "a\nb", "-", "#-", "\u{2028}",
    ];
    let lease = running(&f).await;
    for (at, key) in keys.iter().enumerate() {
        save(&f, &lease, key, &at.to_string()).await;
    }
    let expected: BTreeMap<_, _> =
        keys.iter().enumerate().map(|(at, key)| ((*key).to_owned(), at.to_string())).collect();
    assert_eq!(stored(&f, &lease).await, expected);
    for (at, key) in keys.iter().enumerate() {
        f.store.delete_checkpoint(&lease, key).await.unwrap();
        assert_eq!(stored(&f, &lease).await.len(), keys.len() - at - 1, "{key:?}");
    }
}

async fn numbers_keep_every_digit(f: Fixture) {
    let lease = running(&f).await;
    let numbers = [
        ("a", "9007199254740993"),
        ("b", "123456789012345678901234567890"),
        ("c", "0.1000000000000000055511151231257827"),
        ("d", "1.50"),
    ];
    for (key, text) in numbers {
        save(&f, &lease, key, text).await;
    }
    save(&f, &lease, "e", "0").await;
    f.store.delete_checkpoint(&lease, "e").await.unwrap();
    assert_eq!(stored(&f, &lease).await, pairs(numbers));
}

async fn values_of_every_shape_come_back(f: Fixture) {
    let deepest = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
    let lease = running(&f).await;
    for text in ["{}", "[]", "\"\"", "false", "\"größe \\\"'\"", "\"\\\\u0000\"", deepest.as_str()] {
        save(&f, &lease, "k", text).await;
        save(&f, &lease, "other", "1").await;
        assert_eq!(stored(&f, &lease).await["k"], text);
    }
}

async fn deleting_one_value_leaves_the_others(f: Fixture) {
    let lease = running(&f).await;
    save(&f, &lease, "a", "1").await;
    save(&f, &lease, "b", "{\"a\":2}").await;
    for key in ["a", "a", "unknown"] {
        f.store.delete_checkpoint(&lease, key).await.unwrap();
        assert_eq!(value(&get(&f, &lease.job_id).await.checkpoint.unwrap())["b"]["a"], 2);
        assert_eq!(stored(&f, &lease).await.len(), 1);
    }
}

async fn deleting_the_last_value_leaves_none(f: Fixture) {
    let lease = running(&f).await;
    f.store.delete_checkpoint(&lease, "a").await.unwrap();
    assert_eq!(get(&f, &lease.job_id).await.checkpoint, None);
    save(&f, &lease, "a", "1").await;
    f.store.delete_checkpoint(&lease, "a").await.unwrap();
    assert_eq!(get(&f, &lease.job_id).await.checkpoint, None);
    save(&f, &lease, "b", "2").await;
    assert_eq!(stored(&f, &lease).await, pairs([("b", "2")]));
}

async fn clearing_removes_all_values(f: Fixture) {
    let lease = running(&f).await;
    f.store.clear_checkpoints(&lease).await.unwrap();
    save(&f, &lease, "a", "1").await;
    save(&f, &lease, "b", "2").await;
    f.store.clear_checkpoints(&lease).await.unwrap();
    assert_eq!(get(&f, &lease.job_id).await.checkpoint, None);
    save(&f, &lease, "c", "3").await;
    assert_eq!(stored(&f, &lease).await, pairs([("c", "3")]));
}

async fn checkpoints_reach_the_next_attempt_whatever_ended_the_last(f: Fixture) {
    let mut lease = running(&f).await;
    f.set(&lease.job_id, "max_attempts = 9").await;
    for (at, how) in ["retried", "released", "stalled", "cancelled"].into_iter().enumerate() {
        save(&f, &lease, how, &at.to_string()).await;
        match how {
            "retried" => drop(record(&f, &lease, retry_at_once("X")).await),
            "released" => drop(record(&f, &lease, Transition::Release).await),
            "stalled" => {
                silence(&f, &lease.job_id).await;
                reap_one(&f).await;
            }
            _ => {
                f.store.cancel(&lease.job_id).await.unwrap();
                f.store.retry(&lease.job_id).await.unwrap();
            }
        }
        let claimed = claim_one(&f).await;
        let handed: BTreeMap<String, u64> =
            serde_json::from_str(claimed.checkpoint.unwrap().as_str()).unwrap();
        assert_eq!((handed.len(), handed[how]), (at + 1, at as u64), "{how}");
        lease = claimed.lease;
    }
}

async fn every_write_is_a_sign_of_life(f: Fixture) {
    let lease = running(&f).await;
    for at in 0..4 {
        let before = f.now().await;
        silence(&f, &lease.job_id).await;
        match at {
            0 => f.store.save_checkpoint(&lease, "a", &json("1")).await.unwrap(),
            1 => f.store.delete_checkpoint(&lease, "a").await.unwrap(),
            2 => f.store.clear_checkpoints(&lease).await.unwrap(),
            _ => f.store.progress(&lease, &progress(1.0, None)).await.unwrap(),
        }
        assert!(get(&f, &lease.job_id).await.heartbeat_at.unwrap() >= before, "write {at}");
    }
}

async fn saving_at_once_under_two_keys_keeps_both(f: Fixture) {
    let lease = running(&f).await;
    for round in 0..20 {
        let text = json(&round.to_string());
        let (a, b) = tokio::join!(
            f.store.save_checkpoint(&lease, "a", &text),
            f.store.save_checkpoint(&lease, "b", &text)
        );
        assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
        let round = round.to_string();
        assert_eq!(stored(&f, &lease).await, pairs([("a", &round), ("b", &round)]));
    }
}

async fn progress_is_shown_while_the_job_runs(f: Fixture) {
    let lease = running(&f).await;
    let table = [progress(0.0, None), progress(12.5, Some("größe \"x\"")), progress(100.0, Some(""))];
    for progress in table {
        f.store.progress(&lease, &progress).await.unwrap();
        let job = get(&f, &lease.job_id).await;
        assert_eq!(job.progress, Some(progress));
    }
    // The column is FlowMonkey's.
    let text = f.text("select cast(progress as text) from fm_jobs").await.unwrap();
    let read: Progress = serde_json::from_str(&text).unwrap();
    assert_eq!(read, progress(100.0, Some("")));
}

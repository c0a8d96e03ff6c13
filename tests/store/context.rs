//! What an attempt does with its execution's context.

use crate::given::{Loss, execution_row, json, running, running_of, value, waiting_execution};
use crate::hold::{blocked, hold, start};
use flowmonkey_jobs::job::{JSON_DEPTH_MAX, JsonText, Lease};
use flowmonkey_jobs::store::{CONTEXT_BYTES_MAX, CONTEXT_KEYS_MAX, ContextFault, StoreError};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    a_value_is_read_as_it_was_written,
    a_write_leaves_the_other_keys_alone,
    a_delete_takes_one_key,
    keys_come_in_order,
    a_key_may_be_any_text,
    numbers_keep_every_digit,
    a_job_without_an_execution_has_no_context,
    a_lost_lease_reads_and_writes_nothing,
    a_wrong_instance_reads_and_writes_nothing,
    too_many_keys_are_refused_and_nothing_changes,
    too_many_bytes_are_refused_and_nothing_changes,
    a_large_value_that_fits_is_kept,
    a_context_that_is_no_object_counts_as_empty,
}

on_postgres! {
    a_write_that_waits_for_a_rival_finds_its_lease_lost,
    a_write_that_waits_for_the_executions_engine_keeps_what_that_wrote,
}

async fn given(f: &Fixture) -> Lease {
    waiting_execution(f, "e", "s").await;
    running_of(f, "e", "s").await
}

async fn get(f: &Fixture, lease: &Lease, key: &str) -> Option<JsonText> {
    f.store.context_value(lease, key).await.unwrap()
}

async fn set(f: &Fixture, lease: &Lease, key: &str, text: &str) {
    f.store.set_context(lease, key, &json(text)).await.unwrap();
}

async fn keys(f: &Fixture, lease: &Lease) -> Vec<String> {
    f.store.context_keys(lease).await.unwrap()
}

/// Each of the four, with what it came to.
async fn all(f: &Fixture, lease: &Lease) -> [Result<(), ContextFault>; 4] {
    [
        f.store.context_value(lease, "kept").await.map(drop),
        f.store.context_keys(lease).await.map(drop),
        f.store.set_context(lease, "kept", &json("\"late\"")).await,
        f.store.delete_context(lease, "kept").await,
    ]
}

async fn a_value_is_read_as_it_was_written(f: Fixture) {
    let lease = given(&f).await;
    assert_eq!(get(&f, &lease, "a").await, None);
    let deepest = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
    for text in ["null", "false", "\"\"", "[]", "{}", r#"{"b": [1, "größe 😀", null]}"#] {
        set(&f, &lease, "a", text).await;
        assert_eq!(value(&get(&f, &lease, "a").await.unwrap()), value(&json(text)));
    }
    set(&f, &lease, "a", &deepest).await;
    set(&f, &lease, "b", "1").await;
    assert_eq!(get(&f, &lease, "a").await.unwrap().as_str(), deepest);
}

async fn a_write_leaves_the_other_keys_alone(f: Fixture) {
    let lease = given(&f).await;
    set(&f, &lease, "a", "1").await;
    set(&f, &lease, "b", "2").await;
    set(&f, &lease, "a", "3").await;
    let execution = f.store.execution("e").await.unwrap().unwrap();
    let expected = json(r#"{"kept": 9007199254740993, "a": 3, "b": 2}"#);
    assert_eq!(value(&execution.context), value(&expected));
    assert_eq!((execution.status.as_str(), execution.wake_at), ("waiting", None));
}

async fn a_delete_takes_one_key(f: Fixture) {
    let lease = given(&f).await;
    set(&f, &lease, "a", "1").await;
    for _ in 0..2 {
        f.store.delete_context(&lease, "a").await.unwrap();
        assert_eq!(keys(&f, &lease).await, ["kept"]);
    }
    f.store.delete_context(&lease, "kept").await.unwrap();
    assert_eq!(keys(&f, &lease).await, [""; 0]);
}

async fn keys_come_in_order(f: Fixture) {
    let lease = given(&f).await;
    for key in ["b", "ä", "B", "a b", "a", "10", "9", ""] {
        set(&f, &lease, key, "1").await;
    }
    assert_eq!(keys(&f, &lease).await, ["", "10", "9", "B", "a", "a b", "b", "kept", "ä"]);
}

async fn a_key_may_be_any_text(f: Fixture) {
    let lease = given(&f).await;
    for (at, key) in
        ["a.b", "$", "$.a", "[0]", "a\"b", "it's", "größe 😀", "\\", " ", "", "{}"].iter().enumerate()
    {
        set(&f, &lease, key, &at.to_string()).await;
        assert_eq!(get(&f, &lease, key).await, Some(json(&at.to_string())), "{key}");
        assert!(keys(&f, &lease).await.contains(&(*key).to_owned()), "{key}");
    }
    for key in ["a.b", "$", "[0]", "a\"b", ""] {
        f.store.delete_context(&lease, key).await.unwrap();
        assert_eq!(get(&f, &lease, key).await, None, "{key}");
    }
    assert_eq!(keys(&f, &lease).await.len(), 1 + 11 - 5);
}

async fn numbers_keep_every_digit(f: Fixture) {
    let lease = given(&f).await;
    for number in
        ["9007199254740993", "123456789012345678901234567890", "1.50", "-0.000000000000000000000001"]
    {
        set(&f, &lease, "a", number).await;
        set(&f, &lease, "b", "1").await;
        assert_eq!(get(&f, &lease, "a").await.unwrap().as_str(), number);
    }
    assert_eq!(get(&f, &lease, "kept").await.unwrap().as_str(), "9007199254740993");
}

async fn a_job_without_an_execution_has_no_context(f: Fixture) {
    let lease = running(&f).await;
    for done in all(&f, &lease).await {
        assert!(matches!(done, Err(ContextFault::NoExecution)), "{done:?}");
    }
}

fn is_lost(done: &Result<(), ContextFault>) -> bool {
    matches!(done, Err(ContextFault::Store(StoreError::LeaseLost)))
}

async fn a_lost_lease_reads_and_writes_nothing(f: Fixture) {
    for loss in Loss::ALL {
        let lease = given(&f).await;
        loss.befall(&f, &lease).await;
        let before = (execution_row(&f, "e").await, f.row(&lease.job_id).await);
        for (at, done) in all(&f, &lease).await.iter().enumerate() {
            assert!(is_lost(done), "{loss:?} {at}: {done:?}");
        }
        assert_eq!((execution_row(&f, "e").await, f.row(&lease.job_id).await), before, "{loss:?}");
        f.execute("delete from fm_executions").await;
        assert!(all(&f, &lease).await.iter().all(is_lost), "deleted");
    }
}

async fn a_wrong_instance_reads_and_writes_nothing(f: Fixture) {
    let lease = given(&f).await;
    let before = execution_row(&f, "e").await;
    let wrong = Lease { instance_id: String::new(), ..lease.clone() };
    assert!(all(&f, &wrong).await.iter().all(is_lost));
    assert_eq!(execution_row(&f, "e").await, before);
    assert!(all(&f, &lease).await.iter().all(Result::is_ok));
}

async fn assert_refused(f: &Fixture, lease: &Lease, key: &str, value: &JsonText, word: &str) {
    let before = (execution_row(f, "e").await, f.row(&lease.job_id).await);
    match f.store.set_context(lease, key, value).await {
        Err(ContextFault::LimitExceeded(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!((execution_row(f, "e").await, f.row(&lease.job_id).await) == before, "something changed");
}

async fn too_many_keys_are_refused_and_nothing_changes(f: Fixture) {
    let lease = given(&f).await;
    let full: Vec<_> = (1..CONTEXT_KEYS_MAX).map(|at| format!("\"k{at}\": {at}")).collect();
    f.execute(&format!("update fm_executions set context = '{{{}}}'", full.join(", "))).await;
    set(&f, &lease, "last", "1").await;
    assert_refused(&f, &lease, "one more", &json("1"), "501 keys, over the limit of 500").await;
    // What is there may change, and make room.
    set(&f, &lease, "last", "2").await;
    f.store.delete_context(&lease, "k7").await.unwrap();
    set(&f, &lease, "one more", "3").await;
    assert_eq!(keys(&f, &lease).await.len(), CONTEXT_KEYS_MAX);
}

/// A JSON string of so many bytes.
fn text_of(bytes: usize) -> JsonText {
    JsonText::parse_limited(&format!("\"{}\"", "x".repeat(bytes - 2)), bytes).unwrap()
}

async fn too_many_bytes_are_refused_and_nothing_changes(f: Fixture) {
    let lease = given(&f).await;
    assert_refused(&f, &lease, "a", &text_of(CONTEXT_BYTES_MAX), "over the limit of 10485760").await;
    let six = text_of(6 * 1024 * 1024);
    f.store.set_context(&lease, "a", &six).await.unwrap();
    assert_refused(&f, &lease, "b", &six, "over the limit of 10485760").await;
    // The keys count, too.
    assert_refused(&f, &lease, &"k".repeat(5 * 1024 * 1024), &json("1"), "over the limit").await;
    f.store.delete_context(&lease, "a").await.unwrap();
    f.store.set_context(&lease, "b", &six).await.unwrap();
    assert_eq!(keys(&f, &lease).await, ["b", "kept"]);
}

async fn a_large_value_that_fits_is_kept(f: Fixture) {
    let lease = given(&f).await;
    let large = text_of(CONTEXT_BYTES_MAX - 100);
    f.store.set_context(&lease, "a", &large).await.unwrap();
    assert!(get(&f, &lease, "a").await == Some(large), "it came back as another");
    assert!(get(&f, &lease, "kept").await.is_some());
}

/// Its engine may write any JSON there.
async fn a_context_that_is_no_object_counts_as_empty(f: Fixture) {
    for odd in ["null", "5", "[1]", "\"text\""] {
        let lease = given(&f).await;
        let make_odd = format!("update fm_executions set context = '{odd}'");
        f.execute(&make_odd).await;
        assert_eq!(get(&f, &lease, "a").await, None, "{odd}");
        assert_eq!(keys(&f, &lease).await, [""; 0], "{odd}");
        f.store.delete_context(&lease, "a").await.unwrap();
        f.execute(&make_odd).await;
        set(&f, &lease, "a", "1").await;
        assert_eq!(keys(&f, &lease).await, ["a"], "{odd}");
        f.execute(&make_odd).await;
        let end = flowmonkey_jobs::job::Transition::Complete(Some(json("7")));
        crate::given::record(&f, &lease, end).await;
        let context = f.store.execution("e").await.unwrap().unwrap().context;
        assert_eq!(value(&context), value(&json("{\"s\": 7}")), "{odd}");
        f.execute("delete from fm_executions").await;
    }
}

async fn a_write_that_waits_for_a_rival_finds_its_lease_lost(f: Fixture) {
    for deletes in [false, true] {
        let lease = given(&f).await;
        let before = execution_row(&f, "e").await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, "update fm_jobs set instance_id = 'rival'", &lease.job_id).await;
        let write = start(&f, |store| async move {
            if deletes {
                return store.delete_context(&lease, "kept").await;
            }
            store.set_context(&lease, "kept", &json("1")).await
        });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        assert!(is_lost(&write.await.unwrap()));
        assert_eq!(execution_row(&f, "e").await, before);
        f.execute("delete from fm_executions").await;
    }
}

async fn a_write_that_waits_for_the_executions_engine_keeps_what_that_wrote(f: Fixture) {
    let lease = given(&f).await;
    let mut rival = f.pg().begin().await.unwrap();
    hold(&mut rival, "update fm_executions set context = '{\"theirs\": 1}'", "e").await;
    let late = lease.clone();
    let write = start(&f, |store| async move { store.set_context(&late, "ours", &json("2")).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(keys(&f, &lease).await, ["ours", "theirs"]);
}

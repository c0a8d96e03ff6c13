//! What a guest returns, and what the host makes of it.

use crate::rig::{Run, ending, error, limits, result, sandbox};
use flowmonkey_jobs::job::{Outcome, WAIT_MAX, Wake};
use flowmonkey_jobs::sandbox::{Control, Directive, Limits};
use flowmonkey_tests::guests::{self, HostFunction};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn json_goes_in_and_comes_out_as_it_is() {
    let input = json!({"do": "echo", "a": [1, -2.5, true, null, "ü😀\n"], "b": {"": {}}});
    let report = Run::with(&input).probe().await;
    assert_eq!(result(&report), input);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_cannot_be_stored_fail_with_the_reason() {
    let table = [
        (json!({"do": "raw-result", "text": "{"}), "INVALID_OUTPUT", "not JSON"),
        (json!({"do": "raw-result", "text": ""}), "INVALID_OUTPUT", "not JSON"),
        (json!({"do": "raw-result", "text": "\"\\u0000\""}), "INVALID_OUTPUT", "NUL"),
        (json!({"do": "raw-result", "text": "\"\\ud800\""}), "INVALID_OUTPUT", "lone surrogate"),
        (json!({"do": "raw-result", "text": "1e999999"}), "INVALID_OUTPUT", "out of range"),
        (json!({"do": "deep-result", "n": 100_000}), "INVALID_OUTPUT", "deeper than 128"),
        (json!({"do": "large-result", "n": 1_048_576}), "OUTPUT_TOO_LARGE", "over the limit of 1048576"),
        (json!({"do": "large-result", "n": 4_000_000}), "OUTPUT_TOO_LARGE", "cannot be read"),
    ];
    for (input, code, part) in table {
        let report = Run::with(&input).probe().await;
        assert_eq!(ending(&report), code, "{input}: {:?}", report.outcome);
        assert!(error(&report).message.contains(part), "{input}: {:?}", error(&report));
    }
    let report = Run::with(json!({"do": "large-result", "n": 1_048_574})).probe().await;
    assert_eq!(ending(&report), "completed", "the largest that fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_keep_the_guests_words() {
    let input =
        |kind: &str| json!({"do": kind, "code": "NO_LUCK", "text": "why", "details": "{\"a\": 1}", "n": 70});
    let Outcome::Retryable { error, after } = Run::with(input("retryable")).probe().await.outcome else {
        panic!("not retryable")
    };
    assert_eq!((error.code.as_str(), error.message.as_str()), ("NO_LUCK", "why"));
    assert_eq!((error.details.unwrap().as_str(), after), ("{\"a\": 1}", Some(Duration::from_millis(70))));
    assert!(matches!(
        Run::with(input("other")).probe().await.outcome,
        Outcome::Retryable { after: None, .. }
    ));
    assert!(
        matches!(Run::with(input("fatal")).probe().await.outcome, Outcome::Fatal(error) if error.code == "NO_LUCK")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_no_database_could_store_is_cut_to_fit() {
    let input = json!({"do": "fatal", "code": "C".repeat(500), "text": "m".repeat(100_000), "details": "{"});
    let report = Run::with(input).probe().await;
    let error = error(&report);
    assert!(error.code.len() <= 128);
    assert!(error.message.len() <= 4096);
    assert!(error.details.as_ref().unwrap().as_str().contains("details dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_are_understood_and_bounded() {
    let wait = async |input| match Run::with(input).probe().await.outcome {
        Outcome::Wait { until, reason } => (until, reason),
        other => panic!("{other:?}"),
    };
    let (until, reason) = wait(json!({"do": "wait", "n": 5000, "text": "for the bank"})).await;
    assert_eq!((until, reason.as_deref()), (Wake::After(Duration::from_secs(5)), Some("for the bank")));
    assert_eq!(wait(json!({"do": "wait", "at": 1_900_000_000_000u64})).await.0, Wake::At(1_900_000_000_000));
    assert_eq!(wait(json!({"do": "wait", "until": "paid"})).await.0, Wake::Signal("paid".into()));
    assert_eq!(wait(json!({"do": "wait", "n": u64::MAX})).await.0, Wake::After(WAIT_MAX));
    assert_eq!(wait(json!({"do": "wait", "at": u64::MAX})).await.0, Wake::At(i64::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_is_believed_when_the_host_had_asked() {
    let report = Run::with(json!({"do": "cancelled"})).probe().await;
    assert_eq!(ending(&report), "CANCELLED", "nobody had asked");
    for directive in [Directive::Cancel, Directive::Drain] {
        let control = Control::default();
        control.tell(directive);
        let report = Run { control, ..Run::with(json!({"do": "cancelled"})) }.probe().await;
        assert_eq!(ending(&report), "released", "{directive:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_leaves_its_message_and_frames() {
    let report = Run::with(json!({"do": "panic", "text": "the moon is full"})).probe().await;
    let error = error(&report);
    assert_eq!(error.code, "TRAP");
    assert!(error.message.contains("the moon is full") && error.message.contains("src/lib.rs"), "{error:?}");
    assert!(error.backtrace.iter().any(|frame| frame.contains("probe")), "{error:?}");
}

/// Words from long before the end must not stand in for its reason.
#[tokio::test(flavor = "multi_thread")]
async fn last_words_do_not_hide_what_happened() {
    let report = Run::with(json!({"do": "exit", "n": 1, "say": "all is well"})).probe().await;
    let message = &error(&report).message;
    assert!(message.contains("all is well") && message.contains("exit(1)"), "{message:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_through_the_back_door_is_a_trap() {
    for (input, part) in [
        (json!({"do": "exit", "n": 0}), "exit(0)"),
        (json!({"do": "exit", "n": 3}), "exit(1)"),
        (json!({"do": "abort"}), "unreachable"),
    ] {
        let report = Run::with(&input).probe().await;
        assert_eq!(ending(&report), "TRAP", "{input}");
        assert!(error(&report).message.contains(part), "{input}: {:?}", error(&report));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_for_real_allocators_too() {
    let report = Run::with(json!({"do": "take-memory", "n": 8 << 20})).probe().await;
    assert_eq!(ending(&report), "completed");
    assert!(report.usage.memory_bytes > 8 << 20);
    let report = Run::with(json!({"do": "take-memory", "n": 64 << 20})).probe().await;
    assert_eq!(ending(&report), "MEMORY_LIMIT");
    assert!(report.usage.memory_bytes <= limits().memory_bytes_max as u64);
    assert!(error(&report).message.contains("over the limit of 33554432"), "{:?}", error(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_calls_end_with_a_code() {
    let report = Run::with(json!({"do": "overflow", "n": 100})).probe().await;
    assert_eq!(ending(&report), "completed");
    let run = Run {
        limits: Limits { fuel: Some(1 << 40), ..limits() },
        ..Run::with(json!({"do": "overflow", "n": 1u64 << 40}))
    };
    let report = run.probe().await;
    // Rust guests keep a stack of their own in memory, and may leave that before the real one.
    assert!(["STACK_OVERFLOW", "TRAP"].contains(&ending(&report)), "{:?}", report.outcome);
}

const SAVE: HostFunction = HostFunction {
    name: "save",
    import: r#"(import "flowmonkey:jobs/checkpoint@0.1.0" (instance $host
        (type $host-error' (variant (case "denied" string) (case "limit-exceeded" string) (case "lease-lost")
            (case "unavailable" string) (case "invalid" string) (case "other" string)))
        (export "host-error" (type $host-error (eq $host-error')))
        (export "save" (func (param "key" string) (param "value" string)
            (result (result (error $host-error)))))))"#,
    function: "save",
};

/// A handler that calls itself without end, and the host at each level, with five numbers: so also where its stack is
/// nearly used up, and the host works on what is left of it.
fn calls_at_every_depth(host: &HostFunction, arguments: [u32; 5]) -> Vec<u8> {
    let arguments: String = arguments.iter().map(|one| format!("(i32.const {one})")).collect();
    guests::component(&guests::importing_text(
        host,
        &format!(
            r#"(import "host" "{name}" (func $call (param i32 i32 i32 i32 i32)))
            (data (memory $memory) (i32.const 2048) "k[true]")
            (func $deeper (param i32) (result i32)
                (call $call {arguments})
                (i32.add (i32.const 1) (call $deeper (i32.load8_u (i32.const 4096)))))
            (func (export "run") (param i32 i32) (result i32)
                (drop (call $deeper (i32.const 0))) (i32.const 1024))"#,
            name = host.name
        ),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_has_room_where_a_guests_stack_ends() {
    let sandbox = sandbox(1);
    let limits = Limits {
        fuel: Some(1 << 40),
        store_calls_per_second: u32::MAX,
        log_lines_max: usize::MAX,
        log_bytes_max: usize::MAX,
        ..limits()
    };
    for (host, arguments) in [(&SAVE, [2048, 1, 2049, 6, 4096]), (&HostFunction::LOG, [2, 2048, 7, 4096, 1])]
    {
        let prepared = sandbox.prepare(&calls_at_every_depth(host, arguments), &limits).unwrap();
        let run = Run { limits, ..Run::with("1") };
        let report = run.on(&sandbox, &prepared).await;
        assert_eq!(ending(&report), "STACK_OVERFLOW", "{}: {:?}", host.name, report.outcome);
        let served = run.host.calls.load(Ordering::Relaxed) + run.host.lines.lock().unwrap().len();
        assert!(served > 1000, "{}: only {served} levels, or calls that were refused", host.name);
    }
}

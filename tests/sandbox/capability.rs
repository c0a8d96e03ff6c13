//! What a guest may call, and what it may not.

use crate::rig::{Memory, Run, ending, limits, result};
use flowmonkey_jobs::job::JsonText;
use flowmonkey_jobs::job::Progress;
use flowmonkey_jobs::sandbox::{Control, Directive, Grants, HostFault, JobFacts, Limits, LogLevel};
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_learns_the_facts_of_its_job() {
    let facts = JobFacts {
        id: "j".into(),
        handler: "h".into(),
        execution_id: Some("e".into()),
        step_id: Some("s".into()),
        attempt: 2,
        max_attempts: 5,
        resumed_with: Some(JsonText::parse("{\"paid\": 5}").unwrap()),
        deadline_ms: Some(99),
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
    };
    let trace = facts.trace_parent.clone();
    let report = Run { facts, ..Run::with(json!({"do": "facts"})) }.probe().await;
    let expected = json!({"id": "j", "handler": "h", "execution": "e", "step": "s", "key": "j", "attempt": 2,
        "max": 5, "resumed": "{\"paid\": 5}", "deadline": 99, "trace": trace, "cancelled": false});
    assert_eq!(result(&report), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_clamped_cleaned_and_answered() {
    let table = [
        (json!(50.5), 50.5),
        (json!(-3), 0.0),
        (json!(1e9), 100.0),
        (json!("nan"), 0.0),
        (json!("infinity"), 100.0),
    ];
    for (percent, expected) in table {
        let run = Run::with(json!({"do": "progress", "percent": percent, "text": "a\u{1b}[2Jb"}));
        assert_eq!(result(&run.probe().await), "Directive::Proceed");
        let reports = run.host.reports.lock().unwrap();
        let message = Some("a[2Jb".to_owned());
        assert_eq!(*reports, [Progress { percent: expected, message }], "{percent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_tells_what_the_host_wants() {
    for (directive, told) in
        [(Directive::Proceed, "Proceed"), (Directive::Drain, "Drain"), (Directive::Cancel, "Cancel")]
    {
        let control = Control::default();
        control.tell(directive);
        let report = Run { control, ..Run::with(json!({"do": "heartbeat"})) }.probe().await;
        assert_eq!(result(&report), format!("Directive::{told}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_kept_read_and_removed() {
    let run = Run {
        checkpoint: Some(r#"{"old": {"a": 1}, "b": null}"#.into()),
        ..Run::with(json!({"do": "checkpoints", "steps": [
            ["restore", "old"], ["restore", "b"], ["restore", "none"], ["save", "new \"key\".$", "[1]"], ["keys"],
            ["save", "old", "2"], ["restore", "old"], ["delete", "b"], ["delete", "b"], ["keys"],
        ]}))
    };
    let expected = json!([
        r#"{"a": 1}"#,
        "null",
        null,
        "saved",
        ["b", "new \"key\".$", "old"],
        "saved",
        "2",
        "deleted",
        "deleted",
        ["new \"key\".$", "old"],
    ]);
    assert_eq!(result(&run.probe().await), expected);
    let saved = run.host.saved.lock().unwrap();
    assert_eq!(
        saved.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(),
        [("new \"key\".$", "[1]"), ("old", "2")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_can_be_cleared() {
    let steps = json!([["save", "a", "1"], ["clear"], ["keys"], ["restore", "a"]]);
    let run = Run::with(json!({"do": "checkpoints", "steps": steps}));
    assert_eq!(result(&run.probe().await), json!(["saved", "cleared", [], null]));
    assert!(run.host.saved.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_over_a_limit_are_refused_and_the_guest_goes_on() {
    let limits = Limits { checkpoint_value_bytes_max: 1000, checkpoint_bytes_max: 2000, ..limits() };
    let steps = json!([
        ["save-large", "a", 900],
        ["save-large", "b", 1000],
        ["save-large", "b", 900],
        ["save-large", "c", 900],
        ["save-large", "a", 10],
        ["save-large", "c", 900],
        ["save", "", "1"],
        ["save", "k", "{"],
        ["save", "k", "\"\\u0000\""],
    ]);
    let run = Run { limits, ..Run::with(json!({"do": "checkpoints", "steps": steps})) };
    let answers = result(&run.probe().await);
    let kind = |at: usize| match answers[at]["error"].as_str() {
        None => "saved",
        Some(error) if error.contains("LimitExceeded") => "limit",
        Some(error) if error.contains("Invalid") => "invalid",
        Some(other) => panic!("{other}"),
    };
    let kinds: Vec<&str> = (0..9).map(kind).collect();
    assert_eq!(
        kinds,
        ["saved", "limit", "saved", "limit", "saved", "saved", "invalid", "invalid", "invalid"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stores_faults_reach_the_guest_as_what_they_are() {
    for (fault, expected) in [
        (HostFault::LeaseLost, "LeaseLost"),
        (HostFault::Unavailable("away".into()), "Unavailable(\"away\")"),
        (HostFault::Invalid("odd".into()), "Invalid(\"odd\")"),
        (HostFault::Other("bug".into()), "Other(\"bug\")"),
    ] {
        let host = Arc::new(Memory { fault: Some(fault), ..Memory::default() });
        let steps = json!([["save", "a", "1"], ["keys"]]);
        let run = Run { host, ..Run::with(json!({"do": "checkpoints", "steps": steps})) };
        let answers = result(&run.probe().await);
        assert!(answers[0]["error"].as_str().unwrap().contains(expected), "{answers}");
        assert_eq!(answers[1], json!([]), "what was not stored is not there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_grant_answers_denied_and_names_it() {
    let found = result(&Run::with(json!({"do": "denied"})).probe().await);
    for (grant, calls) in [("context", 4), ("queue", 1), ("idempotency", 2)] {
        let answers = found[grant].as_array().unwrap();
        assert_eq!(answers.len(), calls);
        for answer in answers {
            let answer = answer.as_str().unwrap();
            assert!(answer.contains("Denied") && answer.contains(&format!("no grant `{grant}`")), "{answer}");
        }
    }
}

/// The twin of the case above: the same calls with the grant.
#[tokio::test(flavor = "multi_thread")]
async fn the_context_is_there_for_whoever_has_its_grant() {
    let steps = json!([
        ["set", "a", "{\"n\": 1}"],
        ["get", "a"],
        ["set", "b", "2"],
        ["keys"],
        ["delete", "a"],
        ["get", "a"],
        ["keys"],
        ["set", "", "1"],
        ["set", "c", "{"],
        ["set", "d", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"],
        ["set-large", "e", 1_048_574],
        ["set-large", "e", 1_048_575],
    ]);
    let grants = Grants { context: true, ..Grants::default() };
    let run = Run { grants, ..Run::with(json!({"do": "context", "steps": steps})) };
    let found = result(&run.probe().await);
    let found = found.as_array().unwrap();
    let expected = json!(["set", "{\"n\": 1}", "set", ["a", "b"], "deleted", null, ["b"]]);
    assert_eq!(found[..7], expected.as_array().unwrap()[..]);
    for (at, error) in [(7, "Invalid"), (8, "Invalid"), (9, "LimitExceeded"), (11, "LimitExceeded")] {
        assert!(found[at]["error"].as_str().unwrap().contains(error), "{at}: {}", found[at]);
    }
    assert_eq!(found[10], "set");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_ambient_authority() {
    let found = result(&Run::with(json!({"do": "authority"})).probe().await);
    assert_eq!(
        (&found["arguments"], &found["environment"], &found["stdin"]),
        (&json!(0), &json!(0), &json!(0))
    );
    let expected = json!([
        {"list the root": "NotFound"},
        {"list here": "NotFound"},
        {"read a file": "NotFound"},
        {"write a file": "NotFound"},
        {"connect": "PermissionDenied"},
        {"connect out": "PermissionDenied"},
        {"listen": "PermissionDenied"},
        {"udp": "PermissionDenied"},
        // What the C library makes of a denied lookup: "non-recoverable failure".
        {"resolve a name": "Uncategorized"},
    ]);
    assert_eq!(found["attempts"], expected);
    assert!(!std::path::Path::new("/tmp/probe").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn random_numbers_are_there_up_to_a_limit() {
    let report = Run::with(json!({"do": "random", "n": 200})).probe().await;
    assert_eq!(result(&report), 200);
    let limits = Limits { random_bytes_max: 100, ..limits() };
    let report = Run { limits, ..Run::with(json!({"do": "random", "n": 200})) }.probe().await;
    assert_eq!(ending(&report), "TRAP", "{:?}", report.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_prints_goes_to_the_log_line_by_line() {
    let run = Run::with(json!({"do": "print", "n": 2, "text": "hello"}));
    assert_eq!(result(&run.probe().await), 2);
    let lines = run.host.lines.lock().unwrap();
    let count = |level, stream: &str| {
        let field = ("stream".to_owned(), stream.to_owned());
        lines.iter().filter(|line| line.0 == level && line.1 == "hello" && line.2.contains(&field)).count()
    };
    assert_eq!((count(LogLevel::Info, "stdout"), count(LogLevel::Warn, "stderr"), lines.len()), (2, 2, 4));
}

/// What the guest is asked for, the limit that it passes, and the mark that says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_cut_with_one_mark_and_the_guest_goes_on() {
    let (print, log) = (|n: u32, text: &str| json!({"do": "print", "n": n, "text": text}), "log limit of");
    let lines = json!({"do": "log", "n": 20_000, "text": "drop by drop"});
    let (bytes, few) =
        (Limits { log_bytes_max: 10_000, ..limits() }, Limits { log_lines_max: 100, ..limits() });
    let out = Limits { stdout_bytes_max: 5000, stderr_bytes_max: 0, ..limits() };
    let err = Limits { stderr_bytes_max: 5000, stdout_bytes_max: 0, ..limits() };
    for (input, limits, mark, bytes_max) in [
        (print(20_000, "drop by drop"), bytes, log, 11_000),
        (lines.clone(), bytes, log, 11_000),
        (print(1, &"x".repeat(500_000)), bytes, log, 11_000),
        (lines, few, log, 2000),
        (print(20_000, "drop by drop"), few, log, 2000),
        (print(20_000, "drop by drop"), out, "limit of 5000 bytes reached", 5200),
        (print(1, &"x".repeat(500_000)), out, "limit of 5000 bytes reached", 5200),
        (print(20_000, "drop by drop"), err, "limit of 5000 bytes reached", 5200),
    ] {
        let limits = Limits { fuel: limits.fuel.map(|fuel| fuel * 20), ..limits };
        let run = Run { limits, ..Run::with(&input) };
        let report = run.probe().await;
        assert_eq!(ending(&report), "completed", "{:?}", report.outcome);
        let text = run.host.text();
        let marks = text.iter().filter(|line| line.contains(mark)).count();
        assert_eq!(marks, 1, "{} lines of {input}", text.len());
        let bytes: usize = text.iter().map(String::len).sum();
        assert!(bytes < bytes_max, "{bytes} bytes went through");
    }
}

/// The twin: what just fits is all there, without a mark.
#[tokio::test(flavor = "multi_thread")]
async fn what_fits_is_not_cut() {
    let limits = Limits { stdout_bytes_max: 20, stderr_bytes_max: 20, log_lines_max: 5, ..limits() };
    let run = Run { limits, ..Run::with(json!({"do": "print", "n": 2, "text": "123456789"})) };
    assert_eq!(ending(&run.probe().await), "completed");
    assert_eq!(run.host.text(), vec!["123456789"; 4]);
}

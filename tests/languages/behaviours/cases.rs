//! The behaviours that one job each can show.

use super::doing;
use serde_json::{Value, json};

/// One job and what it must come to.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) input: Value,
    pub(crate) attempts: u32,
    /// The workflow execution whose step `look` it is; each has its own, since a step that ends writes into it.
    pub(crate) execution: Option<&'static str>,
    pub(crate) expected: Expected,
}

pub(crate) enum Expected {
    /// It completes with what holds this.
    Result(Value),
    /// It fails with an error that holds this, after so many attempts, and mentions these words.
    Failure { wanted: Value, attempts: u32, mentions: Vec<&'static str> },
}

/// Languages whose ordinary errors are values, without a stack.
const WITHOUT_STACK: [&str; 4] = ["rust", "c", "cpp", "zig"];
/// The largest whole number that every language's JSON keeps: doubles go no further (RFC 8259, section 6).
const WHOLE_MAX: i64 = 9_007_199_254_740_991;

fn case(name: &'static str, what: &str, with: Value, expected: Expected) -> Case {
    Case { name, input: doing(what, with), attempts: 2, execution: None, expected }
}

fn ends(name: &'static str, what: &str, with: Value, result: Value) -> Case {
    case(name, what, with, Expected::Result(result))
}

fn echo(name: &'static str, value: Value) -> Case {
    ends(name, "echo", json!({ "value": value }), value)
}

/// What fails for good does so at its first attempt; else there is a second one.
fn fails(name: &'static str, what: &str, with: Value, (wanted, attempts): (Value, u32)) -> Case {
    case(name, what, with, Expected::Failure { wanted, attempts, mentions: Vec::new() })
}

pub(crate) fn all(language: &str, port: u16) -> Vec<Case> {
    let mut cases = echoes();
    cases.extend(failures(language));
    cases.extend(calls());
    cases.extend(requests(port));
    cases
}

fn echoes() -> Vec<Case> {
    let deep = (0..60).fold(json!("bottom"), |inner, _| json!([inner]));
    vec![
        echo("null", Value::Null),
        echo("booleans", json!([true, false])),
        echo("whole numbers", json!([0, -1, 1_000_000, WHOLE_MAX, -WHOLE_MAX])),
        echo("fractions", json!([0.5, -1.25, 1e300, 1e-7])),
        echo("texts", json!(["", "plain", "quote \" backslash \\ slash / tab \t line \n"])),
        echo("unicode", json!(["ünïcødé", "猿", "🐒", "\u{2028}\u{200d}", "e\u{301}", "\u{1}"])),
        echo("objects", json!({"a": {"b": [1, {"c": null}]}, "": "empty key", "ключ": 1, "__proto__": 2})),
        echo("empty containers", json!([[], {}])),
        echo("nesting", deep),
        echo("a text of 900 kB", json!("0123456789".repeat(90_000))),
        echo("ten thousand values", json!((0..10_000).collect::<Vec<_>>())),
        ends("no result", "nothing", json!({}), Value::Null),
    ]
}

fn failures(language: &str) -> Vec<Case> {
    let given = json!({"code": "BAD_THING", "message": "it is bad: ü", "details": {"at": [1, "x"]}});
    let thrown = json!({"code": if WITHOUT_STACK.contains(&language) { "ERROR" } else { "EXCEPTION" }});
    let stack = if WITHOUT_STACK.contains(&language) { vec![] } else { vec!["deepest"] };
    let mentions = [vec!["no such luck"], stack].concat();
    vec![
        fails("retryable", "retryable", given.clone(), (given.clone(), 2)),
        fails("fatal", "fatal", given.clone(), (given, 1)),
        case(
            "an error or exception of the language",
            "throw",
            json!({"message": "no such luck"}),
            Expected::Failure { wanted: thrown, attempts: 2, mentions },
        ),
        case(
            "a panic or abort",
            "trap",
            json!({}),
            Expected::Failure { wanted: json!({"code": "TRAP"}), attempts: 2, mentions: vec!["trapped"] },
        ),
        fails("an unknown behaviour", "what nobody does", json!({}), (json!({"code": "BAD_INPUT"}), 1)),
        // The handler describes its input: `do` is required, so it never runs.
        Case {
            input: json!({"value": 1}),
            ..fails("a described input", "", json!({}), (json!({"code": "INVALID_INPUT"}), 1))
        },
    ]
}

fn calls() -> Vec<Case> {
    vec![
        ends(
            "facts",
            "facts",
            json!({}),
            json!({"handler": "behaviours", "attempt": 1, "maxAttempts": 2, "executionId": null, "stepId": null,
                "resumedWith": null, "traceParent": null}),
        ),
        Case {
            execution: Some("e1"),
            ..ends(
                "facts of an execution",
                "facts",
                json!({}),
                json!({"executionId": "e1", "stepId": "look"}),
            )
        },
        Case {
            execution: Some("e2"),
            ..ends(
                "context",
                "context",
                json!({"key": "seen", "value": {"n": 1}}),
                json!({"value": {"n": 1}, "keys": ["seen", "user"]}),
            )
        },
        fails(
            "context without an execution",
            "context",
            json!({"key": "k", "value": 1}),
            (json!({"code": "DENIED"}), 1),
        ),
        ends("a configured value", "config", json!({"key": "region"}), json!({"value": "eu"})),
        fails("a key that is not granted", "config", json!({"key": "other"}), (json!({"code": "DENIED"}), 1)),
        Case {
            attempts: 3,
            ..ends(
                "checkpoints over attempts",
                "checkpoint",
                json!({"times": 3}),
                json!({"n": 3, "keys": ["last", "n"], "left": ["n"]}),
            )
        },
        ends(
            "progress",
            "progress",
            json!({"percent": 42.5, "message": "on its way"}),
            json!({"percent": 42.5}),
        ),
        ends("heartbeats", "heartbeat", json!({"turns": 5, "pauseMs": 2}), json!({"turns": 5})),
        ends("sleep", "sleep", json!({"ms": 30}), Value::Null),
        ends("print", "print", json!({"out": "to stdout ü", "err": "to stderr"}), Value::Null),
        ends("log", "log", json!({}), Value::Null),
    ]
}

fn requests(port: u16) -> Vec<Case> {
    let request = json!({
        "method": "POST",
        "url": format!("http://127.0.0.1:{port}/things?a=b"),
        "headers": {"x-key": "k1"},
        "body": "a body",
    });
    let response = json!({"status": 201, "headers": {"x-answer": "yes"}, "body": "answer\u{7f}"});
    vec![
        ends("http", "http", request, response),
        fails(
            "http to nobody",
            "http",
            json!({"method": "GET", "url": "http://127.0.0.1:1/", "headers": {}, "body": ""}),
            (json!({"code": "HTTP_FAILED"}), 2),
        ),
        fails(
            "http to no address",
            "http",
            json!({"method": "GET", "url": "nowhere", "headers": {}, "body": ""}),
            (json!({"code": "INVALID"}), 1),
        ),
    ]
}

/// What must be refused where the operator allows nothing.
pub(crate) fn denied(port: u16) -> Vec<Case> {
    let denied = || (json!({"code": "DENIED"}), 1);
    let url = format!("http://127.0.0.1:{port}/");
    vec![
        fails(
            "denied http",
            "http",
            json!({"method": "GET", "url": url, "headers": {}, "body": ""}),
            denied(),
        ),
        Case {
            execution: Some("e3"),
            ..fails("denied context", "context", json!({"key": "k", "value": 1}), denied())
        },
        fails("denied config", "config", json!({"key": "region"}), denied()),
        fails("denied queue", "enqueue", json!({"input": {}, "uniqueKey": "k"}), denied()),
        fails("denied idempotency", "idempotency", json!({"key": "k", "value": 1}), denied()),
    ]
}

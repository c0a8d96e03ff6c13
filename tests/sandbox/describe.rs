//! What a component says of itself, and what one that means ill says instead.

use crate::rig::{Run, ending, hostile, limits, prepare, sandbox};
use flowmonkey_jobs::catalog::{Metadata, Schemas};
use flowmonkey_jobs::job::{JobError, JsonText};
use flowmonkey_jobs::sandbox::{Limits, Sandbox};
use flowmonkey_tests::guests;
use serde_json::{Value, json};
use std::time::Duration;

/// The fields of a `describe` that answers this text, which lies above what the rest uses.
fn answers(text: &str) -> String {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = text.len();
    format!(
        r#"(data (i32.const 4096) "{escaped}")
        (func (export "describe") (result i32)
            (i32.store (i32.const 2048) (i32.const 4096))
            (i32.store (i32.const 2052) (i32.const {length}))
            (i32.const 2048))"#
    )
}

async fn describe(sandbox: &Sandbox, fields: &str, limits: &Limits) -> Result<Option<JsonText>, JobError> {
    let prepared = sandbox.prepare(&guests::described(fields), limits).unwrap();
    let described = sandbox.describe(&prepared, limits).await;
    // Whatever it said, an attempt of it is as ever.
    let report = Run::with("{}").on(sandbox, &prepared).await;
    assert_eq!(ending(&report), "completed", "{:?}", report.outcome);
    described
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_describes_itself_or_does_not() {
    let sandbox = sandbox(2);
    let says = json!({"name": "mail", "version": "1.2.0", "stateful": true, "default-timeout-ms": 30_000,
        "input-schema": {"type": "object", "required": ["to"]}});
    let text = describe(&sandbox, &answers(&says.to_string()), &limits()).await.unwrap().unwrap();
    let metadata = Metadata::parse(&text).unwrap();
    assert_eq!((metadata.name.as_deref(), metadata.version.as_deref()), (Some("mail"), Some("1.2.0")));
    assert_eq!(metadata.default_timeout, Some(Duration::from_secs(30)));
    let schemas = Schemas::compile(metadata.schemas.input.as_ref(), None, None).unwrap();
    assert!(schemas.input_error(&JsonText::parse("{}").unwrap()).is_some());
    let silent = hostile(&sandbox, "does-nothing", &limits());
    assert_eq!(sandbox.describe(&silent, &limits()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_description_is_refused_by_its_reason() {
    let sandbox = sandbox(2);
    let long = |bytes: usize| {
        format!(
            r#"(func (export "describe") (result i32)
                (drop (memory.grow $memory (i32.const 64)))
                (memory.fill $memory (i32.const 65536) (i32.const 32) (i32.const {bytes}))
                (i32.store (i32.const 2048) (i32.const 65536))
                (i32.store (i32.const 2052) (i32.const {bytes}))
                (i32.const 2048))"#
        )
    };
    let table = [
        (answers("{"), "INVALID_OUTPUT", "describe: the result: not JSON"),
        (answers(""), "INVALID_OUTPUT", "describe: the result: not JSON"),
        (answers("[1]"), "INVALID_OUTPUT", "no JSON object"),
        (answers("\"text\""), "INVALID_OUTPUT", "no JSON object"),
        (answers("{\"a\": \"\\u0000\"}"), "INVALID_OUTPUT", "NUL"),
        (answers("{\"a\": 1e9999}"), "INVALID_OUTPUT", "out of range"),
        (
            answers(&format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200))),
            "INVALID_OUTPUT",
            "deeper than",
        ),
        (long(262_145), "OUTPUT_TOO_LARGE", "262145 bytes of JSON, over the limit of 262144"),
        (long(3_000_000), "OUTPUT_TOO_LARGE", "cannot be read"),
        (r#"(func (export "describe") (result i32) unreachable)"#.into(), "TRAP", "describe: "),
        (r#"(func (export "describe") (result i32) (i32.const -4))"#.into(), "INVALID_OUTPUT", "describe: "),
        (
            r#"(func (export "describe") (result i32) (loop $l (br $l)) unreachable)"#.into(),
            "OUT_OF_FUEL",
            "50000000 units",
        ),
        (
            r#"(func $d (result i32) (i32.add (call $d) (i32.const 1)))
            (func (export "describe") (result i32) (call $d))"#
                .into(),
            "STACK_OVERFLOW",
            "nested too deep",
        ),
        (
            r#"(func (export "describe") (result i32)
                (loop $l (drop (memory.grow $memory (i32.const 10))) (br $l)) unreachable)"#
                .into(),
            "MEMORY_LIMIT",
            "over the limit of 33554432",
        ),
        (
            answers("{}") + r#"(func (export "described") (param i32) (loop $l (br $l)))"#,
            "OUT_OF_FUEL",
            "50000000 units",
        ),
    ];
    for (fields, code, part) in table {
        let error = describe(&sandbox, &fields, &limits()).await.unwrap_err();
        let shown: String = fields.chars().take(200).collect();
        assert_eq!(error.code, code, "{shown}: {error}");
        assert!(error.message.contains(part) && error.message.starts_with("describe: "), "{shown}: {error}");
    }
}

/// Fuel is not counted, the handler's own time is a day, and it sleeps through its heartbeats: the description's own
/// bound ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_never_ends_is_ended_by_the_clock() {
    let sandbox = sandbox(2);
    let day = Limits { fuel: None, wall_max: Duration::from_secs(86_400), ..limits() };
    let endless = r#"(func (export "describe") (result i32) (loop $l (br $l)) unreachable)"#;
    let prepared = sandbox.prepare(&guests::described(endless), &day).unwrap();
    let error = sandbox.describe(&prepared, &day).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("TIMEOUT", "describe: did not end within 5 s")
    );
    let shorter = Limits { wall_max: Duration::from_millis(50), ..day };
    let error = sandbox.describe(&prepared, &shorter).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("TIMEOUT", "describe: did not end within 0.05 s")
    );
    let start = "(start $s) (func $s (loop $l (br $l)))".to_owned() + &answers("{}");
    let prepared = sandbox.prepare(&guests::described(&start), &shorter).unwrap();
    assert_eq!(sandbox.describe(&prepared, &shorter).await.unwrap_err().code, "TIMEOUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_describe_of_another_type_is_refused() {
    let sandbox = sandbox(1);
    let text = guests::handler_text(
        r#"(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
        (func (export "describe") (result i32) (i32.const 7))"#,
    );
    let open = text.trim_end().strip_suffix(')').unwrap();
    for name in ["describe", "other"] {
        let bytes = guests::component(&format!(
            r#"{open} (func $number (result u32) (canon lift (core func $main "describe")))
            (instance $metadata (export "{name}" (func $number)))
            (export "flowmonkey:jobs/metadata@0.1.0" (instance $metadata)))"#
        ));
        let prepared = sandbox.prepare(&bytes, &limits()).unwrap();
        let error = sandbox.describe(&prepared, &limits()).await.unwrap_err();
        assert_eq!(error.code, "HANDLER_LOAD_FAILED", "{name}: {error}");
    }
}

/// Every import answers, and none does or tells anything.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_job_while_a_handler_describes_itself() {
    let sandbox = sandbox(1);
    let probe = prepare(&sandbox, "probe");
    let text = sandbox.describe(&probe, &limits()).await.unwrap().unwrap();
    let says: Value = serde_json::from_str(text.as_str()).unwrap();
    let found = &says["found"];
    let facts = json!({"id": "", "handler": "", "execution": null, "step": null, "key": "", "attempt": 0, "max": 0,
        "resumed": null, "deadline": null, "trace": null, "cancelled": false});
    assert_eq!(found["facts"], facts);
    for answer in found["checkpoints"].as_array().unwrap() {
        assert!(answer["error"].as_str().unwrap().contains("Denied"), "{answer}");
    }
    assert_eq!(found["checkpoints"].as_array().unwrap().len(), 5);
    for interface in ["context", "queue", "idempotency"] {
        let answers = found["denied"][interface].as_array().unwrap();
        assert!(answers.iter().all(|answer| answer.as_str().unwrap().contains("Denied")), "{answers:?}");
    }
    assert!(found["config"]["values"][0]["error"].as_str().unwrap().contains("denied"), "{found}");
    assert!(found["http"].to_string().contains("HttpRequestDenied"), "{}", found["http"]);
    for answer in found["authority"]["attempts"].as_array().unwrap() {
        assert!(!answer.to_string().contains("ALLOWED"), "{answer}");
    }
    assert_eq!(Metadata::parse(&text).unwrap().unknown, ["found"]);
}

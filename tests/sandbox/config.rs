//! What the operator has set for a handler, and that a secret among it stays one.

use crate::rig::{Run, ending, error, result};
use flowmonkey_jobs::job::Outcome;
use flowmonkey_jobs::sandbox::{ConfigValues, Grants};
use serde_json::{Value, json};
use std::sync::Arc;

/// With a quote and a backslash, so that it looks different in JSON.
const SECRET: &str = "s3\"cr\\3t";

fn granted(keys: &[&str], input: Value) -> Run {
    let mut config = ConfigValues::default();
    config.set("region", "eu");
    config.set("unasked", "for the other one");
    config.set_secret("key", SECRET).unwrap();
    let config_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let queue = ["other".to_owned()].into();
    let grants = Grants { config: config_keys, context: true, idempotency: true, queue, ..Grants::default() };
    Run { grants, config: Arc::new(config), ..Run::with(input) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_reads_the_keys_it_was_granted_and_no_others() {
    let ask = json!({"do": "config", "keys": ["region", "key", "unasked", "none"], "spell": true});
    let read = result(&granted(&["region", "key", "none"], ask.clone()).probe().await);
    let spelled: String = read["values"][1].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert_eq!((read["values"][0].clone(), spelled.as_str()), (json!(["e", "u"]), SECRET));
    assert!(read["values"][2]["error"].as_str().unwrap().contains("no grant `config`"), "{read}");
    assert_eq!(read["values"][3], Value::Null, "granted, but not set");
    assert_eq!(read["all"], json!(["key", "region"]));

    let read = result(&granted(&[], ask).probe().await);
    assert!(read["values"][0]["error"].as_str().unwrap().contains("[\\\"region\\\"]"), "{read}");
    assert_eq!(read["all"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_line_no_error_and_nothing_that_is_stored() {
    let in_json = json!(SECRET).to_string();
    let in_json = in_json.trim_matches('"');
    let shown = |what: &str| {
        assert!(!what.contains(SECRET) && !what.contains(in_json), "{what}");
        what.to_owned()
    };
    for by in ["log", "result", "error", "panic", "wait", "checkpoints", "context", "idempotency", "queue"] {
        let run = granted(&["key"], json!({"do": "give-away", "key": "key", "by": by}));
        let report = run.probe().await;
        let outcome = shown(&format!("{:?}", report.outcome));
        let lines =
            shown(&format!("{:?} {:?}", run.host.lines.lock().unwrap(), run.host.reports.lock().unwrap()));
        assert!(
            run.host.saved.lock().unwrap().is_empty() && run.host.context.lock().unwrap().is_empty(),
            "{by}"
        );
        match by {
            "log" => assert_eq!(lines.matches("[secret key]").count(), 5, "{lines}"),
            "result" => assert_eq!(ending(&report), "INVALID_OUTPUT"),
            "error" => {
                assert_eq!(
                    (ending(&report), error(&report).message.as_str()),
                    ("[secret key]", "it is [secret key]")
                );
                assert!(outcome.contains("details dropped"), "{outcome}");
            }
            "panic" => assert!(error(&report).message.contains("it is [secret key]"), "{outcome}"),
            "wait" => assert!(matches!(report.outcome, Outcome::Wait { .. }), "{outcome}"),
            _ => assert_eq!(outcome.matches("holds the secret `key`").count(), 2, "{outcome}"),
        }
    }
}

/// The twin: what is no secret may be told.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_value_may_be_told() {
    let run = granted(&["region"], json!({"do": "give-away", "key": "region", "by": "result"}));
    assert_eq!(result(&run.probe().await), json!({"it": "eu"}));
}

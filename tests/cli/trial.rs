//! `flowmonkey test`: what a handler is given, what is told of it, and how it ends for CI.

mod cases;
mod http;

use flowmonkey_tests::guests;
use flowmonkey_tests::program::{Folder, Ran};
use serde_json::{Value, json};

/// A handler's folder around the probe, with this manifest.
fn probe(manifest: &str) -> Folder {
    let folder = Folder::new();
    folder.write("probe.wasm", guests::example("probe"));
    folder.write("handler.toml", format!("name = \"probe\"\n{manifest}"));
    folder
}

const ASKS_FOR_ALL: &str = "[grants]\ncontext = true\nidempotency = true\nqueue = ['other']\nconfig = ['region']\n\
                            http = ['http://127.0.0.1:8080', 'api.example.com']";

/// One attempt with this input and these flags: its report, and the exit code.
fn tried(folder: &Folder, input: &Value, flags: &[&str]) -> (Value, i32) {
    let input = input.to_string();
    let ran = folder.run(&[&["test", "--json", "--input", &input], flags].concat());
    let report =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{input}: {error}: {ran:?}"));
    (report, ran.code)
}

fn ended(folder: &Folder, input: &Value, flags: &[&str]) -> Value {
    let (report, code) = tried(folder, input, flags);
    assert_eq!(code, 0, "{report:#}");
    report
}

fn refused(ran: &Ran, expected: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains(expected), "{expected:?} is not in {}", ran.stderr);
}

#[test]
fn one_attempt_is_shown_whole() {
    let folder = Folder::new();
    folder.write("report-generate.wasm", guests::example("report-generate"));
    let records = "{\"region\": \"north\", \"product\": \"tea\", \"amount\": 2.5}\n".repeat(1200);
    let input = json!({"records": records, "failAtLine": 1100});
    folder.write("input.json", input.to_string());
    let arguments = ["test", "report-generate.wasm", "--input", "@input.json"];
    let ran = folder.run(&arguments);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in [
        "outcome  retryable",
        "checkpoint.save 2",
        "checkpoints at the end",
        "report  {",
        "progress",
        "fuel",
        "memory",
        " ms\n",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is not in {}", ran.stdout);
    }
    let ran = folder.run(&[&arguments[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.code, &report["outcome"], &report["handler"]),
        (1, &json!("retryable"), &json!("report-generate"))
    );
    assert!(
        report["usage"]["fuel"].as_u64() > Some(10_000)
            && report["usage"]["memory_bytes"].as_u64() > Some(65_536)
    );
    assert!(report["usage"]["wall_us"].as_u64() > Some(0) && report["error"]["code"].is_string());
    assert_eq!(report["calls"]["checkpoint.save"], 2);
    // The second attempt goes on where the first one stopped, if it is given what that saved.
    let saved = format!("report={}", report["checkpoint"]["report"]);
    let flags = ["--attempt", "2", "--checkpoint", &saved];
    let ran = folder.run(&[&arguments[..], &["--json"], &flags].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["result"]["lines"]), (0, &json!(1200)), "{report:#}");
    assert_eq!(report["result"]["resumedFromLine"], 1001, "{report:#}");
}

#[test]
fn a_handler_hears_what_the_flags_say() {
    let folder = probe(ASKS_FOR_ALL);
    let facts = json!({"do": "facts"});
    let plain = ended(&folder, &facts, &[])["result"].clone();
    assert_eq!((&plain["attempt"], &plain["max"], &plain["id"]), (&json!(1), &json!(3), &json!("test-job")));
    assert!(plain["execution"].is_null() && plain["resumed"].is_null() && plain["deadline"].is_u64());
    let flags =
        ["--attempt", "2", "--max-attempts", "5", "--resumed-with", "{\"paid\": 1}", "--context", "{}"];
    let told = ended(&folder, &facts, &flags)["result"].clone();
    assert_eq!((&told["attempt"], &told["max"]), (&json!(2), &json!(5)));
    assert_eq!((&told["execution"], &told["step"]), (&json!("test-execution"), &json!("test-step")));
    assert_eq!(told["resumed"], "{\"paid\": 1}");
    assert_eq!(ended(&folder, &facts, &["--attempt", "9"])["result"]["max"], 9);

    let beat = json!({"do": "heartbeat"});
    for (flags, directive) in
        [(&[][..], "Proceed"), (&["--directive", "drain"], "Drain"), (&["--directive", "cancel"], "Cancel")]
    {
        let report = ended(&folder, &beat, flags);
        assert!(report["result"].as_str().unwrap().ends_with(directive), "{report:#}");
        assert_eq!(report["calls"], json!({"control.heartbeat": 1}));
    }
    // A job that was cancelled is nobody's: what a runner's store would refuse is refused here.
    let save = json!({"do": "checkpoints", "steps": [["save", "n", "1"]]});
    let lost = ended(&folder, &save, &["--directive", "cancel"]);
    let error = lost["result"][0]["error"].to_string().to_lowercase();
    assert!(error.contains("lease"), "{lost:#}");
    assert_eq!((&lost["checkpoint"], &lost["calls"]), (&json!({}), &json!({"checkpoint.save": 1})));
    assert_eq!(ended(&folder, &save, &["--directive", "drain"])["checkpoint"], json!({"n": 1}));
    let cancelled = json!({"do": "cancelled"});
    assert_eq!(ended(&folder, &cancelled, &["--directive", "drain"])["outcome"], "cancelled");
    let (unasked, code) = tried(&folder, &cancelled, &[]);
    assert_eq!((code, &unasked["error"]["code"]), (1, &json!("CANCELLED")));
}

#[test]
fn what_is_saved_and_created_is_told_and_can_be_given() {
    let folder = probe(ASKS_FOR_ALL);
    let steps = json!([
        ["keys"],
        ["restore", "n"],
        ["save", "n", "2"],
        ["save", "m", "[1]"],
        ["delete", "m"],
        ["restore", "n"]
    ]);
    let input = json!({"do": "checkpoints", "steps": steps});
    let report = ended(&folder, &input, &["--checkpoint", "n=1", "--checkpoint", "k={\"a\": 0}"]);
    assert_eq!(report["result"], json!([["k", "n"], "1", "saved", "saved", "deleted", "2"]));
    assert_eq!(report["checkpoint"], json!({"k": {"a": 0}, "n": 2}));
    assert_eq!(report["calls"], json!({"checkpoint.save": 2, "checkpoint.delete": 1}));

    let input = json!({"do": "context", "steps": [["keys"], ["set", "b", "2"], ["get", "a"]]});
    let report = ended(&folder, &input, &["--context", "{\"a\": 1}"]);
    assert_eq!(
        (&report["result"], &report["context"]),
        (&json!([["a"], "set", "1"]), &json!({"a": 1, "b": 2}))
    );
    let without = ended(&folder, &input, &[]);
    assert!(without["result"][0]["error"].as_str().unwrap().contains("no execution"), "{without:#}");

    let input = json!({"do": "idempotency", "steps": [["lookup", "sent"], ["record", "other", "1"]]});
    let report = ended(&folder, &input, &["--idempotency", "sent=true"]);
    assert_eq!(
        (&report["result"][0], &report["idempotency"]),
        (&json!("true"), &json!({"other": 1, "sent": true}))
    );

    let input = json!({"do": "queue", "steps": [{"handler": "other", "input": "{\"a\": 1}", "after": 500, "key": "k"}]});
    let report = ended(&folder, &input, &[]);
    let created = &report["enqueued"][0];
    assert_eq!((&created["handler"], &created["input"]), (&json!("other"), &json!({"a": 1})));
    assert_eq!(
        (&created["delay_ms"], &created["unique_key"], &created["id"]),
        (&json!(500), &json!("k"), &report["result"][0])
    );

    let report = ended(&folder, &json!({"do": "progress", "percent": 40, "text": "half"}), &[]);
    assert_eq!(report["progress"], json!([{"percent": 40.0, "message": "half"}]));
    let report = ended(&folder, &json!({"do": "log", "n": 2, "text": "said"}), &[]);
    assert_eq!(report["log"][1], json!({"level": "info", "message": "said", "fields": {"n": "1"}}));
}

/// Each grant with its twin, and each way to a grant.
#[test]
fn what_is_granted_works_and_what_is_denied_does_not() {
    let asks = probe(ASKS_FOR_ALL);
    let silent = probe("");
    let calls = [
        ("context", "context", json!({"do": "context", "steps": [["keys"]]}), &["--context", "{}"][..]),
        ("idempotency", "idempotency", json!({"do": "idempotency", "steps": [["lookup", "k"]]}), &[]),
        ("queue", "queue=other", json!({"do": "queue", "steps": [{"handler": "other"}]}), &[]),
        ("config", "config=region", json!({"do": "config", "keys": ["region"]}), &["--config", "region=eu"]),
    ];
    let works = |report: &Value| !report["result"].to_string().to_lowercase().contains("denied");
    for (kind, grant, input, flags) in calls {
        assert!(works(&ended(&asks, &input, flags)), "{kind} is asked for");
        let denied = ended(&asks, &input, &[flags, &["--deny", kind]].concat());
        assert!(!works(&denied), "{kind} is taken away: {denied:#}");
        let unasked = ended(&silent, &input, flags);
        assert!(!works(&unasked), "{kind} is not asked for: {unasked:#}");
        assert!(unasked["notes"].to_string().contains(kind), "{kind}: {}", unasked["notes"]);
        let granted = ended(&silent, &input, &[flags, &["--grant", grant]].concat());
        assert!(works(&granted), "{kind} is granted: {granted:#}");
    }
    let unset = ended(&asks, &json!({"do": "config", "keys": ["region"]}), &[]);
    assert!(unset["notes"].to_string().contains("not set: config = \\\"region\\\""), "{}", unset["notes"]);
}

#[test]
fn whatever_the_handler_does_the_attempt_ends() {
    let limits = |text: &str| probe(&format!("[limits]\n{text}"));
    let spin = json!({"do": "storm-heartbeat"});
    let fuel = limits("fuel = '1_000_000'");
    let time = limits("timeout = '300ms'\nfuel = '1_000_000_000_000'");
    let beats = limits("heartbeat-timeout = '200ms'");
    for (folder, input, code) in [
        (&fuel, &spin, "OUT_OF_FUEL"),
        (&time, &spin, "TIMEOUT"),
        (&beats, &json!({"do": "sleep", "n": 60_000}), "HEARTBEAT_TIMEOUT"),
        (&fuel, &json!({"do": "panic", "text": "oh no"}), "TRAP"),
    ] {
        let (report, exit) = tried(folder, input, &[]);
        assert_eq!(
            (exit, &report["outcome"], &report["error"]["code"]),
            (1, &json!("retryable"), &json!(code)),
            "{report:#}"
        );
    }
    let ran = fuel.run(&["test", "--input", "{\"do\": \"panic\", \"text\": \"oh no\"}"]);
    assert!(ran.code == 1 && ran.stdout.contains("oh no") && ran.stdout.contains("  in "), "{ran:?}");
}

#[test]
fn a_stack_in_the_details_keeps_its_lines() {
    let folder = probe("");
    let details =
        json!({"stack": "Error: deep\n  at deepest (a.js:1)\n  at deeper (a.js:2)", "more": 1}).to_string();
    let input = json!({"do": "fatal", "code": "BAD", "text": "it broke", "details": details}).to_string();
    let ran = folder.run(&["test", "--input", &input]);
    assert_eq!(ran.code, 1);
    for part in ["BAD: it broke", "details: {\"more\":1}", "at deepest (a.js:1)\n", "at deeper (a.js:2)"] {
        assert!(ran.stdout.contains(part), "{part:?} is not in {}", ran.stdout);
    }
}

#[test]
fn schemas_hold_as_with_a_runner() {
    let folder = probe("input-schema = 'in.json'\noutput-schema = 'out.json'\nvalidate-output = true");
    folder.write("in.json", "{\"type\": \"object\", \"required\": [\"do\"]}");
    folder.write("out.json", "{\"type\": \"object\"}");
    let (report, code) = tried(&folder, &json!({"n": 1}), &[]);
    assert_eq!(
        (code, &report["outcome"], &report["error"]["code"]),
        (1, &json!("fatal"), &json!("INVALID_INPUT"))
    );
    let (report, code) = tried(&folder, &json!({"do": "runs"}), &[]);
    assert_eq!(
        (code, &report["outcome"], &report["error"]["code"]),
        (1, &json!("retryable"), &json!("INVALID_OUTPUT"))
    );
    assert_eq!(ended(&folder, &json!({"do": "echo"}), &[])["result"], json!({"do": "echo"}));
}

#[test]
fn without_an_input_the_folders_own_is_taken() {
    let folder = probe("");
    let ran = folder.run(&["test", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["error"]["code"]), (1, &json!("BAD_INPUT")), "null says nothing to do");
    folder.write("input.json", "{\"do\": \"echo\"}");
    assert_eq!(folder.json(&["test"])["result"], json!({"do": "echo"}));
    let ran = folder.run_with_input(&["test", "--input", "-"], b"{\"do\": \"echo\", \"n\": 7}");
    assert!(ran.code == 0 && ran.stdout.contains("\"n\":7"), "{ran:?}");
}

#[test]
fn what_makes_no_sense_ends_with_2_and_says_what_would() {
    let folder = probe("");
    let empty = Folder::new();
    refused(&empty.run(&["test"]), ".: handler.toml: No such file");
    empty.write("handler.toml", "name = 'x'");
    refused(&empty.run(&["test"]), "`flowmonkey build .`");
    empty.write("handler.toml", "component = 'build/x.wasm'");
    refused(&empty.run(&["test"]), "`flowmonkey build .`");
    empty.write("handler.toml", "name = 'x'");
    empty.write("x.wasm", "text");
    refused(&empty.run(&["test"]), "not a WebAssembly component");
    refused(&empty.run(&["test", "nowhere.wasm"]), "nowhere.wasm");
    for (arguments, expected) in [
        (&["--input", "{"][..], "not JSON"),
        (&["--checkpoint", "n"], "write KEY=VALUE"),
        (&["--checkpoint", "n=text"], "checkpoint \"n\", which is JSON"),
        (&["--config", "=x"], "write KEY=VALUE"),
        (&["--context", "[]"], "no JSON object"),
        (&["--attempt", "0"], "--attempt"),
        (&["--attempt", "4", "--max-attempts", "3"], "max-attempts"),
        (&["--grant", "sockets"], "there are context, queue"),
        (&["--deny", "http=x"], "there is no grant"),
        (&["--directive", "stop"], "drain, cancel"),
        (&["--case", "x"], "there is no ./handler.test.toml"),
        (&["--answers", "none.toml"], "none.toml"),
    ] {
        refused(&folder.run(&[&["test"], arguments].concat()), expected);
    }
}

//! `enqueue --wait`: the result on stdout, the outcome in the exit code.

use flowmonkey_tests::program::{Folder, Process};
use serde_json::json;

const MAIL: &str =
    r#"{"to": "ada@example.com", "subject": "Hi {{name}}", "body": "Hello", "vars": {"name": "Ada"}}"#;

fn with_runner() -> (Folder, Process) {
    let folder = Folder::new();
    folder.handlers(&["email-send", "flaky", "spin"]);
    let mut runner = folder.spawn(&["dev", "handlers", "--poll-interval", "50ms", "--retry-base", "10ms"]);
    runner.wait_for_log("runner started");
    (folder, runner)
}

#[test]
fn the_exit_code_tells_how_the_job_ended() {
    let (folder, _runner) = with_runner();
    let ran = folder.run(&["enqueue", "email-send", "--input", MAIL, "--wait"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let result: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&result["sent"], &result["subject"]), (&json!(true), &json!("Hi Ada")));

    let ran = folder.run(&["enqueue", "email-send", "--input", &MAIL.replace('@', " at "), "--wait"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("BAD_ADDRESS"), "{ran:?}");

    let job = folder.json(&["enqueue", "flaky", "--input", "{}", "--wait"]);
    assert_eq!((&job["status"], &job["attempts"]), (&json!("completed"), &json!(3)));
    let outcomes: Vec<_> =
        job["history"].as_array().unwrap().iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(outcomes, ["retried", "retried", "completed"]);

    let ran = folder.run(&["enqueue", "spin", "--max-attempts", "1", "--wait"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("OUT_OF_FUEL") && ran.stderr.contains("in spin"), "{ran:?}");
}

#[test]
fn waiting_ends_without_the_job() {
    let (folder, _runner) = with_runner();
    let ran = folder.run(&["enqueue", "nothere", "--wait", "--wait-timeout", "100ms"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("no runner has the handler `nothere`"), "{ran:?}");
    assert!(ran.stderr.contains("still pending"), "{ran:?}");
}

#[test]
fn a_cancelled_job_ends_with_5() {
    let folder = Folder::new();
    folder.done(&["migrate"]);
    let waiting = folder.spawn(&["enqueue", "nothere", "--wait"]);
    let mut waiting = waiting;
    waiting.wait_for_log("no runner is alive");
    let id = folder.json(&["jobs", "list"])[0]["id"].as_str().unwrap().to_owned();
    folder.done(&["jobs", "cancel", &id]);
    assert_eq!(waiting.wait(), 5);
}

use flowmonkey_tests::program::Folder;
use serde_json::json;

const NEVER: &str = r#"{}"#;

/// A runner whose guests can run for as long as the test wants.
fn patient(folder: &Folder, more: &[&str]) -> flowmonkey_tests::program::Process {
    folder.handlers(&["spin", "email-send"]);
    let arguments = ["dev", "handlers", "--fuel", "unlimited", "--timeout", "10m", "--poll-interval", "50ms"];
    let mut runner = folder.spawn(&[&arguments, more].concat());
    runner.wait_for_log("runner started");
    runner
}

#[test]
fn sigterm_gives_a_running_job_back_without_costing_an_attempt() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let mut runner = patient(&folder, &["--drain-timeout", "100ms"]);
        let id = folder.enqueue(&["spin", "--input", NEVER]);
        folder.wait_for_status(&id, "running");
        runner.signal(signal);
        assert_eq!(runner.wait(), 0, "{}", runner.log());
        let job = folder.json(&["jobs", "show", &id]);
        assert_eq!((&job["status"], &job["attempts"]), (&json!("pending"), &json!(0)), "SIG{signal}");
        assert_eq!(job["history"][0]["outcome"], "released");
    }
}

#[test]
fn a_second_signal_does_not_wait_for_the_drain() {
    let folder = Folder::new();
    let mut runner = patient(&folder, &["--drain-timeout", "1h"]);
    let id = folder.enqueue(&["spin", "--input", NEVER]);
    folder.wait_for_status(&id, "running");
    runner.signal("TERM");
    runner.wait_for_log("runner draining");
    runner.signal("TERM");
    assert_eq!(runner.wait(), 0, "{}", runner.log());
    assert_eq!(folder.json(&["jobs", "show", &id])["attempts"], 0);
}

#[test]
fn a_cancelled_guest_is_interrupted_and_its_place_is_free_again() {
    let folder = Folder::new();
    let more = ["--max-concurrent", "1", "--heartbeat-interval", "100ms", "--cancel-grace", "50ms"];
    let _runner = patient(&folder, &more);
    let id = folder.enqueue(&["spin", "--input", NEVER]);
    folder.wait_for_status(&id, "running");
    folder.done(&["jobs", "cancel", &id]);
    // The only place was taken: this job shows that it is free.
    let mail = r#"{"to": "a@b.example", "subject": "s", "body": "b"}"#;
    folder.done(&["enqueue", "email-send", "--input", mail, "--wait"]);
    let job = folder.json(&["jobs", "show", &id]);
    assert_eq!(job["status"], "cancelled");
    assert_eq!(job["history"][0]["outcome"], "cancelled");
}

#[test]
fn log_lines_are_json_where_that_is_wanted() {
    let folder = Folder::new();
    let mut runner = patient(&folder, &["--log-format", "json"]);
    let mail = r#"{"to": "a@b.example", "subject": "s", "body": "b"}"#;
    let id = folder.json(&["enqueue", "email-send", "--input", mail, "--wait"])["id"].clone();
    runner.signal("TERM");
    runner.wait();
    let lines: Vec<serde_json::Value> =
        runner.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finished = lines.iter().find(|line| line["message"] == "attempt finished").unwrap();
    assert_eq!((&finished["job_id"], &finished["outcome"]), (&id, &json!("completed")));
    assert!(finished["fuel"].as_u64().is_none_or(|fuel| fuel > 0));
    assert!(lines.iter().any(|line| line["target"] == "flowmonkey::guest"), "the guest's own line is there");
}

#[test]
fn live_runners_are_known_and_leave_when_they_stop() {
    let folder = Folder::new();
    let mut runner = patient(&folder, &[]);
    let id = folder.enqueue(&["other", "--delay", "1h"]);
    let note = |job: serde_json::Value| job["note"].as_str().map(str::to_owned);
    let seen =
        folder.wait_for_job(&id, |job| job["note"].as_str().is_some_and(|note| note.contains("There is")));
    assert!(note(seen).unwrap().contains("email-send, spin"));
    runner.signal("TERM");
    runner.wait();
    assert!(note(folder.json(&["jobs", "show", &id])).unwrap().contains("no runner is alive"));
}

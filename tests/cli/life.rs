//! What operators do with jobs that wait, failed, or must not be there twice.

use flowmonkey_tests::cluster::EmptyPostgres;
use flowmonkey_tests::program::Folder;
use serde_json::json;

fn with_store() -> Folder {
    let folder = Folder::new();
    folder.done(&["migrate"]);
    folder
}

#[test]
fn a_unique_key_finds_the_job_that_holds_it() {
    let folder = with_store();
    let first = folder.enqueue(&["a", "--unique-key", "k"]);
    let second = folder.run(&["enqueue", "a", "--unique-key", "k"]);
    assert_eq!((second.code, second.stdout.trim()), (0, first.as_str()));
    assert!(second.stderr.contains("holds this key already"), "{second:?}");
    assert_ne!(folder.enqueue(&["b", "--unique-key", "k"]), first, "a key belongs to its handler");
    folder.done(&["jobs", "cancel", &first]);
    let next = folder.enqueue(&["a", "--unique-key", "k"]);
    assert_ne!(next, first);
    let ran = folder.run(&["jobs", "retry", &first]);
    assert!(ran.code == 1 && ran.stderr.contains("another job holds its unique key"), "{ran:?}");

    let daily = folder.enqueue(&["a", "--unique-key", "d", "--unique-for", "1h"]);
    folder.done(&["jobs", "cancel", &daily]);
    assert_eq!(folder.enqueue(&["a", "--unique-key", "d", "--unique-for", "1h"]), daily);
    let ran = folder.run(&["enqueue", "a", "--unique-for", "1h"]);
    assert!(ran.code == 2 && ran.stderr.contains("--unique-key"), "{ran:?}");
}

#[test]
fn a_moment_may_be_named_instead_of_a_delay() {
    let folder = with_store();
    let id = folder.enqueue(&["a", "--run-at", "2099-01-31T09:00:00Z"]);
    assert_eq!(folder.json(&["jobs", "show", &id])["run_at"], json!(4_073_533_200_000_i64));
    for (arguments, expected) in [
        (["--run-at", "tomorrow"], "write a moment like"),
        (["--run-at", "2500-01-01T00:00:00Z"], "between the years 1970 and 2200"),
    ] {
        let ran = folder.run(&[&["enqueue", "a"], &arguments[..]].concat());
        assert!(ran.code == 2 && ran.stderr.contains(expected), "{ran:?}");
    }
    let ran = folder.run(&["enqueue", "a", "--run-at", "2099-01-31T09:00:00Z", "--delay", "1s"]);
    assert_eq!(ran.code, 2, "one of the two: {ran:?}");
}

#[test]
fn all_failed_jobs_of_a_handler_are_retried_at_once() {
    let folder = with_store();
    let ids: Vec<String> = ["a", "a", "b"].iter().map(|handler| folder.enqueue(&[handler])).collect();
    folder.done(&[&["jobs", "cancel"], &ids.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    assert!(folder.done(&["jobs", "retry", "--all"]).contains("0 jobs"), "none has failed");
    let retried = folder.json(&["jobs", "retry", "--all", "--status", "cancelled", "--handler", "a"]);
    assert_eq!(retried, json!({"retried": 2}));
    assert_eq!(folder.json(&["jobs", "show", &ids[2]])["status"], "cancelled");
    for wrong in [&["jobs", "retry"][..], &["jobs", "retry", "--all", "--status", "pending"]] {
        assert_eq!(folder.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_waiting_job_is_resumed_with_a_payload() {
    let folder = Folder::new();
    folder.handlers(&["probe"]);
    let mut runner = folder.spawn(&["dev", "handlers"]);
    runner.wait_for_log("runner started");
    let id = folder.enqueue(&["probe", "--input", r#"{"do": "wait-until-resumed"}"#]);
    folder.wait_for_job(&id, |job| job["waits"] == 1);
    let text = folder.done(&["jobs", "show", &id]);
    assert!(text.contains("signal `paid`") && text.contains("when it is resumed"), "{text}");

    let bad = folder.run(&["jobs", "resume", &id, "--payload", "{"]);
    assert!(bad.code == 2 && bad.stderr.contains("the payload cannot be used"), "{bad:?}");
    folder.write("payload.json", r#"{"amount": 12}"#);
    assert!(folder.done(&["jobs", "resume", &id, "--payload", "@payload.json"]).contains("is resumed"));
    let job = folder.wait_for_status(&id, "completed");
    assert_eq!(job["result"], json!({"amount": 12}));
    let late = folder.run(&["jobs", "resume", &id]);
    assert!(late.code == 1 && late.stderr.contains("only waiting jobs can be resumed"), "{late:?}");
    assert_eq!(folder.run(&["jobs", "resume", "nope"]).code, 3);
}

#[test]
fn numbers_of_each_handler_are_shown() {
    let folder = with_store();
    assert_eq!(folder.done(&["jobs", "stats"]).trim(), "No jobs.");
    for arguments in [&["a"][..], &["a", "--delay", "1h"], &["b"]] {
        folder.enqueue(arguments);
    }
    let text = folder.done(&["jobs", "stats"]);
    assert!(text.contains("HANDLER") && text.contains("OLDEST"), "{text}");
    let stats = folder.json(&["jobs", "stats"]);
    let seen: Vec<_> = stats.as_array().unwrap().iter().map(|one| (&one["due"], &one["later"])).collect();
    assert_eq!(seen, [(&json!(1), &json!(1)), (&json!(1), &json!(0))]);
}

#[test]
fn an_execution_is_cancelled_with_its_jobs() {
    let database = EmptyPostgres::create();
    let folder = Folder::with_database(database.url());
    folder.done(&["migrate"]);
    database.execute("insert into fm_executions (id, flow_id, flow_version) values ('e1', 'f', '1')");
    let id = folder.enqueue(&["a", "--execution", "e1", "--step", "s"]);
    assert!(folder.done(&["jobs", "cancel", "--execution", "e1"]).contains("e1 and its jobs are cancelled"));
    assert_eq!(folder.json(&["jobs", "show", &id])["status"], "cancelled");
    let again = folder.run(&["jobs", "cancel", "--execution", "e1"]);
    assert!(again.code == 1 && again.stderr.contains("is cancelled"), "{again:?}");
    assert_eq!(folder.run(&["jobs", "cancel", "--execution", "nope"]).code, 3);
    let ran = folder.run(&["enqueue", "a", "--execution", "nope"]);
    assert!(ran.code == 2 && ran.stderr.contains("execution does not exist"), "{ran:?}");
}

#[test]
fn old_jobs_are_deleted_when_their_time_is_over() {
    let folder = Folder::new();
    folder.handlers(&["email-send"]);
    let settings = ["--keep-completed", "1ms", "--reap-interval", "20ms"];
    let mut runner = folder.spawn(&[&["dev", "handlers"], &settings[..]].concat());
    runner.wait_for_log("runner started");
    let mail = r#"{"to": "a@b.example", "subject": "s", "body": "b"}"#;
    let failed = folder.enqueue(&["email-send", "--input", "{}"]);
    folder.enqueue(&["email-send", "--input", mail]);
    runner.wait_for_log("old jobs deleted");
    folder.wait_for_status(&failed, "failed");
    let left = folder.json(&["jobs", "list"]);
    let left: Vec<_> = left.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(left, [failed]);
}

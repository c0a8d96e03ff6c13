//! The runner's process dies without a word, and nothing is lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod points;

use flowmonkey_tests::cluster::EmptyPostgres;
use flowmonkey_tests::database;
use flowmonkey_tests::program::{Folder, Process};
use serde_json::json;

/// Settings under which a dead runner is noticed within a second.
const QUICK: [&str; 10] = [
    "--poll-interval",
    "20ms",
    "--heartbeat-interval",
    "200ms",
    "--stalled-threshold",
    "1s",
    "--reap-interval",
    "100ms",
    "--retry-base",
    "1ms",
];

fn runner(folder: &Folder, name: &str) -> Process {
    let mut process =
        folder.spawn(&[&["run", "--handlers", "handlers", "--runner-id", name], &QUICK[..]].concat());
    process.wait_for_log("runner started");
    process
}

/// A report whose batches pause, so that the kill finds it in the middle.
fn report(lines: usize) -> String {
    let line = r#"{"region":"north","product":"tea","amount":1}"#;
    json!({"records": vec![line; lines].join("\n"), "pauseMsPerBatch": 150}).to_string()
}

fn on_sqlite() -> Folder {
    let folder = Folder::new();
    folder.done(&["migrate"]);
    folder
}

fn on_postgres() -> (EmptyPostgres, Folder) {
    let database = EmptyPostgres::create();
    let folder = Folder::with_database(database.url());
    folder.done(&["migrate"]);
    (database, folder)
}

fn a_killed_runners_job_is_finished_by_another(folder: &Folder) {
    folder.handlers(&["report-generate", "email-send"]);
    folder.write("report.json", report(3000));
    let mut first = runner(folder, "first");
    let id = folder.enqueue(&["report-generate", "--input", "@report.json"]);
    folder.wait_for_job(&id, |job| !job["checkpoint"].is_null());
    first.kill();
    let mut second = runner(folder, "second");
    let job = folder.wait_for_status(&id, "completed");
    assert_eq!((&job["attempts"], &job["runner_id"]), (&json!(2), &json!("second")));
    assert_eq!(job["history"][0]["outcome"], "stalled");
    assert_eq!(job["history"][0]["runner_id"], "first");
    assert_eq!(job["history"][0]["error"]["code"], "STALLED");
    assert_eq!(job["result"]["byRegion"]["north"]["count"], 3000, "no record is lost or counted twice");
    assert!(job["result"]["resumedFromLine"].as_u64().unwrap() > 1, "it goes on from the checkpoint");
    second.signal("TERM");
    assert_eq!(second.wait(), 0);
}

fn a_killed_runner_loses_none_of_many_jobs(folder: &Folder) {
    folder.handlers(&["report-generate"]);
    // One batch with a pause: no runner is through with all of them before it is killed.
    let line = r#"{"region":"north","product":"tea","amount":1}"#;
    folder.write("report.json", json!({"records": line, "pauseMsPerBatch": 200}).to_string());
    let enqueue = |_| folder.enqueue(&["report-generate", "--input", "@report.json", "--max-attempts", "10"]);
    let ids: Vec<String> = (0..40).map(enqueue).collect();
    for name in ["one", "two", "three"] {
        let mut process = runner(folder, name);
        process.wait_for_log("attempt finished");
        process.kill();
    }
    let _last = runner(folder, "last");
    for id in &ids {
        let job = folder.wait_for_status(id, "completed");
        let ends = job["history"].as_array().unwrap().iter().filter(|entry| entry["outcome"] == "completed");
        assert_eq!(ends.count(), 1, "{job:#}");
    }
}

fn a_job_stalled_on_its_last_attempt_fails(folder: &Folder) {
    folder.handlers(&["spin"]);
    let mut first = folder.spawn(
        &[&["run", "--handlers", "handlers", "--fuel", "unlimited", "--timeout", "10m"], &QUICK[..]].concat(),
    );
    let id = folder.enqueue(&["spin", "--max-attempts", "1"]);
    folder.wait_for_status(&id, "running");
    first.kill();
    let _second = runner(folder, "second");
    let job = folder.wait_for_status(&id, "failed");
    assert_eq!((&job["error"]["code"], &job["attempts"]), (&json!("STALLED"), &json!(1)));
}

/// Stops the process where it holds no lock of the embedded store: one that is stopped in the middle of a
/// write keeps every other process from writing until it wakes, which is SQLite's nature.
fn pause(process: &Process, folder: &Folder) {
    process.stop();
    while database::is_locked(&folder.path().join(".flowmonkey/jobs.db")) {
        process.signal("CONT");
        process.stop();
    }
}

/// A paused process that wakes finds its lease gone, and records nothing.
fn a_paused_runner_that_wakes_records_nothing(folder: &Folder) {
    folder.handlers(&["report-generate"]);
    folder.write("report.json", report(2000));
    let mut first = runner(folder, "first");
    let id = folder.enqueue(&["report-generate", "--input", "@report.json"]);
    folder.wait_for_job(&id, |job| !job["checkpoint"].is_null());
    pause(&first, folder);
    let _second = runner(folder, "second");
    let done = folder.wait_for_status(&id, "completed");
    assert_eq!(done["runner_id"], "second");
    first.signal("CONT");
    first.wait_for_log("lease lost; outcome dropped");
    first.signal("TERM");
    assert_eq!(first.wait(), 0);
    assert_eq!(folder.json(&["jobs", "show", &id]), done, "the sleeper changed nothing");
}

macro_rules! on_both_stores {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                super::$case(&super::on_sqlite());
            })*
        }
        mod postgres {
            $(#[test]
            fn $case() {
                let (_database, folder) = super::on_postgres();
                super::$case(&folder);
            })*
        }
    };
}

on_both_stores! {
    a_killed_runners_job_is_finished_by_another
    a_killed_runner_loses_none_of_many_jobs
    a_job_stalled_on_its_last_attempt_fails
    a_paused_runner_that_wakes_records_nothing
}

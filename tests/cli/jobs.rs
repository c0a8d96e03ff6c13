use flowmonkey_tests::program::Folder;
use serde_json::json;

fn with_store() -> Folder {
    let folder = Folder::new();
    folder.done(&["migrate"]);
    folder
}

#[test]
fn a_job_can_be_made_listed_shown_cancelled_and_retried() {
    let folder = with_store();
    assert_eq!(folder.done(&["jobs", "list"]).trim(), "No jobs.");
    let id = folder.enqueue(&["email-send", "--input", "{\"to\": 1}", "--priority", "3"]);
    let list = folder.done(&["jobs", "list"]);
    assert!(list.contains(&id) && list.contains("email-send") && list.contains("pending"), "{list}");
    let job = folder.json(&["jobs", "show", &id]);
    assert_eq!(
        (&job["input"], &job["priority"], &job["attempts"]),
        (&json!({"to": 1}), &json!(3), &json!(0))
    );

    assert!(folder.done(&["jobs", "cancel", &id]).contains("is cancelled"));
    assert_eq!(folder.json(&["jobs", "show", &id])["status"], "cancelled");
    let again = folder.run(&["jobs", "cancel", &id]);
    assert!(again.code == 1 && again.stderr.contains("is cancelled; only pending or running"), "{again:?}");

    assert!(folder.done(&["jobs", "retry", &id]).contains("is pending again"));
    let again = folder.run(&["jobs", "retry", &id]);
    assert!(again.code == 1 && again.stderr.contains("is pending; only failed or cancelled"), "{again:?}");
}

#[test]
fn a_job_that_is_not_there_ends_with_3() {
    let folder = with_store();
    for verb in ["show", "cancel", "retry"] {
        let ran = folder.run(&["jobs", verb, "nope"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
        assert!(ran.stderr.contains("no job nope"), "{ran:?}");
    }
}

#[test]
fn several_jobs_are_changed_even_if_one_cannot_be() {
    let folder = with_store();
    let (first, last) = (folder.enqueue(&["a"]), folder.enqueue(&["a"]));
    let ran = folder.run(&["jobs", "cancel", &first, "nope", &last, "--json"]);
    assert_eq!(ran.code, 3);
    let changed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(changed, json!({"changed": [first, last]}));
}

#[test]
fn lists_filter_by_status_and_handler() {
    let folder = with_store();
    let (a, b) = (folder.enqueue(&["a"]), folder.enqueue(&["b"]));
    folder.done(&["jobs", "cancel", &a]);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let list = folder.json(&[&["jobs", "list"], arguments].concat());
        list.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]), [a.clone(), b.clone()], "what changed last first");
    assert_eq!(ids(&["--status", "cancelled"]), [a]);
    assert_eq!(ids(&["--handler", "b"]), [b]);
    assert_eq!(ids(&["--limit", "1"]).len(), 1);
    let ran = folder.run(&["jobs", "list", "--status", "done"]);
    assert!(ran.code == 2 && ran.stderr.contains("pending, running, completed"), "{ran:?}");
}

#[test]
fn a_job_without_a_runner_says_so() {
    let folder = with_store();
    let id = folder.enqueue(&["nobody-has-this"]);
    let text = folder.done(&["jobs", "show", &id]);
    assert!(text.contains("no runner has the handler `nobody-has-this`"), "{text}");
    assert!(folder.json(&["jobs", "show", &id])["note"].as_str().unwrap().contains("nobody-has-this"));
}

#[test]
fn a_delayed_job_shows_when_it_is_due() {
    let folder = with_store();
    let id = folder.enqueue(&["a", "--delay", "2h"]);
    let job = folder.json(&["jobs", "show", &id]);
    assert_eq!(job["run_at"].as_i64().unwrap() - job["created_at"].as_i64().unwrap(), 7_200_000);
    assert!(folder.done(&["jobs", "list"]).contains("waits, due in 1h59m"));
}

#[test]
fn help_teaches() {
    let folder = Folder::new();
    let help = folder.done(&["--help"]);
    for part in ["dev", "run", "enqueue", "jobs", "migrate", "Try it:", "Exit codes:"] {
        assert!(help.contains(part), "{part:?} is not in {help}");
    }
    let ran = folder.run(&["enqeue"]);
    assert!(ran.code == 2 && ran.stderr.contains("enqueue"), "a slip is understood: {ran:?}");
}

#[test]
fn who_has_seen_enough_of_a_list_may_go_but_a_full_disk_is_told() {
    let folder = Folder::with_database("sqlite:jobs.db");
    folder.done(&["migrate"]);
    folder.enqueue(&["x"]);
    for list in [&["jobs", "list"][..], &["jobs", "list", "--json"]] {
        let (seen, list_to) = std::io::pipe().unwrap();
        drop(seen);
        let ran = folder.run_printing_to(list, list_to);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));

        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ran = folder.run_printing_to(list, full);
        assert!(ran.code == 1 && ran.stderr.starts_with("flowmonkey: cannot print"), "{ran:?}");
    }
}

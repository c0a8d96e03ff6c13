//! Recurring jobs from the command line.

use flowmonkey_tests::program::Folder;
use serde_json::json;

fn with_store() -> Folder {
    let folder = Folder::new();
    folder.done(&["migrate"]);
    folder
}

#[test]
fn a_schedule_is_added_listed_paused_resumed_and_removed() {
    let folder = with_store();
    assert_eq!(folder.done(&["schedules", "list"]).trim(), "No schedules.");
    let add = ["schedules", "add", "nightly", "0 2 * * mon-fri", "report", "--input", "{\"a\": 1}"];
    let added = folder.done(&[&add[..], &["--time-zone", "Europe/Berlin"]].concat());
    assert!(added.contains("nightly") && added.contains("Europe/Berlin") && added.contains("T0"), "{added}");
    let listed = folder.json(&["schedules", "list", "--runs", "5"]);
    let one = &listed[0];
    assert_eq!(
        (&one["name"], &one["input"], &one["paused"]),
        (&json!("nightly"), &json!({"a": 1}), &json!(false))
    );
    let next: Vec<i64> = one["next"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect();
    assert!(next.len() == 5 && next.is_sorted() && next.iter().all(|at| at % 3_600_000 == 0), "{next:?}");

    assert!(folder.done(&["schedules", "pause", "nightly"]).contains("is paused"));
    assert!(folder.done(&["schedules", "list"]).contains("paused"));
    assert_eq!(folder.json(&["schedules", "list"])[0]["next"], json!([]));
    assert!(folder.done(&["schedules", "resume", "nightly"]).contains("is resumed"));
    assert!(folder.done(&["schedules", "remove", "nightly"]).contains("is removed"));
    for verb in ["pause", "resume", "remove"] {
        let ran = folder.run(&["schedules", verb, "nightly"]);
        assert!(ran.code == 3 && ran.stderr.contains("no schedule nightly"), "{ran:?}");
    }
}

#[test]
fn what_is_no_schedule_ends_with_2_and_stores_nothing() {
    let folder = with_store();
    let table: [(&[&str], &str); 8] = [
        (&["s", "0 2 * *", "h"], "write five"),
        (&["s", "* * * * * *", "h"], "seconds"),
        (&["s", "61 * * * *", "h"], "minute"),
        (&["s", "0 0 30 2 *", "h"], "never"),
        (&["s", "@daily", "h", "--time-zone", "Berlin"], "Europe/Berlin"),
        (&["s", "@daily", "h", "--input", "{"], "not JSON"),
        (&["s", "@daily", "h", "--missed", "some"], "skip, once or all"),
        (&["", "@daily", "h"], "schedule's name has 0 bytes"),
    ];
    for (arguments, expected) in table {
        let ran = folder.run(&[&["schedules", "add"], arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{arguments:?}: {:?} lacks {expected:?}", ran.stderr);
    }
    assert_eq!(folder.json(&["schedules", "list"]), json!([]));
}

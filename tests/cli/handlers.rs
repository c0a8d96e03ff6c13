//! `flowmonkey handlers`, as an operator uses it.

use flowmonkey_tests::guests;
use flowmonkey_tests::program::{Folder, Process, Ran};
use serde_json::{Value, json};

/// A folder of which `say/` is a handler that returns a text.
fn folder(text: &str) -> Folder {
    let folder = Folder::new();
    write(&folder, text, "");
    folder
}

fn write(folder: &Folder, text: &str, manifest: &str) {
    folder.write("say/handler.toml", manifest);
    folder.write("say/say.wasm", guests::saying(text, 1));
}

fn push(folder: &Folder) -> Value {
    folder.json(&["handlers", "push", "say"])
}

fn state(folder: &Folder) -> Value {
    let mut shown = folder.json(&["handlers", "show", "say"]);
    // What only says how long ago it was, or who is there now.
    shown["runners"] = Value::Null;
    shown
}

fn runner(folder: &Folder) -> Process {
    let mut runner = folder.spawn(&["run", "--poll-interval", "50ms"]);
    runner.wait_for_log("handlers ready");
    runner
}

fn say(folder: &Folder, more: &[&str]) -> Value {
    let done = folder.done(&[&["enqueue", "say", "--wait"], more].concat());
    serde_json::from_str(&done).unwrap_or_else(|error| panic!("{error}: {done}"))
}

#[test]
fn a_push_reaches_the_jobs_and_a_rollback_takes_it_back() {
    let folder = folder("one");
    let first = push(&folder);
    assert_eq!(
        (&first["version"], &first["is_new"], &first["activated"]),
        (&json!("1"), &json!(true), &json!(true))
    );
    assert_eq!(push(&folder)["is_new"], false, "the same bytes are one version");
    let mut runner = runner(&folder);
    assert_eq!(say(&folder, &[]), "one");
    write(&folder, "two", "");
    assert_eq!(push(&folder)["version"], "2");
    runner.wait_for_log("version=\"2\"");
    assert_eq!(say(&folder, &[]), "two");
    assert_eq!(say(&folder, &["--handler-version", "1"]), "one");
    assert_eq!(folder.done(&["handlers", "rollback", "say"]), "say version 1 is active again\n");
    let shown = folder.wait_for_handler("say", |shown| {
        shown["runners"].as_array().is_some_and(|all| all.iter().any(|one| one["version"] == "1"))
    });
    assert_eq!(shown["active"], "1");
    assert_eq!(say(&folder, &[]), "one");
    let text = folder.done(&["handlers", "show", "say"]);
    for expected in ["active version", "rolled-back", "RUNNER", "PUSHED"] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(folder.done(&["handlers", "list"]).contains("say"));
    runner.signal("TERM");
    assert_eq!(runner.wait(), 0);
}

/// Each kind changes nothing and says why.
#[test]
fn a_bad_push_changes_nothing_and_says_why() {
    let folder = folder("one");
    push(&folder);
    let before = state(&folder);
    let endless =
        guests::described(r#"(func (export "describe") (result i32) (loop $l (br $l)) unreachable)"#);
    let contradicts = guests::example("greet-1");
    let wrong_world = guests::component("(component)");
    let email = guests::example("email-send");
    let table: [(&str, &str, Vec<u8>, &str); 9] = [
        ("garbage", "", b"garbage".to_vec(), "not a WebAssembly component"),
        ("wrong world", "", wrong_world, "flowmonkey:jobs/handler"),
        (
            "a grant that the manifest does not mention",
            "",
            email.clone(),
            "idempotency = true (or idempotency = false",
        ),
        ("a grant that is not allowed", "[grants]\nidempotency = true", email, "[handlers.say.allow]"),
        ("a compile bomb", "[limits]\ncompile-timeout = '1s'", guests::bomb(), "takes longer than 1s"),
        ("a description that never ends", "[limits]\nfuel = '1_000_000'", endless, "OUT_OF_FUEL"),
        ("another name", "", contradicts, "\"greet\", but the manifest says \"say\""),
        ("an unknown key", "versoin = '2'", guests::saying("x", 1), "did you mean `version`?"),
        ("a schema that is none", "input-schema = 'in.json'", guests::saying("x", 1), "the input schema: "),
    ];
    folder.write("say/in.json", r#"{"type": 5}"#);
    for (kind, manifest, component, why) in table {
        folder.write("say/handler.toml", manifest);
        folder.write("say/say.wasm", component);
        for more in [&["--dry-run"][..], &[]] {
            let ran = folder.run(&[&["handlers", "push", "say"], more].concat());
            assert_eq!(ran.code, 2, "{kind}: {ran:?}");
            assert!(
                ran.stderr.contains(why) && ran.stderr.contains("nothing has changed"),
                "{kind}: {ran:?}"
            );
        }
        assert_eq!(state(&folder), before, "{kind}");
    }
    write(&folder, "other", "version = '1'");
    let ran = folder.run(&["handlers", "push", "say"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("versions never change"), "{ran:?}");
    assert_eq!(state(&folder), before);
}

#[test]
fn a_push_may_be_tried_or_wait_to_be_activated() {
    let folder = folder("one");
    let ran = folder.json(&["handlers", "push", "say", "--dry-run"]);
    assert_eq!((&ran["version"], &ran["activated"]), (&Value::Null, &json!(false)));
    assert_eq!(folder.run(&["handlers", "show", "say"]).code, 2, "there is not even a store");
    folder.done(&["handlers", "push", "say", "--no-activate"]);
    assert_eq!(state(&folder)["active"], Value::Null);
    assert_eq!(folder.run(&["handlers", "activate", "say", "7"]).code, 3);
    folder.done(&["handlers", "activate", "say", "1"]);
    assert_eq!(state(&folder)["active"], "1");
    assert_eq!(folder.run(&["handlers", "rollback", "say"]).code, 1, "there is nothing older");
}

#[test]
fn a_canary_is_promoted_or_aborted_in_a_line() {
    let folder = folder("one");
    assert_eq!(
        folder.run(&["handlers", "push", "say", "--canary", "10"]).code,
        1,
        "there is nothing beside it"
    );
    push(&folder);
    write(&folder, "two", "");
    folder.done(&["handlers", "push", "say", "--canary", "10"]);
    let shown = state(&folder);
    assert_eq!(
        (&shown["active"], &shown["canary"], &shown["canary_percent"]),
        (&json!("1"), &json!("2"), &json!(10))
    );
    folder.done(&["handlers", "abort", "say"]);
    assert_eq!(state(&folder)["canary"], Value::Null);
    assert_eq!(folder.run(&["handlers", "promote", "say"]).code, 1);
    folder.done(&["handlers", "activate", "say", "2", "--canary", "50"]);
    folder.done(&["handlers", "promote", "say"]);
    assert_eq!(state(&folder)["active"], "2");
}

#[test]
fn a_paused_handler_waits_and_a_removed_one_is_gone() {
    let folder = folder("one");
    push(&folder);
    let _runner = runner(&folder);
    folder.done(&["handlers", "pause", "say", "--by", "ada"]);
    let id = folder.enqueue(&["say"]);
    assert!(folder.done(&["handlers", "list"]).contains("paused"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(folder.json(&["jobs", "show", &id])["status"], "pending");
    let ran = folder.run(&["handlers", "remove", "say"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("1 jobs that have not ended"), "{ran:?}");
    folder.done(&["handlers", "resume", "say"]);
    folder.wait_for_status(&id, "completed");
    assert_eq!(folder.run(&["handlers", "remove", "say", "1"]).code, 1, "the active version stays");
    let trail = folder.json(&["handlers", "show", "say"])["trail"].clone();
    let paused = trail.as_array().unwrap().iter().find(|one| one["action"] == "paused").unwrap();
    assert_eq!(paused["actor"], "ada");
    folder.done(&["handlers", "remove", "say"]);
    assert_eq!(folder.run(&["handlers", "show", "say"]).code, 3);
}

#[test]
fn what_is_pulled_can_be_pushed_and_is_the_same() {
    let folder = folder("one");
    folder.write("say/in.json", r#"{"type": ["object", "null"]}"#);
    write(&folder, "one", "version = '1.2.0'\ninput-schema = 'in.json'\ncomponent = 'say.wasm'");
    push(&folder);
    folder.done(
        &["handlers", "pull", "say@1.2.0", "--into", "."].map(|one| if one == "." { "copy" } else { one }),
    );
    let pushed = folder.json(&["handlers", "push", "copy/say"]);
    assert_eq!((&pushed["version"], &pushed["is_new"]), (&json!("1.2.0"), &json!(false)));
    assert_eq!(folder.run(&["handlers", "pull", "say", "--into", "copy"]).code, 2, "nothing is overwritten");
    assert_eq!(folder.run(&["handlers", "pull", "nobody"]).code, 3);
}

const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIBWgacvg4hTjNaW9DPYopId/MAvuBDE4F5Y0kBuw6Ky/\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAh0nAZt/2Ac22lZ3dvRU4QkeoCOW9iY5qjU3uJ7YSpys=\n-----END PUBLIC KEY-----\n";

#[test]
fn where_signatures_are_asked_for_others_are_refused() {
    let folder = folder("one");
    folder.write("key.pem", PRIVATE);
    folder.write("public.pem", PUBLIC);
    folder.write("flowmonkey.toml", "[signatures]\nkeys = [{ file = 'public.pem' }]");
    let ran = folder.run(&["handlers", "push", "say"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("is not signed"), "{ran:?}");
    assert_eq!(folder.json(&["handlers", "push", "say", "--sign-key", "key.pem"])["signed"], true);
    let signature = state(&folder)["versions"][0]["signature"].as_str().unwrap().to_owned();
    // Beside the component it serves as well, but for that component alone.
    folder.write("say/say.wasm.sig", &signature);
    assert_eq!(push(&folder)["is_new"], false);
    folder.write("say/say.wasm", guests::saying("two", 1));
    let ran = folder.run(&["handlers", "push", "say"]);
    assert!(ran.code == 2 && ran.stderr.contains("none of the 1 keys"), "{ran:?}");
}

#[test]
fn an_input_that_does_not_fit_is_refused_before_there_is_a_job() {
    let folder = folder("one");
    folder.write("say/in.json", r#"{"type": "object", "required": ["to"]}"#);
    write(&folder, "one", "input-schema = 'in.json'");
    push(&folder);
    let refused = |ran: Ran| assert!(ran.code == 2 && ran.stderr.contains("\"to\""), "{ran:?}");
    refused(folder.run(&["enqueue", "say", "--input", "{}"]));
    refused(folder.run(&["schedules", "add", "daily", "@daily", "say", "--input", "{}"]));
    assert_eq!(folder.json(&["jobs", "list"]), json!([]));
    folder.enqueue(&["say", "--input", r#"{"to": 1}"#]);
    assert_eq!(folder.run(&["enqueue", "say", "--handler-version", "9", "--input", r#"{"to": 1}"#]).code, 2);
}

/// The folder of a developer: what changes is swapped in, what is broken leaves the old one running.
#[test]
fn dev_reloads_what_changes() {
    let folder = Folder::new();
    folder.write("handlers/say.wasm", guests::saying("one", 1));
    let mut dev = folder.spawn(&["dev", "handlers"]);
    dev.wait_for_log("runner started");
    assert_eq!(say(&folder, &[]), "one");
    folder.write("handlers/say.wasm", guests::saying("two", 1));
    while say(&folder, &[]) != "two" {}
    folder.write("handlers/say.wasm", b"broken");
    dev.wait_for_log("handler refused");
    assert_eq!(say(&folder, &[]), "two");
}

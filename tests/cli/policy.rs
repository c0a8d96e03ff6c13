//! What an operator says of handlers in the settings file: ceilings, grants, configuration, secrets.

use flowmonkey_tests::program::Folder;
use serde_json::json;

const SECRET: &str = "only-for-the-mail-service";

/// A folder whose one handler, `probe`, has this manifest, and whose runner has these settings.
fn folder(manifest: &str, settings: &str) -> Folder {
    let folder = Folder::new();
    folder.write("handlers/probe/handler.toml", manifest);
    folder.write("handlers/probe/probe.wasm", flowmonkey_tests::guests::example("probe"));
    folder.write("token", format!("{SECRET}\n"));
    folder.write("flowmonkey.toml", settings);
    folder.done(&["migrate"]);
    folder
}

fn run(folder: &Folder, input: serde_json::Value) -> serde_json::Value {
    let id = folder.enqueue(&["probe", "--max-attempts", "1", "--input", &input.to_string()]);
    folder.wait_for_job(&id, |job| job["status"] == "completed" || job["status"] == "failed")
}

#[test]
fn a_handler_gets_what_it_asks_and_the_operator_allows() {
    let asks = "[grants]\ncontext = true\nconfig = ['region', 'token', 'missing']";
    let settings = "[handlers.probe.config]\nregion = 'eu'\ntoken = { file = 'token' }";
    let folder = folder(asks, settings);
    let mut runner = folder.spawn(&["run", "--handlers", "handlers", "--poll-interval", "50ms"]);
    runner.wait_for_log("runner started");
    let log = runner.log();
    assert!(log.contains("asked in vain") && log.contains("context = true"), "{log}");
    assert!(log.contains("missing") && !log.contains("region"), "{log}");

    let ask = json!({"do": "config", "keys": ["region", "token"], "spell": true});
    let job = run(&folder, ask);
    assert_eq!(job["result"]["values"][0], json!(["e", "u"]), "{job:#}");
    assert_eq!(job["result"]["values"][1].as_array().unwrap().len(), SECRET.len());
    let job = run(&folder, json!({"do": "context", "steps": [["keys", ""]]}));
    assert!(job["result"][0]["error"].as_str().unwrap().contains("no grant `context`"), "{job:#}");
}

/// Looked for in every byte of the database and of the log.
#[test]
fn a_secret_is_neither_in_the_database_nor_in_the_log() {
    let folder =
        folder("[grants]\nconfig = ['token']", "[handlers.probe.config]\ntoken = { file = 'token' }");
    let mut runner = folder.spawn(&["run", "--handlers", "handlers", "--poll-interval", "50ms"]);
    runner.wait_for_log("runner started");
    for by in ["log", "result", "error", "panic", "checkpoints", "idempotency"] {
        run(&folder, json!({"do": "give-away", "key": "token", "by": by}));
    }
    runner.signal("TERM");
    assert_eq!(runner.wait(), 0, "{}", runner.log());
    let log = runner.log();
    assert!(log.contains("[secret token]") && !log.contains(SECRET), "{log}");
    let store = std::fs::read_dir(folder.path().join(".flowmonkey")).unwrap();
    let files: Vec<_> = store.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "the secret is in {}", file.display());
    }
}

#[test]
fn a_handler_over_its_ceiling_is_refused_with_both_numbers() {
    let folder = folder("[limits]\nmemory = '256MiB'\nlog-lines = 10", "[ceiling]\nmemory = '200MiB'");
    let refused = folder.run(&["run", "--handlers", "handlers"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let expected = "memory is 256.0 MiB, over the ceiling of 200.0 MiB";
    assert!(refused.stderr.contains(expected) && !refused.stderr.contains("log-lines"), "{refused:?}");
    // The twin: under a ceiling of its own it runs.
    folder
        .write("flowmonkey.toml", "[ceiling]\nmemory = '200MiB'\n[handlers.probe.ceiling]\nmemory = '1GiB'");
    let mut runner = folder.spawn(&["run", "--handlers", "handlers", "--poll-interval", "50ms"]);
    runner.wait_for_log("runner started");
    let job = run(&folder, json!({"do": "take-memory", "n": 180 << 20}));
    assert_eq!(job["status"], "completed", "{job:#}");
}

#[test]
fn what_makes_no_sense_is_bad_input_that_names_the_key_and_no_secret() {
    for (settings, expected) in [
        ("[limits]\ntimeout = '2d'\n[ceiling]\ntimeout = '1d'", "over the ceiling of 1day"),
        ("[handlers.probe.config]\nkey = { file = 'nowhere' }", "config.key: nowhere"),
        ("[handlers.probe.config]\nkey = { env = 'FLOWMONKEY_NO_SUCH' }", "FLOWMONKEY_NO_SUCH is not set"),
        ("[handlers.probe.allow]\nhttp = ['*bad']", "is no host to allow"),
        ("[alow]\ncontext = true", "unknown field `alow`"),
        ("http-ca-file = 'nowhere.pem'", "http-ca-file: nowhere.pem"),
    ] {
        let folder = folder("", settings);
        let refused = folder.run(&["run", "--handlers", "handlers"]);
        assert_eq!(refused.code, 2, "{settings}: {refused:?}");
        assert!(refused.stderr.contains(expected), "{settings}: {refused:?}");
    }
}

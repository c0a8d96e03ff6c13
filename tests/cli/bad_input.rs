use flowmonkey_tests::program::Folder;

/// A folder whose store is there and empty.
fn with_store() -> Folder {
    let folder = Folder::new();
    folder.done(&["migrate"]);
    folder
}

fn assert_nothing_stored(folder: &Folder) {
    assert_eq!(folder.json(&["jobs", "list"]), serde_json::json!([]));
}

#[test]
fn bad_input_of_any_kind_ends_with_2_and_stores_nothing() {
    let folder = with_store();
    folder.write("nul.json", b"{\"a\": \"\\u0000\"}");
    folder.write("raw-nul.json", b"{\"a\": \"\0\"}");
    folder.write("latin1.json", b"\"\xe4\"");
    folder.write("large.json", format!("\"{}\"", "x".repeat(1024 * 1024)));
    folder.write("deep.json", "[".repeat(100_000));
    let table: &[(&[&str], &str)] = &[
        (&["x", "--input", "{"], "not JSON"),
        (&["x", "--input", ""], "not JSON"),
        (&["x", "--input", "{'a': 1}"], "not JSON"),
        (&["x", "--input", "\"\\ud800\""], "lone surrogate"),
        (&["x", "--input", "1e99999"], "out of range"),
        (&["x", "--input", "@nul.json"], "NUL"),
        (&["x", "--input", "@raw-nul.json"], "NUL"),
        (&["x", "--input", "@latin1.json"], "not UTF-8"),
        (&["x", "--input", "@large.json"], "1048576"),
        (&["x", "--input", "@deep.json"], "deeper than 128"),
        (&["x", "--input", "@missing.json"], "missing.json"),
        (&["", "--input", "{}"], "the handler has 0 bytes"),
        (&["a\u{7}b", "--input", "{}"], "control character"),
        (&["x", "--max-attempts", "0"], "max attempts 0"),
        (&["x", "--priority", "10"], "10"),
        (&["x", "--delay", "soon"], "write a time like"),
        (&["x", "--delay", "100y"], "ten years"),
        (&[], "<HANDLER>"),
        (&["x", "--wait-timeout", "1s"], "--wait"),
    ];
    for (arguments, expected) in table {
        let ran = folder.run(&[&["enqueue"], *arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{arguments:?}: {:?} lacks {expected:?}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}: errors go to stderr");
    }
    assert_nothing_stored(&folder);
}

#[test]
fn standard_input_is_checked_like_the_rest() {
    let folder = with_store();
    for (input, expected) in [
        (&b"{\"a\": \"\0\"}"[..], "NUL"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "not JSON"),
        (&vec![b' '; 3 * 1024 * 1024], "limit"),
    ] {
        let ran = folder.run_with_input(&["enqueue", "x", "--input", "-"], input);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{:?} lacks {expected:?}", ran.stderr);
    }
    assert_nothing_stored(&folder);
    let ran = folder.run_with_input(&["enqueue", "x", "--input", "-"], b" {\"a\": 1}\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(folder.json(&["jobs", "show", ran.stdout.trim()])["input"], serde_json::json!({"a": 1}));
}

#[test]
fn the_largest_input_is_taken_whole() {
    let folder = with_store();
    let text = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
    folder.write("largest.json", &text);
    let id = folder.enqueue(&["x", "--input", "@largest.json"]);
    assert_eq!(folder.json(&["jobs", "show", &id])["input"].as_str().unwrap().len(), 1024 * 1024 - 2);
}

#[test]
fn without_a_store_nothing_is_created_and_the_remedy_is_named() {
    let folder = Folder::new();
    for arguments in [&["enqueue", "x"][..], &["jobs", "list"], &["jobs", "show", "1"]] {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("flowmonkey dev"), "{ran:?}");
    }
    assert!(!folder.path().join(".flowmonkey").exists());
}

#[test]
fn settings_that_are_unknown_or_do_not_fit_end_with_2() {
    let folder = with_store();
    folder.write("handlers/readme.txt", "");
    let table = [
        ("poll_interval = '1s'", "unknown field `poll_interval`"),
        ("poll-interval = 5", "poll-interval"),
        ("heartbeat-interval = '50s'", "more than twice"),
        ("memory-max = '9GiB'", "memory-max"),
    ];
    for (settings, expected) in table {
        folder.write("flowmonkey.toml", settings);
        let ran = folder.run(&["run", "--handlers", "handlers"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{settings}: {ran:?}");
    }
    let ran = folder.run(&["run", "--handlers", "handlers", "--config", "other.toml"]);
    assert!(ran.code == 2 && ran.stderr.contains("other.toml"), "{ran:?}");
}

#[test]
fn a_folder_without_handlers_says_what_belongs_there() {
    let folder = with_store();
    folder.write("handlers/readme.txt", "");
    let ran = folder.run(&["dev", "handlers"]);
    assert!(ran.code == 2 && ran.stderr.contains("NAME.wasm"), "{ran:?}");
    let ran = folder.run(&["dev", "nowhere"]);
    assert!(ran.code == 2 && ran.stderr.contains("nowhere"), "{ran:?}");
}

#[test]
fn what_is_no_handler_is_refused_by_name_with_the_remedy() {
    let folder = with_store();
    let table: [(&str, Vec<u8>, &[&str]); 4] = [
        ("text", b"hello".to_vec(), &["text.wasm", "not a WebAssembly component"]),
        ("core", b"\0asm\x01\0\0\0".to_vec(), &["core.wasm", "core WebAssembly module", "wasm32-wasip2"]),
        ("empty", b"\0asm\x0d\0\x01\0".to_vec(), &["empty.wasm", "flowmonkey:jobs/handler@0.1.0"]),
        ("foreign", foreign(), &["foreign.wasm", "acme:db/sql@1.0.0", "no such interface"]),
    ];
    for (name, bytes, _) in &table {
        folder.write(&format!("handlers/{name}.wasm"), bytes);
    }
    let ran = folder.run(&["dev", "handlers"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    for (_, _, expected) in table {
        for part in expected {
            assert!(ran.stderr.contains(part), "{part:?} is not in {}", ran.stderr);
        }
    }
}

fn foreign() -> Vec<u8> {
    let text = "(component (import \"acme:db/sql@1.0.0\" (instance)))";
    flowmonkey_tests::guests::component(text)
}

#[test]
fn one_bad_file_does_not_keep_the_others_out() {
    let folder = with_store();
    folder.handlers(&["email-send"]);
    folder.write("handlers/broken.wasm", "hello");
    let mut runner = folder.spawn(&["dev", "handlers"]);
    runner.wait_for_log("runner started");
    assert!(runner.log().contains("broken.wasm"), "{}", runner.log());
    assert!(runner.log().contains("handlers=\"email-send\""), "{}", runner.log());
}

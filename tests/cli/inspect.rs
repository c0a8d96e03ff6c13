use flowmonkey_tests::guests;
use flowmonkey_tests::program::{Folder, Ran};
use serde_json::{Value, json};

/// Inspects bytes; the report, and whether they are a handler by the exit code.
fn inspected(name: &str, bytes: &[u8]) -> (Value, i32) {
    let folder = Folder::new();
    folder.write(name, bytes);
    let ran = folder.run(&["inspect", name, "--json"]);
    assert_eq!(ran.stderr, "", "{name}: the reasons are part of the report");
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {ran:?}"));
    (report, ran.code)
}

fn shown(name: &str, bytes: &[u8]) -> Ran {
    let folder = Folder::new();
    folder.write(name, bytes);
    folder.run(&["inspect", name])
}

#[test]
fn an_example_is_a_handler_and_says_what_it_is_made_of() {
    for name in ["email-send", "flaky", "report-generate", "spin", "probe"] {
        let bytes = guests::example(name);
        let (report, code) = inspected("example.wasm", &bytes);
        assert_eq!((code, &report["handler"], &report["problems"]), (0, &json!(true), &json!([])), "{name}");
        assert_eq!((&report["format"], &report["bytes"]), (&json!("component"), &json!(bytes.len())));
        assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
        let exports = report["exports"].as_array().unwrap();
        assert!(exports.contains(&json!("flowmonkey:jobs/handler@0.1.0")), "{exports:?}");
        let languages = report["producers"].as_array().unwrap();
        assert!(
            languages.iter().any(|one| one["role"] == "language" && one["name"] == "Rust"),
            "{languages:?}"
        );
        assert_eq!(report["imports"]["missing"], json!([]), "{name}");
        assert!(report["core_modules"].as_u64().unwrap() >= 1 && report["functions"].as_u64().unwrap() > 10);
        assert!(report["function_bytes_max"].as_u64().unwrap() > 100);
        assert!(report["memories"][0]["initial"].as_u64().unwrap() > 0);
    }
    let (report, _) = inspected("probe.wasm", &guests::example("probe"));
    let contract = report["imports"]["contract"].as_array().unwrap();
    assert!(contract.contains(&json!("flowmonkey:jobs/checkpoint@0.1.0")), "{contract:?}");
    let granted = report["imports"]["granted"].as_array().unwrap();
    let context = json!({
        "import": "flowmonkey:jobs/context@0.1.0", "grant": "context", "manifest": "context = true"
    });
    assert!(granted.contains(&context), "{granted:?}");
    let ran = shown("probe.wasm", &guests::example("probe"));
    for part in ["a WebAssembly component", "Rust", "context = true", "A handler that this host can run."] {
        assert!(ran.stdout.contains(part), "{part:?} is not in {}", ran.stdout);
    }
}

#[test]
fn the_digest_is_sha_256() {
    let (report, code) = inspected("abc.wasm", b"abc");
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((code, &report["sha256"], &report["format"]), (1, &json!(expected), &json!("text")));
}

#[test]
fn what_is_no_handler_is_told_what_it_is_and_what_to_do() {
    let core = guests::component("(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func)))");
    let command =
        guests::component("(component (instance $i) (export \"wasi:cli/run@0.2.0\" (instance $i)))");
    let foreign = guests::component(
        "(component (import \"acme:db/sql@1.0.0\" (instance)) (import \"flowmonkey:jobs/logs@0.1.0\" (instance)))",
    );
    let example = guests::example("email-send");
    let table: &[(&[u8], &str, &[&str])] = &[
        (b"", "empty", &["an empty file"]),
        (b"(component)", "wasm-text", &["text (.wat)", "wasm-tools parse"]),
        (b"package a:b;", "wit", &["interface description"]),
        (b"<!doctype html><title>404</title>", "markup", &["download may have failed"]),
        (b"{\"error\": 1}", "text", &["this is text"]),
        (b"\x1f\x8b\x08\0", "packed", &["gzip", "Unpack"]),
        (b"PK\x03\x04", "packed", &["zip"]),
        (b"\x7fELF\x02\x01\x01\xc8", "precompiled", &["ahead of time", "this host compiled itself"]),
        (b"\x7fELF\x02\x01\x01\0", "machine-code", &["machine code (ELF)", "wasm32-wasip2"]),
        (b"\0asm\x0a\0\x01\0", "wasm-of-other-version", &["unknown version 10", "writes version 13"]),
        (b"\xff\xfe\0", "unknown", &["something of no known format"]),
        (
            &core,
            "core-module",
            &["core WebAssembly module", "built for WASI before 0.2", "wasm-tools component new"],
        ),
        (&command, "component", &["a command", "job-handler"]),
        (
            &foreign,
            "component",
            &["exports nothing", "acme:db/sql@1.0.0", "did you mean flowmonkey:jobs/log?"],
        ),
        (
            &example[..example.len() / 2],
            "component",
            &["cannot be read: unexpected end-of-file", "at byte", "fetch it again"],
        ),
        (&example[..20], "component", &["cannot be read"]),
    ];
    for (bytes, format, expected) in table {
        let (report, code) = inspected("file.wasm", bytes);
        assert_eq!((code, &report["handler"], &report["format"]), (1, &json!(false), &json!(format)));
        let problems = report["problems"].to_string();
        let text = shown("file.wasm", bytes);
        assert!(text.code == 1 && text.stdout.contains("No handler that this host can run"), "{text:?}");
        for part in *expected {
            assert!(problems.contains(part), "{part:?} is not in {problems}");
            assert!(text.stdout.contains(part), "{part:?} is not in {}", text.stdout);
        }
    }
}

#[test]
fn what_cannot_be_read_ends_with_2() {
    let folder = Folder::new();
    folder.write("folder/x", "");
    for (file, expected) in
        [("missing.wasm", "missing.wasm"), ("folder", "no regular file"), ("/dev/zero", "no regular")]
    {
        let ran = folder.run(&["inspect", file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
}

#[test]
fn a_file_over_the_limit_is_not_read_whole() {
    let folder = Folder::new();
    folder.write("large.wasm", b"\0asm\x0d\0\x01\0");
    // Sparse: it takes no room.
    let file = std::fs::File::options().write(true).open(folder.path().join("large.wasm")).unwrap();
    file.set_len(1 << 40).unwrap();
    let ran = folder.run(&["inspect", "large.wasm", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["bytes"], &report["sha256"]), (1, &json!(1_u64 << 40), &Value::Null));
    assert!(report["problems"][0].as_str().unwrap().contains("over the limit"), "{report}");
}

/// Names from the file must not move the cursor, forge lines of the report, or make it endless.
#[test]
fn a_hostile_file_gets_a_short_and_harmless_report() {
    let long = "x".repeat(50_000);
    let imports: String =
        (0..2000).map(|n| format!("(import \"i{n}\" (func)) (export \"e{n}\" (func {n})) ")).collect();
    let bytes = guests::component(&format!("(component (import \"{long}\" (func $f)) {imports})"));
    let ran = shown("odd.wasm", &bytes);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("more") && ran.stdout.len() < 20_000, "{} bytes", ran.stdout.len());
    let (report, _) = inspected("odd.wasm", &bytes);
    assert!(report["problems"].to_string().len() < 5000, "{}", report["problems"]);
    assert_eq!(report["imports_more"], json!(1001));

    let name = "log\u{1b}[2J\nA handler that this host can run.";
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    let section = [&[1, 0, name.len() as u8][..], name.as_bytes(), &[1, 0]].concat();
    bytes.extend([&[10, section.len() as u8][..], &section].concat());
    let ran = shown("odd.wasm", &bytes);
    assert_eq!(ran.code, 1);
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    assert!(ran.stdout.lines().all(|line| !line.trim().starts_with("A handler")), "{}", ran.stdout);
}

#[test]
fn what_a_handler_imports_is_told_apart() {
    let imports = "(import \"wasi:cli/stdout@0.2.0\" (instance))
        (import \"flowmonkey:jobs/log@0.1.0\" (instance))
        (import \"flowmonkey:jobs/queue@0.1.0\" (instance))
        (import \"acme:x/y@1.0.0\" (instance))";
    let (report, _) = inspected("x.wasm", &guests::component(&format!("(component {imports})")));
    let expected = json!({
        "contract": ["flowmonkey:jobs/log@0.1.0"],
        "wasi": ["wasi:cli/stdout@0.2.0"],
        "granted": [{
            "import": "flowmonkey:jobs/queue@0.1.0", "grant": "queue", "manifest": "queue = [\"digest-send\"]",
        }],
        "missing": ["acme:x/y@1.0.0"],
    });
    assert_eq!(report["imports"], expected);
}

//! What may not even be loaded.

use crate::rig::{Run, ending, limits, metered, sandbox};
use flowmonkey_jobs::sandbox::{Format, Limits, LoadError, inspect};
use flowmonkey_tests::guests;

/// Why it is refused; and `inspect`, which compiles nothing, says the same.
fn refusal(bytes: &[u8]) -> LoadError {
    let refused = sandbox(1).prepare(bytes, &metered()).expect_err("it is no handler");
    let inspected = inspect(bytes).verdict(bytes, &metered());
    match &refused {
        // Found by wasmtime's linker alone.
        LoadError::Link(_) => assert_eq!(inspected, Ok(())),
        LoadError::Compile(_) => assert!(matches!(inspected, Err(LoadError::Compile(_))), "{inspected:?}"),
        other => assert_eq!(inspected.as_ref(), Err(other)),
    }
    refused
}

#[test]
fn what_is_no_component_is_told_what_it_is() {
    let format = |bytes: &[u8]| match refusal(bytes) {
        LoadError::NotComponent { found, .. } => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(format(b""), Format::Empty);
    assert_eq!(format(b"(component)"), Format::WasmText, "text is for tests alone");
    assert_eq!(format(b"\x7fELF\x02\x01\x01\xc8precompiled"), Format::Precompiled);
    assert_eq!(format(&wat_core()), Format::CoreModule);
    let object = guests::component("(module (@custom \"linking\" \"\\02\"))");
    assert_eq!(format(&object), Format::WasmObject);
    assert!(matches!(refusal(&vec![0; 65 << 20]), LoadError::TooLarge { .. }));
}

/// What a refusal says the host has of a package.
fn offered(package: &str) -> Vec<String> {
    let import = format!("(component (import \"{package}/no-such-thing@0.1.0\" (instance)))");
    let refused = refusal(&guests::component(&import)).to_string();
    let line = refused.lines().find(|line| line.contains("no-such-thing")).unwrap();
    let (_, names) = line.rsplit_once(" has ").unwrap();
    let names = names.split(" alone").next().unwrap();
    names.split(", ").map(|name| format!("{package}/{}", name.trim())).collect()
}

/// A component that imports all of it can be linked.
#[test]
fn all_that_is_offered_is_there() {
    let mut imports = String::from("(component ");
    let mut count = 0;
    for (package, version) in [
        ("flowmonkey:jobs", "0.1.0"),
        ("wasi:cli", "0.2.0"),
        ("wasi:clocks", "0.2.3"),
        ("wasi:filesystem", "0.2.0"),
        ("wasi:io", "0.2.6"),
        ("wasi:random", "0.2.0"),
        ("wasi:sockets", "0.2.0"),
    ] {
        let names = offered(package);
        // The handler below imports it, with its types.
        for name in names.iter().filter(|name| *name != "flowmonkey:jobs/types") {
            imports += &format!("(import \"{name}@{version}\" (instance)) ");
            count += 1;
        }
    }
    assert!(count > 30, "{imports}");
    let handler = guests::handler_text(&crate::rig::source("does-nothing"));
    let bytes = guests::component(&handler.replacen("(component ", &imports, 1));
    sandbox(1).prepare(&bytes, &metered()).unwrap();
    assert_eq!(inspect(&bytes).verdict(&bytes, &metered()), Ok(()));
}

/// The parsers of components recurse as deep as the file says: 30 KB would abort the host.
#[test]
fn a_type_nested_without_end_does_not_overflow_the_stack() {
    let mut section = vec![1];
    section.extend([0x42, 1, 1].repeat(50_000));
    section.extend([0x42, 0]);
    let mut bytes = b"\0asm\x0d\0\x01\0\x07".to_vec();
    let length = section.len();
    bytes.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
    bytes.extend(section);
    let refused = refusal(&bytes).to_string();
    assert!(refused.contains("nested more than 100 deep"), "{refused}");
}

/// Each copy of a large instance is cheap to write down and dear to check: `inspect` leaves that to the compiler,
/// which has limits of its own.
#[test]
fn what_would_take_long_to_check_is_not_checked_by_a_glance() {
    let exports: String = (0..20_000).map(|n| format!("(export \"a{n}\" (type $t)) ")).collect();
    let copies = "(instance (instantiate $large)) ".repeat(900);
    let large = format!("(component $large (type $t string) {exports})");
    let handler = "(instance $i) (export \"flowmonkey:jobs/handler@0.1.0\" (instance $i))";
    let bytes = guests::component(&format!("(component {large} {copies} {handler})"));
    let refused = inspect(&bytes).verdict(&bytes, &metered()).unwrap_err().to_string();
    assert!(refused.contains("more than can be checked without compiling"), "{refused}");
}

/// What is refused by its names is refused before it is compiled, which here would fail otherwise.
#[test]
fn names_are_checked_before_anything_is_compiled() {
    let body = "(memory i64 1)";
    let text = format!("(component (import \"acme:x/y\" (instance)) (core module {body}))");
    let refused = refusal(&guests::component(&text));
    assert!(matches!(refused, LoadError::Surface(_)), "{refused:?}");
}

fn wat_core() -> Vec<u8> {
    guests::component("(module (func (export \"run\")))")
}

#[test]
fn what_is_no_handler_is_told_what_is_missing() {
    let table: &[(&str, &[&str])] = &[
        ("(component)", &["exports nothing", "flowmonkey:jobs/handler@0.1.0"]),
        (
            "(component (instance $i) (export \"flowmonkey:jobs/handler@0.3.0\" (instance $i)))",
            &["0.3.0", "wants 0.1.0"],
        ),
        (
            "(component (import \"wasi:http/outgoing-handler@0.3.0\" (instance)) (import \"acme:x/y\" (instance)))",
            &["0.3.0 is wanted", "acme:x/y", "exports nothing"],
        ),
    ];
    for (text, expected) in table {
        let message = refusal(&guests::component(text)).to_string();
        for part in *expected {
            assert!(message.contains(part), "{text}: {part:?} is not in {message}");
        }
    }
}

#[test]
fn a_type_that_differs_from_the_contract_is_refused() {
    let empty = "(component (instance $i) (export \"flowmonkey:jobs/handler@0.1.0\" (instance $i)))";
    let message = refusal(&guests::component(empty)).to_string();
    assert!(message.contains("no function `run`"), "{message}");
    let wrong = r#"(component
        (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func $run (canon lift (core func $i "run")))
        (instance $h (export "run" (func $run)))
        (export "flowmonkey:jobs/handler@0.1.0" (instance $h)))"#;
    let message = refusal(&guests::component(wrong)).to_string();
    assert!(
        message.contains("has run() -> ,") && message.contains("wants run(string) -> result<"),
        "{message}"
    );
    // An import of ours with another type is found by wasmtime's linker.
    let log = "(component (import \"flowmonkey:jobs/log@0.1.0\" (instance (export \"log\" (func)))) ";
    let both = guests::handler_text(&crate::rig::source("does-nothing")).replacen("(component ", log, 1);
    assert!(matches!(refusal(&guests::component(&both)), LoadError::Link(_)));
}

/// Threads, big memories and garbage collection are off: a component that needs them is refused.
#[test]
fn features_that_no_handler_needs_are_off() {
    for fields in ["(memory i64 1)", "(memory 1 2 shared)", "(type (struct))", "(tag)"] {
        let run = "(func (export \"run\") (param i32 i32) (result i32) (i32.const 1024))";
        let bytes = guests::handler(&format!("{fields} {run}"));
        assert!(matches!(refusal(&bytes), LoadError::Compile(_)), "{fields}");
    }
}

/// A type of a few lines that would be gigabytes when written out: the refusal stays short.
#[test]
fn a_type_that_unfolds_without_end_is_refused_in_a_few_words() {
    let name = "a".repeat(90_000);
    let mut types = format!("(type $t0' (record (field \"{name}\" string))) (export $t0 \"t0\" (type $t0'))");
    for n in 1..=16 {
        let below = n - 1;
        types += &format!(
            "(type $t{n}' (record (field \"a\" $t{below}) (field \"b\" $t{below})))
             (export $t{n} \"t{n}\" (type $t{n}'))"
        );
    }
    let text = format!(
        "(component {types}
            (core module $m (memory (export \"memory\") 1) (func (export \"run\") (param i32))
                (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $run (param \"input\" $t16)
                (canon lift (core func $i \"run\") (memory (core memory $i \"memory\"))
                    (realloc (core func $i \"realloc\"))))
            (instance $h (export \"run\" (func $run)))
            (export \"flowmonkey:jobs/handler@0.1.0\" (instance $h)))"
    );
    let refused = refusal(&guests::component(&text));
    assert!(matches!(refused, LoadError::Type { .. }), "{}", &refused.to_string()[..200]);
    assert!(refused.to_string().len() < 5000, "{} bytes", refused.to_string().len());
}

/// A component may be made of many modules, up to a limit that an attempt can lower.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_instances_are_refused_or_fail_with_a_code() {
    let sandbox = sandbox(2);
    let made_of = |count: usize| sandbox.prepare(&crate::suite::instances(count), &metered());
    assert!(matches!(made_of(100), Err(LoadError::Compile(_))));
    let some = made_of(20).unwrap();
    assert_eq!(ending(&Run::with("{}").on(&sandbox, &some).await), "completed");
    let limits = Limits { instances_max: 10, ..limits() };
    let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &some).await;
    assert_eq!(ending(&report), "HANDLER_LOAD_FAILED", "{:?}", report.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_components_are_refused_or_run_but_never_take_the_host_along() {
    let sandbox = sandbox(2);
    let whole = guests::handler(&crate::rig::source("bounded-loop"));
    for length in (0..whole.len()).step_by(7) {
        let part = &whole[..length];
        assert!(sandbox.prepare(part, &metered()).is_err(), "{length} bytes of {}", whole.len());
        assert!(inspect(part).verdict(part, &metered()).is_err(), "{length} bytes of {}", whole.len());
    }
    // A generator of its own keeps the flips the same from run to run (Marsaglia, "Xorshift RNGs", 2003).
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    let mut ran = 0;
    for _ in 0..600 {
        let mut bytes = whole.clone();
        let at = random() % (bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        let verdict = inspect(&bytes).verdict(&bytes, &metered());
        let prepared = sandbox.prepare(&bytes, &metered());
        match &prepared {
            Ok(_) | Err(LoadError::Link(_)) => assert_eq!(verdict, Ok(()), "bit {at}"),
            // What is valid may still be more than the engine takes.
            Err(LoadError::Compile(_)) => {}
            Err(other) => assert_eq!(verdict.as_ref(), Err(other), "bit {at}"),
        }
        if let Ok(prepared) = prepared {
            ending(&Run::with("{}").on(&sandbox, &prepared).await);
            ran += 1;
        }
    }
    assert!(ran > 10, "some flips leave a component that runs: {ran}");
}

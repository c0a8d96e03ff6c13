//! What may not even be loaded.

use crate::rig::{Run, ending, limits, metered, sandbox};
use flowmonkey_jobs::sandbox::{Limits, LoadError};
use flowmonkey_tests::guests;

fn refusal(bytes: &[u8]) -> LoadError {
    sandbox(1).prepare(bytes, &metered()).expect_err("it is no handler")
}

#[test]
fn what_is_no_component_is_told_what_it_is() {
    let core = wat_core();
    assert_eq!(refusal(b""), LoadError::NotWasm);
    assert_eq!(refusal(b"(component)"), LoadError::NotWasm, "text is for tests alone");
    assert_eq!(refusal(b"\x7fELF\x02\x01\x01\0precompiled"), LoadError::NotWasm);
    assert_eq!(refusal(&core), LoadError::CoreModule);
    assert!(matches!(refusal(&vec![0; 65 << 20]), LoadError::TooLarge { .. }));
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
            "(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance)) (import \"acme:x/y\" (instance)))",
            &["grant `http`", "acme:x/y", "exports nothing"],
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
        assert!(sandbox.prepare(&whole[..length], &metered()).is_err(), "{length} bytes of {}", whole.len());
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
        if let Ok(prepared) = sandbox.prepare(&bytes, &metered()) {
            ending(&Run::with("{}").on(&sandbox, &prepared).await);
            ran += 1;
        }
    }
    assert!(ran > 10, "some flips leave a component that runs: {ran}");
}

//! Machine code from a child does what machine code from this process does.

use super::{compiler, sandbox};
use crate::rig::{self, Run, ending, error, hostile, limits, metered, result, unmetered};
use flowmonkey_jobs::sandbox::{Format, Limits, LoadError};
use flowmonkey_tests::{guests, program};

const MAIL: &str = r#"{"to": "ada@example.com", "subject": "Hi", "body": "Hello"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_example_from_a_child_does_its_work() {
    let sandbox = sandbox(compiler(&program::path()));
    for limits in [metered(), unmetered()] {
        let prepared = sandbox.prepare(&guests::example("email-send"), &limits).unwrap();
        let here = rig::sandbox(1);
        let reference = here.prepare(&guests::example("email-send"), &limits).unwrap();
        let run = Run { limits, ..Run::with(MAIL) };
        let (report, expected) = (run.on(&sandbox, &prepared).await, run.on(&here, &reference).await);
        assert_eq!(result(&report)["to"], result(&expected)["to"]);
        assert_eq!(report.usage.fuel, expected.usage.fuel, "it costs the same");
    }
}

/// Fuel, stack, traps and their names are all in the machine code.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_guests_from_a_child_end_as_they_must() {
    let sandbox = sandbox(compiler(&program::path()));
    for (name, code, function) in [
        ("endless-loop", "OUT_OF_FUEL", "spin"),
        ("endless-recursion", "STACK_OVERFLOW", "deeper"),
        ("grow-page-by-page", "MEMORY_LIMIT", "take"),
        ("divide-by-zero", "TRAP", "divides"),
    ] {
        for stack_bytes_max in [128 * 1024, 512 * 1024] {
            let limits = Limits { stack_bytes_max, ..limits() };
            let prepared = hostile(&sandbox, name, &limits);
            let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
            assert_eq!(ending(&report), code, "{name}: {:?}", report.outcome);
            let frames = &error(&report).backtrace;
            assert!(frames.first().is_some_and(|frame| frame.contains(function)), "{name}: {frames:?}");
        }
    }
}

#[test]
fn what_is_not_valid_is_refused_with_the_compilers_reason() {
    let sandbox = sandbox(compiler(&program::path()));
    let here = rig::sandbox(1);
    let mut wrong_type = super::handler(1);
    // An `i32.const` becomes an `i64.const`.
    let at = wrong_type.windows(3).rposition(|bytes| bytes == [0x41, 0x80, 0x08]).unwrap();
    wrong_type[at] = 0x42;
    for component in [b"\0asm\x0d\0\x01\0garbage".to_vec(), wrong_type, b"\0asm\x0e\0\x01\0".to_vec()] {
        let refused = sandbox.prepare(&component, &metered()).unwrap_err();
        assert_eq!(refused, here.prepare(&component, &metered()).unwrap_err());
        assert!(!matches!(refused, LoadError::Host(_)), "{refused}");
    }
}

/// Machine code is no component, however it is dressed.
#[test]
fn machine_code_passed_off_as_a_component_is_refused() {
    let sandbox = sandbox(compiler(&program::path()));
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true).epoch_interruption(true);
    let engine = wasmtime::Engine::new(&config).unwrap();
    let code = engine.precompile_component(&super::handler(1)).unwrap();
    let dressed = [b"\0asm\x0d\0\x01\0", code.as_slice()].concat();
    let refused = sandbox.prepare(&code, &metered()).unwrap_err();
    assert!(matches!(refused, LoadError::NotComponent { found: Format::Precompiled, .. }), "{refused:?}");
    let refused = sandbox.prepare(&dressed, &metered()).unwrap_err();
    assert!(matches!(refused, LoadError::Damaged(_)), "{refused}");
}

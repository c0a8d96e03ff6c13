//! Handlers to measure with, as text: so that `bench` needs no file and no toolchain.

/// A handler that succeeds at once.
pub(super) fn empty() -> anyhow::Result<Vec<u8>> {
    handler("", "", "")
}

/// A handler that says so as the first thing it does: it writes a line to its log.
pub(super) fn telling() -> anyhow::Result<Vec<u8>> {
    let import = r#"(import "flowmonkey:jobs/log@0.1.0" (instance $host
        (type $level' (enum "trace" "debug" "info" "warn" "error"))
        (export "level" (type $level (eq $level')))
        (export "log" (func (param "level" $level) (param "message" string)
            (param "fields" (list (tuple string string)))))))"#;
    let tell = "(call $host (i32.const 2) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0))";
    handler(import, "(param i32 i32 i32 i32 i32)", tell)
}

/// A handler that waits for its host: it saves a checkpoint.
pub(super) fn waiting() -> anyhow::Result<Vec<u8>> {
    let import = r#"(import "flowmonkey:jobs/checkpoint@0.1.0" (instance $host
        (alias outer 1 $host-error (type $outer))
        (export "host-error" (type $host-error (eq $outer)))
        (export "save" (func (param "key" string) (param "value" string)
            (result (result (error $host-error)))))))"#;
    let save = "(call $host (i32.const 2048) (i32.const 1) (i32.const 2048) (i32.const 1) (i32.const 1200))";
    handler(import, "(param i32 i32 i32 i32 i32)", save)
}

/// A handler whose `run` does this and then succeeds. Memory is zero from 1024 on, which reads as a success without a
/// result; at 2048 there is the text `1`.
fn handler(import: &str, host_type: &str, first: &str) -> anyhow::Result<Vec<u8>> {
    let function = ["log", "save"].into_iter().find(|name| import.contains(&format!("\"{name}\"")));
    let options = r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))"#;
    let (lower, with, use_host) = match function {
        Some(name) => (
            format!(r#"(core func $lowered (canon lower (func $host "{name}") {options}))"#),
            r#"(with "host" (instance (export "call" (func $lowered))))"#,
            format!(r#"(import "host" "call" (func $host {host_type}))"#),
        ),
        None => Default::default(),
    };
    let text = format!(
        r#"(component
        {TYPES}
        {import}
        (core module $libc
            (memory (export "memory") 2)
            (global $top (mut i32) (i32.const 65536))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $top)
                (global.set $top (i32.add (global.get $top)
                    (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))))
        (core instance $libc (instantiate $libc))
        {lower}
        (core module $main
            (import "libc" "memory" (memory $memory 2))
            {use_host}
            (data (memory $memory) (i32.const 2048) "1")
            (func (export "run") (param i32 i32) (result i32) {first} (i32.const 1024)))
        (core instance $main (instantiate $main (with "libc" (instance $libc)) {with}))
        (func $run (param "input" string) (result (result $outcome (error $job-error)))
            (canon lift (core func $main "run") {options}))
        (instance $handler (export "run" (func $run)))
        (export "flowmonkey:jobs/handler@0.1.0" (instance $handler)))"#
    );
    Ok(wat::parse_str(&text)?)
}

const TYPES: &str = r#"
    (import "flowmonkey:jobs/types@0.1.0" (instance $types
        (type $failure' (record (field "code" string) (field "message" string)
            (field "details" (option string))))
        (export "failure" (type $failure (eq $failure')))
        (type $wake' (variant (case "at" u64) (case "after" u64) (case "signal" string)))
        (export "wake" (type $wake (eq $wake')))
        (type $wait' (record (field "until" $wake) (field "reason" (option string))))
        (export "wait" (type $wait (eq $wait')))
        (type $outcome' (variant (case "success" (option string)) (case "wait" $wait)))
        (export "outcome" (type (eq $outcome')))
        (type $retry' (record (field "failure" $failure) (field "after-ms" (option u64))))
        (export "retry" (type $retry (eq $retry')))
        (type $job-error' (variant (case "retryable" $retry) (case "fatal" $failure) (case "cancelled")
            (case "other" $failure)))
        (export "job-error" (type (eq $job-error')))
        (type $host-error' (variant (case "denied" string) (case "limit-exceeded" string) (case "lease-lost")
            (case "unavailable" string) (case "invalid" string) (case "other" string)))
        (export "host-error" (type (eq $host-error')))))
    (alias export $types "outcome" (type $outcome))
    (alias export $types "job-error" (type $job-error))
    (alias export $types "host-error" (type $host-error))"#;

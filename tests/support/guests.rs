//! Components to run: the built examples, the probe, and small ones from text.

use std::path::{Path, PathBuf};

/// The bytes of an example component, by its handler's name; or of the `probe`, which does what its
/// input says.
pub fn example(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("FLOWMONKEY_GUESTS").map_or_else(built, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask guests` builds the examples", path.display())
    })
}

/// Where `cargo xtask guests` puts them.
fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-handlers")
}

/// A component written as text.
pub fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A handler around a core module's fields, which define a function `run` from (pointer, length) to the
/// address of a `result<outcome, job-error>`. They may use `$memory`, which is all zeros above 1024 and
/// below 65536: so the address 1024 is the success without a result. They may export a `realloc` of their
/// own, and a function `after` to be called once the result is read.
pub fn handler(fields: &str) -> Vec<u8> {
    component(&handler_text(fields))
}

/// A host function for a handler's module to import as `host` `NAME`.
pub struct HostFunction {
    /// What the module calls it.
    pub name: &'static str,
    /// A component's import that has it, as text. Named `$host`, it exports the function.
    pub import: &'static str,
    /// The function's name in that import.
    pub function: &'static str,
}

/// The text of a [`handler`] that imports one function of the host. A `realloc` for what that returns is the
/// text's own, never the handler's.
pub fn importing_text(host: &HostFunction, fields: &str) -> String {
    let HostFunction { name, import, function } = host;
    let options = r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))"#;
    let lowered = format!(
        r#"(core func $lowered (canon lower (func $host "{function}") {options}))
        (core instance $main (instantiate $main (with "host" (instance (export "{name}" (func $lowered))))"#
    );
    handler_text(fields).replacen("(component ", &format!("(component {import} "), 1).replacen(
        "(core instance $main (instantiate $main",
        &lowered,
        1,
    )
}

/// The text behind [`handler`].
pub fn handler_text(fields: &str) -> String {
    let allocator = if fields.contains("(export \"realloc\")") { "$main" } else { "$libc" };
    let after =
        if fields.contains("(export \"after\")") { r#"(post-return (core func $main "after"))"# } else { "" };
    let lift = format!(r#"(realloc (core func {allocator} "realloc")) {after}"#);
    let exports = EXPORTS.replace("$LIFT", &lift);
    format!("(component {TYPES} {LIBC} (core module $main {IMPORTS} {fields}) {exports})")
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
        (export "job-error" (type (eq $job-error')))))
    (alias export $types "outcome" (type $outcome))
    (alias export $types "job-error" (type $job-error))"#;

const LIBC: &str = r#"
    (core module $libc
        (memory (export "memory") 2)
        (global $top (mut i32) (i32.const 65536))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $top)
            (global.set $top (i32.add (global.get $top)
                (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))))
    (core instance $libc (instantiate $libc))"#;

const IMPORTS: &str = r#"(import "libc" "memory" (memory $memory 2))"#;

const EXPORTS: &str = r#"
    (core instance $main (instantiate $main (with "libc" (instance $libc))))
    (func $run (param "input" string) (result (result $outcome (error $job-error)))
        (canon lift (core func $main "run") (memory (core memory $libc "memory")) $LIFT))
    (instance $handler (export "run" (func $run)))
    (export "flowmonkey:jobs/handler@0.1.0" (instance $handler))"#;

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

/// A handler that counts down from `turns` and then returns a text, which needs no escaping.
pub fn saying(text: &str, turns: u32) -> Vec<u8> {
    let length = text.len() + 2;
    handler(&format!(
        r#"(data (memory $memory) (i32.const 2048) "\22{text}\22")
        (func (export "run") (param i32 i32) (result i32) (local $turns i32)
            (local.set $turns (i32.const {turns}))
            (loop $again
                (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
                (br_if $again (i32.gt_s (local.get $turns) (i32.const 0))))
            (i32.store8 (i32.const 1040) (i32.const 1))
            (i32.store (i32.const 1044) (i32.const 2048))
            (i32.store (i32.const 1048) (i32.const {length}))
            (i32.const 1024))"#
    ))
}

/// One function whose values all stay alive to its end: far more work than its bytes suggest.
pub fn bomb() -> Vec<u8> {
    let steps: String = (0..200_000)
        .map(|at| {
            format!(
                "(local.set {} (i32.add (local.get {}) (i32.load (local.get {}))))",
                at % 4000,
                at % 3989,
                at % 3967
            )
        })
        .collect();
    let locals = "i32 ".repeat(4000);
    handler(&format!(
        r#"(func (export "run") (param i32 i32) (result i32) (i32.const 1024)) (func $huge (local {locals}) (loop $again {steps} (br_if $again (local.get 1))))"#
    ))
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

impl HostFunction {
    /// Takes a level, a message, and fields: five numbers.
    pub const LOG: HostFunction = HostFunction {
        name: "log",
        import: r#"(import "flowmonkey:jobs/log@0.1.0" (instance $host
            (type $level' (enum "trace" "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $level')))
            (export "log" (func (param "level" $level) (param "message" string)
                (param "fields" (list (tuple string string)))))))"#,
        function: "log",
    };
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

/// A handler that describes itself: as [`handler`], and `fields` define a function `describe` as well, from nothing
/// to the address of a pointer and a length. They may export a function `described` to be called once that is read.
pub fn described(fields: &str) -> Vec<u8> {
    let after = if fields.contains("(export \"described\")") {
        r#"(post-return (core func $main "described"))"#
    } else {
        ""
    };
    let metadata = format!(
        r#"(func $describe (result string)
            (canon lift (core func $main "describe") (memory (core memory $libc "memory")) {after}))
        (instance $metadata (export "describe" (func $describe)))
        (export "flowmonkey:jobs/metadata@0.1.0" (instance $metadata)))"#
    );
    let text = handler_text(&format!("{NOTHING} {fields}"));
    let open = text.trim_end().strip_suffix(')').unwrap_or_default();
    component(&format!("{open} {metadata}"))
}

/// A `run` that succeeds without a result.
const NOTHING: &str = r#"(func (export "run") (param i32 i32) (result i32) (i32.const 1024))"#;

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

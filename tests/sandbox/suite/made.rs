//! Components that are too long, too many or too odd for a file.

use crate::rig;
use flowmonkey_tests::guests::{self, HostFunction};

const RETURNS: &str = r#"(func (export "run") (param i32 i32) (result i32) (i32.const 1024))"#;

/// What a code of a megabyte becomes: its first 125 bytes and a mark.
pub(super) const LONG_CODE: &str = concat!(
    "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC",
    "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC…"
);

/// So many memories of one page, beside the one that every handler has.
pub(super) fn memories(count: usize) -> Vec<u8> {
    guests::handler(&format!("{} {RETURNS}", "(memory 1) ".repeat(count)))
}

pub(super) fn tables(count: usize) -> Vec<u8> {
    guests::handler(&format!("{} {RETURNS}", "(table 1 funcref) ".repeat(count)))
}

/// A component made of so many core instances.
pub(crate) fn instances(count: usize) -> Vec<u8> {
    let many = "(core instance (instantiate $small)) ".repeat(count);
    let begin = format!("(component (core module $small) {many} ");
    guests::component(&guests::handler_text(RETURNS).replacen("(component ", &begin, 1))
}

pub(super) fn half() -> Vec<u8> {
    let mut bytes = guests::handler(&rig::source("bounded-loop"));
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// In the type of what the handler exports.
pub(super) fn flipped() -> Vec<u8> {
    let mut bytes = guests::handler(&rig::source("bounded-loop"));
    let at = bytes.windows(7).position(|window| window == b"handler").unwrap();
    bytes[at] ^= 1;
    bytes
}

/// As an engine of this version writes it, for this very machine.
pub(super) fn machine_code() -> Vec<u8> {
    let bytes = guests::handler(&rig::source("does-nothing"));
    wasmtime::Engine::default().precompile_component(&bytes).unwrap()
}

/// Asks for the job's id, with an allocator that traps at its so-manieth call; the input is the first.
pub(super) fn asks_id(traps_at: u32) -> Vec<u8> {
    const ID: HostFunction = HostFunction {
        name: "id",
        import: r#"(import "flowmonkey:jobs/job@0.1.0" (instance $host
            (export "id" (func (result string)))))"#,
        function: "id",
    };
    let run = r#"(import "host" "id" (func $id (param i32)))
        (func (export "run") (param i32 i32) (result i32) (call $id (i32.const 2048)) (i32.const 1024))"#;
    let traps = format!(
        r#"(global $calls (mut i32) (i32.const 0))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (if (i32.eq (global.get $calls) (i32.const {traps_at})) (then (unreachable)))
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))"#
    );
    let begin = r#"(func (export "realloc") (param i32 i32 i32 i32) (result i32)"#;
    guests::component(&guests::importing_text(&ID, run).replacen(begin, &traps, 1))
}

/// Polls a list of so many timers, which are up at once.
pub(super) fn polls(count: u32) -> Vec<u8> {
    const POLL: HostFunction = HostFunction {
        name: "poll",
        import: r#"
            (import "wasi:io/poll@0.2.0" (instance $host
                (export "pollable" (type $pollable (sub resource)))
                (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
            (alias export $host "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                (alias outer 1 $pollable (type $outer))
                (export "pollable" (type $own (eq $outer)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))
            (core func $subscribe (canon lower (func $clock "subscribe-duration")))"#,
        function: "poll",
    };
    let run = format!(
        r#"(import "host" "poll" (func $poll (param i32 i32 i32)))
        (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
        (func (export "run") (param i32 i32) (result i32)
            (i32.store (i32.const 2048) (call $subscribe (i64.const 1)))
            (call $poll (i32.const 2048) (i32.const {count}) (i32.const 2056))
            (i32.const 1024))"#
    );
    let clock = r#"(with "clock" (instance (export "subscribe" (func $subscribe)))) (with "host""#;
    guests::component(&guests::importing_text(&POLL, &run).replacen("(with \"host\"", clock, 1))
}

/// Logs one line with so many empty fields.
pub(super) fn logs_fields(count: u32) -> Vec<u8> {
    let run = format!(
        r#"(import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
        (func (export "run") (param i32 i32) (result i32)
            (drop (memory.grow (i32.const 300)))
            (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 131072) (i32.const {count}))
            (i32.const 1024))"#
    );
    guests::component(&guests::importing_text(&HostFunction::LOG, &run))
}

/// Asks for so many random bytes in one call.
pub(super) fn random(bytes: u64) -> Vec<u8> {
    const RANDOM: HostFunction = HostFunction {
        name: "random",
        import: r#"(import "wasi:random/random@0.2.0" (instance $host
            (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))"#,
        function: "get-random-bytes",
    };
    let run = format!(
        r#"(import "host" "random" (func $random (param i64 i32)))
        (func (export "run") (param i32 i32) (result i32)
            (call $random (i64.const {bytes}) (i32.const 2048)) (i32.const 1024))"#
    );
    guests::component(&guests::importing_text(&RANDOM, &run))
}

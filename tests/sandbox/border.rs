//! Where guest and host touch: arguments and results that are handed over, calls that do not come back,
//! and what of a guest's own making ends up in an error.

use crate::rig::{self, Memory, Run, ending, error, hostile, limits, metered, result, sandbox, unmetered};
use flowmonkey_jobs::job::{JsonText, Progress};
use flowmonkey_jobs::sandbox::{
    AttemptContext, AttemptHost, HostFault, Interruption, Limits, LogLevel, Sandbox,
};
use flowmonkey_tests::guests;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn allocating_and_tidying_up_are_the_guests_own_time() {
    let sandbox = sandbox(2);
    for name in ["endless-realloc", "endless-after"] {
        let prepared = hostile(&sandbox, name, &unmetered());
        let limits = Limits { wall_max: Duration::from_millis(50), ..limits() };
        let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
        assert_eq!(ending(&report), "TIMEOUT", "{name}: {:?}", report.outcome);
    }
}

/// A line of a backtrace is shown to people and stored, whatever the guest calls its functions.
#[tokio::test(flavor = "multi_thread")]
async fn a_backtrace_can_be_stored_whatever_its_names_are() {
    let sandbox = sandbox(2);
    let odd = guests::handler(&rig::source("unprintable-name"));
    let long = "n".repeat(99_000);
    let long = guests::handler(&format!(
        "(func ${long} (unreachable))
         (func (export \"run\") (param i32 i32) (result i32) (call ${long}) (i32.const 1024))"
    ));
    for (bytes, part) in [(odd, "name"), (long, "nnnn")] {
        let prepared = sandbox.prepare(&bytes, &metered()).unwrap();
        let report = Run::with("{}").on(&sandbox, &prepared).await;
        let frame = &error(&report).backtrace[0];
        assert!(frame.contains(part), "{frame:?}");
        assert!(frame.len() < 1000, "{} bytes", frame.len());
        assert!(!frame.contains(char::is_control), "{frame:?}");
    }
}

/// Takes so many timers of the host and gives none back.
pub(crate) fn pollables(count: u32) -> Vec<u8> {
    const SUBSCRIBE: guests::HostFunction = guests::HostFunction {
        name: "subscribe",
        import: r#"
            (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $host
                (alias outer 1 $pollable (type $outer))
                (export "pollable" (type $own (eq $outer)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $own))))))"#,
        function: "subscribe-duration",
    };
    let run = format!(
        r#"(import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (func $hoards (export "run") (param i32 i32) (result i32) (local $n i32)
            (loop $again
                (drop (call $subscribe (i64.const 1)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const {count}))))
            (i32.const 1024))"#
    );
    guests::component(&guests::importing_text(&SUBSCRIBE, &run))
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_are_never_given_back_are_limited() {
    let sandbox = sandbox(2);
    // Each is one handle, and two resources of the host: the timer, and what waits for it.
    let resources = Limits { resources_max: 1000, ..limits() };
    let handles = Limits { handles_max: 500, ..limits() };
    for limits in [resources, handles] {
        for (count, expected) in [(600, "TRAP"), (400, "completed")] {
            let prepared = sandbox.prepare(&pollables(count), &limits).unwrap();
            let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
            assert_eq!(ending(&report), expected, "{count}: {:?}", report.outcome);
        }
    }
}

/// The guest's value is over what any one call may copy, so it does not get as far as checkpoint limits.
#[tokio::test(flavor = "multi_thread")]
async fn one_call_copies_so_much_and_no_more() {
    let limits = Limits { hostcall_bytes_max: 100_000, checkpoint_value_bytes_max: 1 << 20, ..limits() };
    for (bytes, expected) in [(90_000, "completed"), (200_000, "TRAP")] {
        let input = json!({"do": "checkpoints", "steps": [["save-large", "k", bytes]]});
        let run = Run { limits, ..Run::with(input) };
        let report = run.probe().await;
        assert_eq!(ending(&report), expected, "{bytes}: {:?}", report.outcome);
        assert_eq!(run.host.saved.lock().unwrap().len(), usize::from(expected == "completed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_longer_than_time_itself_ends_with_the_clock() {
    let limits = Limits { wall_max: Duration::from_millis(50), ..limits() };
    let report = Run { limits, ..Run::with(json!({"do": "sleep", "n": u64::MAX})) }.probe().await;
    assert_eq!(ending(&report), "TIMEOUT", "{:?}", report.outcome);
}

/// What a host under the sandbox may do wrong.
#[derive(Clone, Copy)]
enum Broken {
    /// The database never answers.
    Silent,
    /// A bug of the host's own.
    Panics,
}

#[async_trait::async_trait]
impl AttemptHost for Broken {
    async fn save_checkpoint(&self, _: &str, _: &JsonText) -> Result<(), HostFault> {
        match self {
            Broken::Silent => std::future::pending().await,
            Broken::Panics => panic!("a bug of the host's own"),
        }
    }
    async fn delete_checkpoint(&self, _: &str) -> Result<(), HostFault> {
        Ok(())
    }
    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        Ok(())
    }
    fn progress(&self, _: Progress) {}
    fn log(&self, _: LogLevel, _: &str, _: &[(String, String)]) {}
}

fn saving(host: Broken, limits: Limits) -> (AttemptContext, Run) {
    let run = Run { limits, ..Run::with(json!({"do": "checkpoints", "steps": [["save", "k", "1"]]})) };
    (AttemptContext { host: Arc::new(host), ..run.context() }, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_returns_ends_with_the_clock_or_an_interruption() {
    let sandbox = sandbox(1);
    let probe = rig::prepare(&sandbox, "probe");
    let short = Limits { wall_max: Duration::from_millis(50), ..limits() };
    let (context, _) = saving(Broken::Silent, short);
    assert_eq!(ending(&sandbox.run(&probe, context).await), "TIMEOUT");

    let (context, run) = saving(Broken::Silent, limits());
    let interrupt = async { run.control.interrupt(Interruption::LeaseLost) };
    let (report, ()) = tokio::join!(sandbox.run(&probe, context), interrupt);
    assert_eq!(ending(&report), "CANCELLED");
    works(&sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_of_the_host_costs_one_attempt_and_no_place() {
    let sandbox = sandbox(1);
    let probe = rig::prepare(&sandbox, "probe");
    for _ in 0..3 {
        let (context, _) = saving(Broken::Panics, limits());
        let report = sandbox.run(&probe, context).await;
        assert_eq!(ending(&report), "TRAP");
        assert!(error(&report).message.contains("a bug"), "{:?}", error(&report));
    }
    works(&sandbox).await;
}

async fn works(sandbox: &Sandbox) {
    let probe = rig::prepare(sandbox, "probe");
    let run = Run { host: Arc::new(Memory::default()), ..Run::with(json!({"do": "runs"})) };
    assert_eq!(result(&run.on(sandbox, &probe).await), 1);
}

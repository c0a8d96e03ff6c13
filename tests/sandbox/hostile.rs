//! What the small guests of `guests/` cost, show and leave behind. How each ends is in `suite`.

use crate::rig::{self, Run, ending, error, hostile, limits, metered, sandbox, unmetered};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Sandbox, SandboxConfig};
use std::time::Duration;

/// Without fuel only the wall clock is left.
#[tokio::test(flavor = "multi_thread")]
async fn without_fuel_the_wall_clock_ends_it_wherever_it_is() {
    let sandbox = sandbox(2);
    for name in ["endless-loop", "endless-start", "fill-memory"] {
        let prepared = hostile(&sandbox, name, &unmetered());
        let limits =
            Limits { wall_max: Duration::from_millis(50), memory_bytes_max: 128 * 1024 * 1024, ..limits() };
        let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
        assert_eq!(ending(&report), "TIMEOUT", "{name}: {:?}", report.outcome);
        assert_eq!(report.usage.fuel, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_much_fuel_the_wall_clock_is_first() {
    let sandbox = sandbox(2);
    let prepared = hostile(&sandbox, "endless-loop", &metered());
    let limits = Limits { wall_max: Duration::from_millis(50), fuel: Some(u64::MAX / 4), ..limits() };
    let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
    assert_eq!(ending(&report), "TIMEOUT");
    assert!(error(&report).message.contains("0.05 s"), "{:?}", error(&report));
    assert!(report.usage.fuel.unwrap() > 0, "what it used is known all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_place_can_hold_is_refused_or_fails_with_a_reason() {
    let sandbox = sandbox(2);
    for name in ["huge-table", "too-many-memories"] {
        let bytes = flowmonkey_tests::guests::handler(&rig::source(name));
        match sandbox.prepare(&bytes, &metered()) {
            Err(refused) => assert!(!refused.to_string().is_empty(), "{name}"),
            Ok(prepared) => {
                let report = Run::with("{}").on(&sandbox, &prepared).await;
                let code = ending(&report);
                assert!(
                    ["MEMORY_LIMIT", "HANDLER_LOAD_FAILED"].contains(&code),
                    "{name}: {:?}",
                    report.outcome
                );
            }
        }
        completes(&sandbox).await;
    }
}

async fn completes(sandbox: &Sandbox) {
    let good = hostile(sandbox, "does-nothing", &metered());
    assert_eq!(ending(&Run::with("{}").on(sandbox, &good).await), "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_what_was_used() {
    let sandbox = sandbox(2);
    let usage = async |name| {
        let prepared = hostile(&sandbox, name, &metered());
        Run::with("{}").on(&sandbox, &prepared).await.usage
    };
    const PAGE: u64 = 65_536;
    assert_eq!(usage("does-nothing").await.memory_bytes, 2 * PAGE);
    assert_eq!(usage("grow-a-little").await.memory_bytes, 10 * PAGE);
    assert_eq!(usage("two-memories").await.memory_bytes, 4 * PAGE);
    assert_eq!(usage("endless-loop").await.fuel, limits().fuel);
    let (nothing, little) =
        (usage("does-nothing").await.fuel.unwrap(), usage("bounded-loop").await.fuel.unwrap());
    assert!(nothing < 1000 && little > 1_000_000 && little < limits().fuel.unwrap(), "{nothing} {little}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_shows_where_by_name() {
    let sandbox = sandbox(2);
    for (name, function) in [
        ("unreachable", "gives_up"),
        ("divide-by-zero", "divides"),
        ("endless-loop", "spin"),
        ("endless-recursion", "deeper"),
        ("grow-page-by-page", "take"),
        ("trapping-start", "starting"),
    ] {
        let prepared = hostile(&sandbox, name, &metered());
        let report = Run::with("{}").on(&sandbox, &prepared).await;
        let frames = &error(&report).backtrace;
        assert!(frames.first().is_some_and(|frame| frame.contains(function)), "{name}: {frames:?}");
    }
}

/// The operator's ceiling holds, whatever a handler's own limit says.
#[tokio::test(flavor = "multi_thread")]
async fn no_limit_is_above_the_sandboxs_ceiling() {
    let config =
        SandboxConfig { memory_bytes_ceiling: 16 * 65_536, ..SandboxConfig::new(Compilation::InProcess) };
    let sandbox = Sandbox::new(&config).unwrap();
    let prepared = hostile(&sandbox, "grow-page-by-page", &metered());
    let limits = Limits { memory_bytes_max: usize::MAX, ..limits() };
    let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
    assert_eq!((ending(&report), report.usage.memory_bytes), ("MEMORY_LIMIT", 16 * 65_536));
}

//! Nothing of one attempt is there in another, and the pool is no bound on how many are asked for.

use crate::rig::{self, Run, ending, hostile, limits, metered, result, sandbox};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Sandbox, SandboxConfig};
use serde_json::json;
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_the_first_of_its_instance() {
    let sandbox = Arc::new(sandbox(4));
    let counter = Arc::new(hostile(&sandbox, "counter", &metered()));
    let probe = Arc::new(rig::prepare(&sandbox, "probe"));
    let mut runs = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (sandbox, counter, probe) = (sandbox.clone(), counter.clone(), probe.clone());
        runs.spawn(async move {
            if n % 2 == 0 {
                assert_eq!(ending(&Run::with("{}").on(&sandbox, &counter).await), "completed");
            } else {
                assert_eq!(result(&Run::with(json!({"do": "runs"})).on(&sandbox, &probe).await), 1);
            }
        });
    }
    // Four places for two hundred: they queue, and none fails for want of one.
    assert_eq!(runs.join_all().await.len(), 200);
}

/// Threads have engines and pools of their own; where an attempt begins makes no difference.
#[tokio::test(flavor = "multi_thread")]
async fn every_thread_runs_what_was_prepared() {
    let [threads, attempts_max] = [8, 64].map(|count| NonZeroU32::new(count).unwrap());
    let config = SandboxConfig { threads, attempts_max, ..SandboxConfig::new(Compilation::InProcess) };
    let sandbox = Arc::new(Sandbox::new(&config).unwrap());
    let counter = Arc::new(hostile(&sandbox, "counter", &metered()));
    let run = |_| {
        let (seats, counter, context) = (sandbox.clone(), counter.clone(), Run::with("{}").context());
        let attempt = async move {
            let begun_on = std::thread::current().id();
            let seat = seats.seat().await.unwrap();
            assert_eq!(ending(&seat.run(&counter, context).await), "completed");
            // Long enough for the other threads to take their share.
            std::thread::sleep(Duration::from_millis(1));
            begun_on
        };
        sandbox.spawn(attempt).unwrap()
    };
    let under_way: Vec<_> = (0..200).map(run).collect();
    let mut begun_on = HashSet::new();
    for attempt in under_way {
        begun_on.insert(attempt.await.unwrap());
    }
    assert!(begun_on.len() > 1, "all attempts began on one thread");
}

/// Its machine code has more than 4 MiB, and is loaded once.
#[tokio::test(flavor = "multi_thread")]
async fn large_components_run_wherever_they_begin() {
    let step = "(drop (i32.mul (local.get 0) (i32.load (local.get 0))))".repeat(12);
    let functions = format!("(func (param i32) {step})").repeat(40_000);
    let run = "(func (export \"run\") (param i32 i32) (result i32) (i32.const 1024))";
    let large = flowmonkey_tests::guests::handler(&format!("{run} {functions}"));
    let sandbox = sandbox(4);
    let large = sandbox.prepare(&large, &metered()).unwrap();
    for _ in 0..20 {
        assert_eq!(ending(&Run::with("{}").on(&sandbox, &large).await), "completed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_zero_where_another_guest_wrote() {
    let sandbox = sandbox(1);
    let writer = hostile(&sandbox, "grow-a-little", &metered());
    // Reads the byte that the other wrote last, and fails unless it is zero.
    let reader = flowmonkey_tests::guests::handler(
        "(func (export \"run\") (param i32 i32) (result i32) (drop (memory.grow (i32.const 8)))
            (if (i32.load8_u (i32.const 655359)) (then (unreachable))) (i32.const 1024))",
    );
    let reader = sandbox.prepare(&reader, &metered()).unwrap();
    for _ in 0..20 {
        assert_eq!(ending(&Run::with("{}").on(&sandbox, &writer).await), "completed");
        assert_eq!(ending(&Run::with("{}").on(&sandbox, &reader).await), "completed");
    }
}

/// The pool keeps some tables' bytes instead of giving them back, and zeroes them by hand.
#[tokio::test(flavor = "multi_thread")]
async fn tables_are_empty_where_another_guest_filled_one() {
    let sandbox = sandbox(1);
    let filler = hostile(&sandbox, "fill-table", &metered());
    let reader = hostile(&sandbox, "read-table", &metered());
    for _ in 0..20 {
        assert_eq!(ending(&Run::with("{}").on(&sandbox, &filler).await), "completed");
        assert_eq!(ending(&Run::with("{}").on(&sandbox, &reader).await), "completed");
    }
}

/// Each takes its whole share of the pool, and what one gives back must be there for the next.
#[tokio::test(flavor = "multi_thread")]
async fn the_pool_has_as_much_as_its_places_promise() {
    let sandbox = Arc::new(sandbox(3));
    let greedy = Arc::new(hostile(&sandbox, "four-memories", &metered()));
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (sandbox, greedy) = (sandbox.clone(), greedy.clone());
        runs.spawn(async move { ending(&Run::with("{}").on(&sandbox, &greedy).await).to_owned() });
    }
    assert_eq!(runs.join_all().await, vec!["completed"; 100]);
}

/// The wall clock is the attempt's own: waiting for a place is nobody's fault.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_place_costs_no_time() {
    let sandbox = sandbox(1);
    let probe = rig::prepare(&sandbox, "probe");
    let patient = Limits { wall_max: Duration::from_millis(400), ..limits() };
    let sleeping = || Run { limits: patient, ..Run::with(json!({"do": "sleep", "n": 250})) };
    let (first, second) = (sleeping(), sleeping());
    let (first, second) = tokio::join!(first.on(&sandbox, &probe), second.on(&sandbox, &probe));
    assert_eq!((ending(&first), ending(&second)), ("completed", "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attempt_leaves_anything_behind_in_the_log_or_the_checkpoints_of_another() {
    let sandbox = sandbox(2);
    let probe = rig::prepare(&sandbox, "probe");
    let first = Run::with(json!({"do": "checkpoints", "steps": [["save", "secret", "1"]]}));
    first.on(&sandbox, &probe).await;
    let second = Run::with(json!({"do": "checkpoints", "steps": [["keys"], ["restore", "secret"]]}));
    assert_eq!(result(&second.on(&sandbox, &probe).await), json!([[], null]));
    assert!(second.host.text().is_empty());
}

/// Not only when others end: the last attempts of a quiet runner must not hold their memory for ever.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn memory_goes_back_when_an_attempt_ends() {
    if !rig::is_alone("isolation::memory_goes_back_when_an_attempt_ends", "") {
        return;
    }
    const MIB: usize = 1024 * 1024;
    let sandbox = sandbox(8);
    let filler = flowmonkey_tests::guests::handler(
        "(func (export \"run\") (param i32 i32) (result i32)
            (drop (memory.grow (i32.const 1022)))
            (memory.fill (i32.const 65536) (i32.const 7) (i32.const 67043328)) (i32.const 1024))",
    );
    let filler = sandbox.prepare(&filler, &metered()).unwrap();
    let limits = Limits { memory_bytes_max: 128 * MIB, fuel: Some(1 << 40), ..limits() };
    let before = flowmonkey_tests::program::status_kib("VmRSS");
    for n in 1..=10 {
        let report = Run { limits, ..Run::with("{}") }.on(&sandbox, &filler).await;
        assert_eq!(ending(&report), "completed");
        let more = flowmonkey_tests::program::status_kib("VmRSS").saturating_sub(before);
        assert!(more < 32 * 1024, "{more} KiB more than before, after {n} attempts of 64 MiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pool_it_works_all_the_same() {
    // Half a terabyte holds what is allocated on demand, but no pool of a thousand instances.
    if !rig::is_alone("isolation::without_a_pool_it_works_all_the_same", "ulimit -v 500000000 &&") {
        return;
    }
    let attempts_max = std::num::NonZeroU32::new(1000).unwrap();
    let sandbox =
        Sandbox::new(&SandboxConfig { attempts_max, ..SandboxConfig::new(Compilation::InProcess) }).unwrap();
    assert!(!sandbox.is_pooled(), "the limit is too generous to show anything");
    for (name, expected) in [
        ("does-nothing", "completed"),
        ("grow-page-by-page", "MEMORY_LIMIT"),
        ("endless-loop", "OUT_OF_FUEL"),
    ] {
        let report = Run { limits: limits(), ..Run::with("{}") }
            .on(&sandbox, &hostile(&sandbox, name, &metered()))
            .await;
        assert_eq!(ending(&report), expected, "{name}");
    }
}

#[test]
fn instances_come_from_a_pool_where_there_is_room() {
    assert!(sandbox(50).is_pooled());
}

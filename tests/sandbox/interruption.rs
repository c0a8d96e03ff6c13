//! The host ends attempts that would go on, wherever they are.

use crate::rig::{self, Run, ending, hostile, limits, sandbox, unmetered};
use flowmonkey_jobs::job::Outcome;
use flowmonkey_jobs::sandbox::{Directive, Interruption, Limits, Prepared, Sandbox};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Fuel without end, and a wall clock that no test waits for.
fn patient() -> Limits {
    Limits {
        fuel: Some(u64::MAX / 4),
        wall_max: Duration::from_secs(3600),
        memory_bytes_max: 128 << 20,
        ..limits()
    }
}

fn guests(sandbox: &Sandbox) -> Vec<(&'static str, Prepared, Run)> {
    let run = |input: serde_json::Value| Run { limits: patient(), ..Run::with(input) };
    let probe = || rig::prepare(sandbox, "probe");
    vec![
        ("computing", hostile(sandbox, "endless-loop", &unmetered()), run(json!({}))),
        ("starting", hostile(sandbox, "endless-start", &unmetered()), run(json!({}))),
        ("allocating", hostile(sandbox, "endless-realloc", &unmetered()), run(json!({}))),
        ("tidying up", hostile(sandbox, "endless-after", &unmetered()), run(json!({}))),
        ("filling memory", hostile(sandbox, "fill-memory", &unmetered()), run(json!({}))),
        ("sleeping", probe(), run(json!({"do": "sleep", "n": 3_600_000}))),
        ("calling the host", probe(), run(json!({"do": "beat-for-ever"}))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_reaches_a_guest_wherever_it_is() {
    let sandbox = sandbox(8);
    for (interruption, expected) in [
        (Interruption::Released, "released"),
        (Interruption::LeaseLost, "CANCELLED"),
        (Interruption::Timeout, "TIMEOUT"),
    ] {
        for (name, prepared, run) in guests(&sandbox) {
            let interrupt = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                run.control.interrupt(interruption);
            };
            let (report, ()) = tokio::join!(run.on(&sandbox, &prepared), interrupt);
            assert_eq!(ending(&report), expected, "{name}: {:?}", report.outcome);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_reaches_a_guest_that_waits() {
    let sandbox = sandbox(8);
    for (name, prepared, mut run) in guests(&sandbox) {
        run.limits.wall_max = Duration::from_millis(30);
        let report = run.on(&sandbox, &prepared).await;
        assert_eq!(ending(&report), "TIMEOUT", "{name}: {:?}", report.outcome);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_listens_ends_by_itself() {
    let sandbox = sandbox(2);
    let probe = rig::prepare(&sandbox, "probe");
    let run = Run { limits: patient(), ..Run::with(json!({"do": "beat-until-told"})) };
    let tell = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        run.control.tell(Directive::Drain);
    };
    let (report, ()) = tokio::join!(run.on(&sandbox, &probe), tell);
    assert!(matches!(report.outcome, Outcome::Released), "{:?}", report.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_before_the_start_counts() {
    let sandbox = sandbox(2);
    let run = Run::with(json!({}));
    run.control.interrupt(Interruption::Released);
    let report = run.on(&sandbox, &hostile(&sandbox, "endless-loop", &unmetered())).await;
    assert_eq!(ending(&report), "released");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_it_so_the_guest_ends() {
    let sandbox = sandbox(1);
    let probe = rig::prepare(&sandbox, "probe");
    let run = Run { limits: patient(), ..Run::with(json!({"do": "beat-for-ever"})) };
    let reports = || run.host.reports.lock().unwrap().len();
    let given_up = tokio::time::timeout(Duration::from_millis(50), run.on(&sandbox, &probe)).await;
    assert!(given_up.is_err() && reports() > 0);
    // The only place becomes free: that guest is gone, and reports no more.
    let next = Run::with(json!({"do": "echo"})).on(&sandbox, &probe).await;
    assert_eq!(ending(&next), "completed");
    let before = reports();
    let next = Run::with(json!({"do": "sleep", "n": 20})).on(&sandbox, &probe).await;
    assert_eq!((ending(&next), reports()), ("completed", before));
}

/// Fifty spinning guests on two threads: a neighbour completes while all of them still spin, and the
/// host's own timers go on.
#[tokio::test(flavor = "multi_thread")]
async fn spinning_guests_starve_nobody() {
    let sandbox = Arc::new(sandbox(51));
    let spin = Arc::new(hostile(&sandbox, "endless-loop", &unmetered()));
    let ended = Arc::new(AtomicUsize::new(0));
    let runs: Vec<Run> = (0..50).map(|_| Run { limits: patient(), ..Run::with("{}") }).collect();
    let spinning: Vec<_> = runs
        .iter()
        .map(|run| {
            let (sandbox, spin, ended, context) =
                (sandbox.clone(), spin.clone(), ended.clone(), run.context());
            tokio::spawn(async move {
                let report = sandbox.run(&spin, context).await;
                ended.fetch_add(1, Ordering::SeqCst);
                report
            })
        })
        .collect();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mail = rig::prepare(&sandbox, "email-send");
    for _ in 0..10 {
        ticks.tick().await;
        let input = json!({"to": "a@b.example", "subject": "s", "body": "b"});
        let report = Run { limits: patient(), ..Run::with(input) }.on(&sandbox, &mail).await;
        assert_eq!(ending(&report), "completed");
    }
    assert_eq!(ended.load(Ordering::SeqCst), 0, "all fifty still spin");
    runs.iter().for_each(|run| run.control.interrupt(Interruption::Released));
    for one in spinning {
        assert_eq!(ending(&one.await.unwrap()), "released");
    }
}

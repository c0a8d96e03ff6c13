//! What it costs a computing guest that it can be stopped, and how long stopping one takes, wherever it is.
//!
//! `cargo xtask bench limits [--json]`
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result goes there")]

use flowmonkey_jobs::job::{JsonText, Outcome};
use flowmonkey_jobs::sandbox::{
    AttemptContext, Compilation, Interruption, Limits, Prepared, Sandbox, SandboxConfig,
};
use flowmonkey_tests::alone::{Nowhere, attempt};
use flowmonkey_tests::guests;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, InstancePre, Linker, Val};
use wasmtime::{Config, Engine, Store};

const ROUNDS: usize = 11;
const INTERRUPTIONS: usize = 40;

/// Guests that compute: with registers alone, through memory, and in calls.
const COMPUTING: [(&str, &str); 3] = [
    (
        "arithmetic",
        "(func (export \"run\") (param i32 i32) (result i32) (local $n i64) (local $x i64)
            (local.set $x (i64.const 88172645463325252))
            (loop $again
                (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
                (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
                (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
                (local.set $n (i64.add (local.get $n) (i64.const 1)))
                (br_if $again (i64.lt_u (local.get $n) (i64.const 50000000))))
            (i64.store (i32.const 2048) (local.get $x)) (i32.const 1024))",
    ),
    (
        "memory",
        "(func (export \"run\") (param i32 i32) (result i32) (local $n i32) (local $at i32)
            (loop $again
                (local.set $at (i32.add (i32.const 2048)
                    (i32.and (i32.mul (local.get $n) (i32.const 2654435761)) (i32.const 32764))))
                (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (local.get $n)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 60000000))))
            (i32.const 1024))",
    ),
    (
        "calls",
        "(func $fib (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func (export \"run\") (param i32 i32) (result i32)
            (i32.store (i32.const 2048) (call $fib (i32.const 32))) (i32.const 1024))",
    ),
];

/// The same guest with nothing that could stop it.
fn unstoppable(bytes: &[u8]) -> InstancePre<()> {
    let engine = Engine::new(Config::new().concurrency_support(false)).unwrap();
    let component = Component::from_binary(&engine, bytes).unwrap();
    Linker::new(&engine).instantiate_pre(&component).unwrap()
}

fn run_unstoppable(pre: &InstancePre<()>) -> Duration {
    let start = Instant::now();
    let mut store = Store::new(pre.engine(), ());
    let instance = pre.instantiate(&mut store).unwrap();
    let handler = instance.get_export_index(&mut store, None, "flowmonkey:jobs/handler@0.1.0").unwrap();
    let run = instance.get_export_index(&mut store, Some(&handler), "run").unwrap();
    let run = instance.get_func(&mut store, run).unwrap();
    let mut results = [Val::Bool(false)];
    run.call(&mut store, &[Val::String("{}".into())], &mut results).unwrap();
    start.elapsed()
}

fn patient(fuel: Option<u64>) -> Limits {
    Limits { fuel, wall_max: Duration::from_secs(600), ..Limits::default() }
}

async fn run(sandbox: &Sandbox, prepared: &Prepared, limits: Limits) -> Duration {
    let start = Instant::now();
    let context = attempt(Nowhere::Prompt, JsonText::parse("{}").unwrap(), limits);
    let report = sandbox.run(prepared, context).await;
    assert!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
    start.elapsed()
}

fn middle(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

async fn metering(sandbox: &Sandbox, json: bool) {
    let (counted, uncounted) = (patient(Some(u64::MAX / 2)), patient(None));
    if !json {
        println!(
            "{:<14}{:>10}{:>10}{:>8}{:>14}{:>8}",
            "computing", "none ms", "epochs", "ratio", "fuel too", "ratio"
        );
    }
    for (name, fields) in COMPUTING {
        let bytes = guests::handler(fields);
        let pre = unstoppable(&bytes);
        let epochs = sandbox.prepare(&bytes, &uncounted).unwrap();
        let both = sandbox.prepare(&bytes, &counted).unwrap();
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            times[0].push(run_unstoppable(&pre));
            times[1].push(run(sandbox, &epochs, uncounted).await);
            times[2].push(run(sandbox, &both, counted).await);
        }
        let [none, epochs, both] = times.map(middle);
        let (one, two) = (epochs / none, both / none);
        if json {
            println!(
                "{}",
                serde_json::json!({"computing": name, "none_ms": none, "epochs_ms": epochs, "both_ms": both})
            );
        } else {
            println!("{name:<14}{none:>10.1}{epochs:>10.1}{one:>8.2}{both:>14.1}{two:>8.2}");
        }
    }
}

/// Where a guest can be when it is to stop.
fn places() -> Vec<(&'static str, Vec<u8>, serde_json::Value, Nowhere)> {
    let loops = "(loop $again (br $again)) (unreachable)";
    let returns = "(func (export \"run\") (param i32 i32) (result i32) (i32.const 1024))";
    let text = |fields: String| guests::handler(&fields);
    let run = |body: &str| text(format!("(func (export \"run\") (param i32 i32) (result i32) {body})"));
    let fill = |pages: u32| {
        let bytes = u64::from(pages) * 65_536;
        run(&format!(
            "(drop (memory.grow (i32.const {pages})))
             (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const {bytes})) (br $again)) (unreachable)"
        ))
    };
    let nothing = serde_json::json!({});
    let plain = |name, bytes| (name, bytes, nothing.clone(), Nowhere::Prompt);
    let probe = |name, input, host| (name, guests::example("probe"), input, host);
    let save = serde_json::json!({"do": "checkpoints", "steps": [["save", "k", "1"]]});
    vec![
        plain("computing", run(loops)),
        plain("starting", text(format!("(func $s {loops}) (start $s) {returns}"))),
        plain(
            "allocating",
            text(format!(
                "(func (export \"realloc\") (param i32 i32 i32 i32) (result i32) {loops}) {returns}"
            )),
        ),
        plain("tidying up", text(format!("(func (export \"after\") (param i32) {loops}) {returns}"))),
        plain("filling 32 MiB", fill(512)),
        plain("filling 120 MiB", fill(1920)),
        plain("filling 190 MiB", fill(3040)),
        plain("filling 500 MiB", fill(8000)),
        probe("sleeping", serde_json::json!({"do": "sleep", "n": 3_600_000}), Nowhere::Prompt),
        probe("calling the host", serde_json::json!({"do": "beat-for-ever"}), Nowhere::Prompt),
        probe("waiting for the database", save, Nowhere::Hanging),
    ]
}

/// Milliseconds from the interruption to the end of the attempt, each time.
async fn interrupt(sandbox: &Sandbox, prepared: &Prepared, context: impl Fn() -> AttemptContext) -> Vec<f64> {
    let mut times = Vec::new();
    for round in 0..INTERRUPTIONS {
        let context = context();
        let control = context.control.clone();
        let told = async {
            // Not always at the same place of a tick.
            tokio::time::sleep(Duration::from_micros(20_000 + 137 * round as u64)).await;
            control.interrupt(Interruption::LeaseLost);
            Instant::now()
        };
        let (_, told) = tokio::join!(sandbox.run(prepared, context), told);
        times.push(told.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times
}

async fn interruptions(sandbox: &Sandbox, json: bool) {
    if !json {
        println!("\n{:<28}{:>10}{:>10}", "stopped while", "median ms", "worst ms");
    }
    for (name, bytes, input, host) in places() {
        let limits = Limits { memory_bytes_max: 512 << 20, ..patient(None) };
        let prepared = sandbox.prepare(&bytes, &limits).unwrap();
        let input = JsonText::parse(&input.to_string()).unwrap();
        let times = interrupt(sandbox, &prepared, || attempt(host, input.clone(), limits)).await;
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        if json {
            println!(
                "{}",
                serde_json::json!({"stopped_while": name, "median_ms": median, "worst_ms": worst})
            );
        } else {
            println!("{name:<28}{median:>10.2}{worst:>10.2}");
        }
    }
}

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let config = SandboxConfig::new(Compilation::InProcess);
    let sandbox = Sandbox::new(&SandboxConfig { memory_bytes_ceiling: 512 << 20, ..config }).unwrap();
    metering(&sandbox, json).await;
    interruptions(&sandbox, json).await;
}

//! What one attempt costs: `Sandbox::run` with every limit on, against wasmtime alone (pooled, without
//! fuel, epochs or limits) with the same component, in one run, in turns.
//!
//! One at a time it is mostly the way to the guests' own threads and back, two wake-ups of a sleeping
//! thread; with several in flight those threads are awake, and what is left is the sandbox itself.
//!
//! `cargo bench --workspace --bench attempt [-- --json]`
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result goes there")]

use flowmonkey_jobs::job::{JsonText, Outcome};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Prepared, Sandbox, SandboxConfig};
use flowmonkey_tests::alone::{Nowhere, attempt};
use flowmonkey_tests::guests;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

const ROUNDS: usize = 41;
const CALLS_A_ROUND: u32 = 200;
const MAIL: &str =
    r#"{"to": "ada@example.com", "subject": "Hi", "body": "Hello {{name}}", "vars": {"name": "Ada"}}"#;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

fn raw(bytes: &[u8]) -> InstancePre<State> {
    let mut config = Config::new();
    // Of all that can be tuned, this alone makes a difference, and a large one.
    let mut pool = PoolingAllocationConfig::new();
    pool.decommit_batch_size(16);
    config.concurrency_support(false).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    linker.allow_shadowing(true);
    let component = Component::from_binary(&engine, bytes).unwrap();
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let mut job = linker.instance("flowmonkey:jobs/job@0.1.0").unwrap();
    job.func_wrap("idempotency-key", |_, (): ()| Ok(("job-1".to_owned(),))).unwrap();
    let mut log = linker.instance("flowmonkey:jobs/log@0.1.0").unwrap();
    log.func_new("log", |_, _, _: &[Val], _: &mut [Val]| Ok(())).unwrap();
    linker.instantiate_pre(&component).unwrap()
}

async fn run_raw(pre: &InstancePre<State>, input: &str) {
    let state = State { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
    let mut store = Store::new(pre.engine(), state);
    let instance = pre.instantiate_async(&mut store).await.unwrap();
    let handler = instance.get_export_index(&mut store, None, "flowmonkey:jobs/handler@0.1.0").unwrap();
    let run = instance.get_export_index(&mut store, Some(&handler), "run").unwrap();
    let run = instance.get_func(&mut store, run).unwrap();
    let mut results = [Val::Bool(false)];
    run.call_async(&mut store, &[Val::String(input.into())], &mut results).await.unwrap();
    assert!(matches!(results, [Val::Result(Ok(_))]));
}

async fn run_sandboxed(sandbox: &Sandbox, prepared: &Prepared, input: &JsonText) {
    let context = attempt(Nowhere::Prompt, input.clone(), Limits::default());
    let report = sandbox.run(prepared, context).await;
    assert!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
}

/// The middle of all rounds, for one call.
fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() * 1e6 / f64::from(CALLS_A_ROUND)
}

/// Both in turns, so that what else the machine does hits both alike.
async fn measure(bytes: &[u8], input: &'static str, in_flight: u32) -> (f64, f64) {
    let pre = Arc::new(raw(bytes));
    let sandbox = Arc::new(Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap());
    let prepared = Arc::new(sandbox.prepare(bytes, &Limits::default()).unwrap());
    let json = JsonText::parse(input).unwrap();
    let calls = CALLS_A_ROUND / in_flight;
    let (mut alone, mut sandboxed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(
            round(in_flight, || {
                let pre = pre.clone();
                async move {
                    for _ in 0..calls {
                        run_raw(&pre, input).await;
                    }
                }
            })
            .await,
        );
        sandboxed.push(
            round(in_flight, || {
                let (sandbox, prepared, json) = (sandbox.clone(), prepared.clone(), json.clone());
                async move {
                    for _ in 0..calls {
                        run_sandboxed(&sandbox, &prepared, &json).await;
                    }
                }
            })
            .await,
        );
    }
    (median(alone), median(sandboxed))
}

async fn round<F: Future<Output = ()> + Send + 'static>(in_flight: u32, calls: impl Fn() -> F) -> Duration {
    let start = Instant::now();
    let under_way: Vec<_> = (0..in_flight).map(|_| tokio::spawn(calls())).collect();
    for one in under_way {
        one.await.unwrap();
    }
    start.elapsed()
}

#[tokio::main]
async fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let nothing = guests::handler("(func (export \"run\") (param i32 i32) (result i32) (i32.const 1024))");
    let mail = guests::example("email-send");
    if !json {
        println!(
            "{:<14}{:>10}{:>14}{:>14}{:>8}",
            "component", "in flight", "wasmtime µs", "sandbox µs", "ratio"
        );
    }
    let cases = [("empty", nothing, "{}"), ("email-send", mail, MAIL)];
    for (name, bytes, input, in_flight) in
        cases.iter().flat_map(|(name, bytes, input)| [1, 4, 20].map(|width| (*name, bytes, *input, width)))
    {
        let (alone, sandboxed) = measure(bytes, input, in_flight).await;
        let ratio = sandboxed / alone;
        if json {
            let line = serde_json::json!({"component": name, "in_flight": in_flight, "wasmtime_us": alone,
                "sandbox_us": sandboxed, "ratio": ratio});
            println!("{line}");
        } else {
            println!("{name:<14}{in_flight:>10}{alone:>14.1}{sandboxed:>14.1}{ratio:>8.2}");
        }
    }
}

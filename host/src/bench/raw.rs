//! wasmtime alone, as quick as it goes without giving up what keeps tenants apart: what the sandbox is measured
//! against.

use flowmonkey_jobs::sandbox::is_swap_possible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

pub(super) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A component, linked to WASI and to nothing of ours.
pub(super) fn linked(component: &[u8]) -> wasmtime::Result<Arc<InstancePre<State>>> {
    let mut config = Config::new();
    let mut pool = PoolingAllocationConfig::new();
    // Skips dirty pages that were swapped out, which the next tenant could read (wasmtime issue 14357).
    let scan = if is_swap_possible() { Enabled::No } else { Enabled::Auto };
    pool.linear_memory_keep_resident(1 << 20).table_keep_resident(1 << 20).pagemap_scan(scan);
    config.concurrency_support(false).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    let component = Component::from_binary(&engine, component)?;
    linker.define_unknown_imports_as_traps(&component)?;
    Ok(Arc::new(linker.instantiate_pre(&component)?))
}

async fn attempt(pre: &InstancePre<State>, input: &str) -> wasmtime::Result<()> {
    let state = State { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
    let mut store = Store::new(pre.engine(), state);
    let instance = pre.instantiate_async(&mut store).await?;
    let handler = instance.get_export_index(&mut store, None, "flowmonkey:jobs/handler@0.1.0");
    let handler = handler.ok_or_else(|| wasmtime::format_err!("the component exports no handler"))?;
    let run = instance.get_export_index(&mut store, Some(&handler), "run");
    let run = run.and_then(|run| instance.get_func(&mut store, run));
    let run = run.ok_or_else(|| wasmtime::format_err!("the component exports no `run`"))?;
    let mut results = [Val::Bool(false)];
    run.call_async(&mut store, &[Val::String(input.into())], &mut results).await?;
    wasmtime::ensure!(matches!(results, [Val::Result(Ok(_))]), "the handler failed: {results:?}");
    Ok(())
}

/// How long so many attempts take, so many of them in flight.
pub(super) async fn round(
    runtime: &Runtime,
    pre: &Arc<InstancePre<State>>,
    input: &Arc<str>,
    attempts: u32,
    in_flight: u32,
) -> wasmtime::Result<Duration> {
    let begun = Instant::now();
    let one = || {
        let (pre, input) = (pre.clone(), input.clone());
        runtime.spawn(async move {
            let mut turn = Instant::now();
            for _ in 0..attempts / in_flight {
                attempt(&pre, &input).await?;
                super::attempt::give_way(&mut turn).await;
            }
            wasmtime::error::Ok(())
        })
    };
    let under_way: Vec<_> = (0..in_flight).map(|_| one()).collect();
    for one in under_way {
        one.await??;
    }
    Ok(begun.elapsed())
}

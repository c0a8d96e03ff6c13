use super::swap::is_swap_possible;
use super::ticker::Ticker;
use super::{Limits, SandboxConfig};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

/// What host calls have of a stack beyond the guest's own share.
const HOST_STACK_BYTES: usize = 3 * 512 * 1024;
const GUEST_STACK_BYTES_MIN: usize = 64 * 1024;
/// So much of a stack, a table or a memory is zeroed by hand and kept when an attempt ends, instead of being
/// given back to the system and faulted in again by the next.
const STACK_BYTES_KEPT: usize = 32 * 1024;
const TABLE_BYTES_KEPT: usize = 16 * 1024;
/// Zeroing is as quick as faulting in up to about here.
const MEMORY_BYTES_KEPT: usize = 128 * 1024;
/// Where the kernel tells which pages are dirty, only those are reset, and what is kept is not more than was used.
/// All places together keep so much, but a place no more than the last and no less than above.
const SCANNED_BYTES_KEPT: usize = 64 * 1024 * 1024;
const SCANNED_BYTES_KEPT_MAX: usize = 1024 * 1024;
/// Core instances, memories and tables of one component. Toolchains that link several modules need a
/// handful; one attempt's share of the pool is bounded by this.
const CORE_INSTANCES_MAX: u32 = 64;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 16;
const TABLE_ELEMENTS_MAX: usize = 100_000;
pub(super) const BACKTRACE_FRAMES_MAX: usize = 32;

/// What wasmtime decides once for all that an engine runs. Their machine code differs with the first alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Whether fuel is counted.
    pub(super) metered: bool,
    stack_bytes: usize,
}

impl Kind {
    pub(super) fn of(limits: &Limits, config: &SandboxConfig) -> Self {
        let stack_bytes = limits.stack_bytes_max.min(config.stack_bytes_ceiling).max(GUEST_STACK_BYTES_MIN);
        // Few sizes, so that there are few engines.
        Kind { metered: limits.fuel.is_some(), stack_bytes: stack_bytes.next_power_of_two() }
    }
}

/// Engines of one configuration, one a [`Kind`], made when it is first asked for.
#[derive(Debug)]
pub(super) struct Engines {
    config: SandboxConfig,
    engines: Mutex<BTreeMap<Kind, Engine>>,
    pub(super) ticker: Ticker,
    pub(super) pooled: bool,
}

impl Engines {
    pub(super) fn new(config: SandboxConfig) -> wasmtime::Result<Self> {
        let kind = Kind::of(&Limits::default(), &config);
        // Probed by building: pools reserve address space, which containers and `ulimit -v` may refuse.
        let (engine, pooled) = match Engine::new(&configure(&config, true, kind)) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "no instance pool; allocating on demand");
                (Engine::new(&configure(&config, false, kind))?, false)
            }
        };
        let ticker = Ticker::start()?;
        ticker.watch(&engine);
        Ok(Engines { config, engines: Mutex::new([(kind, engine)].into()), ticker, pooled })
    }

    pub(super) fn get(&self, limits: &Limits) -> wasmtime::Result<Engine> {
        let kind = Kind::of(limits, &self.config);
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&kind) {
            return Ok(engine.clone());
        }
        let engine = Engine::new(&configure(&self.config, self.pooled, kind))?;
        self.ticker.watch(&engine);
        engines.insert(kind, engine.clone());
        Ok(engine)
    }
}

/// An engine that only compiles: its machine code runs on every engine that counts fuel, or not, like it.
/// On one thread, so that its processor time is bounded by its wall clock, and no thread needs a stack.
pub(super) fn compiling(metered: bool) -> wasmtime::Result<Engine> {
    Engine::new(code_config(metered).parallel_compilation(false))
}

/// All that shows in machine code.
fn code_config(metered: bool) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(metered)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .wasm_component_model(true)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .generate_address_map(true);
    config
}

fn configure(settings: &SandboxConfig, pooled: bool, kind: Kind) -> Config {
    let mut config = code_config(kind.metered);
    config
        .max_wasm_stack(kind.stack_bytes)
        .async_stack_size(kind.stack_bytes + HOST_STACK_BYTES)
        // What one guest left on a stack must not be there for the next, even if a compiler bug reads it.
        .async_stack_zeroing(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES_MAX));
    if pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    }
    config
}

/// The proposals that components may use; the same in every engine.
pub(super) fn features() -> wasmtime::Result<WasmFeatures> {
    let config = SandboxConfig::new(super::Compilation::InProcess);
    // An engine without a pool costs little, and is the only one to ask.
    let kind = Kind::of(&Limits::default(), &config);
    Ok(Engine::new(&configure(&config, false, kind))?.get_wasm_features())
}

fn pool(settings: &SandboxConfig) -> PoolingAllocationConfig {
    let attempts = settings.attempts_max.get();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(attempts)
        .total_core_instances(attempts.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(attempts.saturating_mul(MEMORIES_MAX))
        .total_tables(attempts.saturating_mul(TABLES_MAX))
        .total_stacks(attempts)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(settings.memory_bytes_ceiling)
        // What is not kept goes back at once. A batch would be quicker, but holds what the last attempts
        // used until others end, which may be never.
        .decommit_batch_size(1)
        .async_stack_keep_resident(STACK_BYTES_KEPT)
        .table_keep_resident(TABLE_BYTES_KEPT)
        .linear_memory_keep_resident(MEMORY_BYTES_KEPT)
        .pagemap_scan(Enabled::No);
    if !is_swap_possible() && PoolingAllocationConfig::is_pagemap_scan_available() {
        let share = SCANNED_BYTES_KEPT / attempts as usize;
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(share.clamp(MEMORY_BYTES_KEPT, SCANNED_BYTES_KEPT_MAX));
    }
    pool
}

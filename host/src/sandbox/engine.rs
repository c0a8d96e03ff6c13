use super::ticker::Ticker;
use super::{Metering, SandboxConfig};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// Guest code's share of a stack, and the whole stack, whose rest belongs to host calls.
const WASM_STACK_BYTES: usize = 512 * 1024;
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// So much of a stack, a table or a memory is zeroed by hand and kept when an attempt ends, instead of being
/// given back to the system and faulted in again by the next.
const STACK_BYTES_KEPT: usize = 32 * 1024;
const TABLE_BYTES_KEPT: usize = 16 * 1024;
const MEMORY_BYTES_KEPT: usize = 128 * 1024;
/// Core instances, memories and tables of one component. Toolchains that link several modules need a
/// handful; one attempt's share of the pool is bounded by this.
const CORE_INSTANCES_MAX: u32 = 64;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 16;
const TABLE_ELEMENTS_MAX: usize = 100_000;
const BACKTRACE_FRAMES_MAX: usize = 32;

/// Two engines of one configuration: wasmtime decides at compile time whether fuel is counted.
#[derive(Debug)]
pub(super) struct Engines {
    metered: Engine,
    unmetered: Engine,
    pub(super) ticker: Ticker,
    pub(super) pooled: bool,
}

impl Engines {
    pub(super) fn new(config: &SandboxConfig) -> wasmtime::Result<Self> {
        // Probed by building: pools reserve address space, which containers and `ulimit -v` may refuse.
        let pooled = pair(config, true);
        let (metered, unmetered, pooled) = match pooled {
            Ok((metered, unmetered)) => (metered, unmetered, true),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "no instance pool; allocating on demand");
                let (metered, unmetered) = pair(config, false)?;
                (metered, unmetered, false)
            }
        };
        let ticker = Ticker::start(&[&metered, &unmetered])?;
        Ok(Engines { metered, unmetered, ticker, pooled })
    }

    pub(super) fn get(&self, metering: Metering) -> &Engine {
        match metering {
            Metering::Fuel => &self.metered,
            Metering::Unlimited => &self.unmetered,
        }
    }
}

fn pair(config: &SandboxConfig, pooled: bool) -> wasmtime::Result<(Engine, Engine)> {
    let engine = |fuel| Engine::new(&configure(config, pooled, fuel));
    Ok((engine(true)?, engine(false)?))
}

fn configure(settings: &SandboxConfig, pooled: bool, fuel: bool) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(fuel)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .wasm_component_model(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        // What one guest left on a stack must not be there for the next, even if a compiler bug reads it.
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        .generate_address_map(true);
    if pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    }
    config
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
        // It skips dirty pages that were swapped out, which the next guest could then read
        // (wasmtime issue 14357).
        .pagemap_scan(Enabled::No);
    pool
}

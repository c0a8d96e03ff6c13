use super::batch::{self, Batch};
use super::lane::{self, Lanes};
use super::swap::is_swap_possible;
use super::ticker::Ticker;
use super::{Limits, SandboxConfig};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

/// What host calls have of a stack beyond the guest's own share: those that were tried where a guest's stack ends got by
/// with a page. Not more, since the kernel looks through all of a stack when an attempt ends.
const HOST_STACK_BYTES: usize = 512 * 1024;
const GUEST_STACK_BYTES_MIN: usize = 64 * 1024;
/// So much of a stack, a table or a memory is zeroed by hand and kept when an attempt ends, instead of being
/// given back to the system and faulted in again by the next.
const STACK_BYTES_KEPT: usize = 16 * 1024;
const TABLE_BYTES_KEPT: usize = 16 * 1024;
/// Zeroing is as quick as faulting in up to about here.
const MEMORY_BYTES_KEPT: usize = 128 * 1024;
/// Where the kernel tells which pages are dirty, only those are reset, and what is kept is not more than was used.
/// All places of all lanes together keep so much, but a place no more than the last and no less than above.
const SCANNED_BYTES_KEPT: usize = 64 * 1024 * 1024;
const SCANNED_BYTES_KEPT_MAX: usize = 1024 * 1024;
/// Of a lane, and of all lanes together.
const WARM_PLACES_MIN: u32 = 8;
const WARM_PLACES_MAX: u32 = 128;
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

/// An engine that one thread uses, or few.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) engine: Engine,
    /// What goes back to the system in batches. `None`: it goes at once.
    pub(super) batch: Option<Batch>,
}

/// Engines of one configuration, one a [`Kind`] and lane, made when they are first asked for.
#[derive(Debug)]
pub(super) struct Engines {
    config: SandboxConfig,
    lanes: Mutex<BTreeMap<Kind, Lanes<Arc<Lane>>>>,
    pub(super) ticker: Ticker,
    pub(super) pooled: bool,
}

impl Engines {
    pub(super) fn new(config: SandboxConfig) -> wasmtime::Result<Self> {
        let kind = Kind::of(&Limits::default(), &config);
        // Probed by building: pools reserve address space, which containers and `ulimit -v` may refuse.
        let (lanes, pooled) = match make(&config, true, kind) {
            Ok(lanes) => (lanes, true),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "no instance pool; allocating on demand");
                (make(&config, false, kind)?, false)
            }
        };
        let ticker = Ticker::start()?;
        lanes.all().iter().for_each(|lane| ticker.watch(&lane.engine));
        Ok(Engines { config, lanes: Mutex::new([(kind, lanes)].into()), ticker, pooled })
    }

    pub(super) fn get(&self, limits: &Limits) -> wasmtime::Result<Lanes<Arc<Lane>>> {
        let kind = Kind::of(limits, &self.config);
        let mut known = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lanes) = known.get(&kind) {
            return Ok(lanes.clone());
        }
        let lanes = make(&self.config, self.pooled, kind)?;
        lanes.all().iter().for_each(|lane| self.ticker.watch(&lane.engine));
        known.insert(kind, lanes.clone());
        Ok(lanes)
    }
}

fn make(config: &SandboxConfig, pooled: bool, kind: Kind) -> wasmtime::Result<Lanes<Arc<Lane>>> {
    let kept = pooled.then(|| kept(config));
    let numbers: Vec<u32> = (0..lane::count(config)).collect();
    Lanes::of(&numbers, |_| {
        let engine = Engine::new(&configure(config, kind, kept))?;
        let batched = kept.filter(|kept| kept.batch > 1);
        let batch = batched.map(|kept| Batch::new(&engine, kept.memory_bytes)).transpose()?;
        Ok(Arc::new(Lane { engine, batch }))
    })
}

/// What stays with a place when its attempt ends.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Whether the kernel tells which pages are dirty.
    scan: bool,
    /// Of each memory.
    memory_bytes: usize,
    /// How many regions go back to the system at once.
    batch: usize,
}

/// How many free places of a lane may wait for the handler that was there last; each holds a file of what its memory
/// begins with open.
fn warm_places(config: &SandboxConfig) -> u32 {
    let lanes = lane::count(config);
    (2 * (config.attempts_max.get() / lanes)).clamp(WARM_PLACES_MIN, WARM_PLACES_MAX / lanes)
}

fn kept(config: &SandboxConfig) -> Kept {
    if is_swap_possible() || !PoolingAllocationConfig::is_pagemap_scan_available() {
        // Nearly every attempt has more.
        return Kept { scan: false, memory_bytes: MEMORY_BYTES_KEPT, batch: 1 };
    }
    let share = SCANNED_BYTES_KEPT / config.attempts_max.get() as usize / lane::count(config) as usize;
    let memory_bytes = share.clamp(MEMORY_BYTES_KEPT, SCANNED_BYTES_KEPT_MAX);
    Kept { scan: true, memory_bytes, batch: batch::REGIONS }
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

/// With a pool where what is kept is known.
fn configure(settings: &SandboxConfig, kind: Kind, kept: Option<Kept>) -> Config {
    let mut config = code_config(kind.metered);
    config
        .max_wasm_stack(kind.stack_bytes)
        .async_stack_size(kind.stack_bytes + HOST_STACK_BYTES)
        // What one guest left on a stack must not be there for the next, even if a compiler bug reads it.
        .async_stack_zeroing(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES_MAX));
    if let Some(kept) = kept {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings, kept)));
    }
    config
}

/// The proposals that components may use; the same in every engine.
pub(super) fn features() -> wasmtime::Result<WasmFeatures> {
    let config = SandboxConfig::new(super::Compilation::InProcess);
    // An engine without a pool costs little, and is the only one to ask.
    let kind = Kind::of(&Limits::default(), &config);
    Ok(Engine::new(&configure(&config, kind, None))?.get_wasm_features())
}

fn pool(settings: &SandboxConfig, kept: Kept) -> PoolingAllocationConfig {
    let attempts = settings.attempts_max.get();
    // What waits for its batch holds its place.
    let waiting = kept.batch as u32;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(attempts)
        .total_core_instances(attempts.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(attempts.saturating_mul(MEMORIES_MAX).saturating_add(waiting))
        .total_tables(attempts.saturating_mul(TABLES_MAX).saturating_add(waiting))
        .total_stacks(attempts.saturating_add(waiting))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(settings.memory_bytes_ceiling)
        .decommit_batch_size(kept.batch)
        .max_unused_warm_slots(warm_places(settings))
        .async_stack_keep_resident(STACK_BYTES_KEPT)
        .table_keep_resident(TABLE_BYTES_KEPT)
        .linear_memory_keep_resident(kept.memory_bytes)
        .pagemap_scan(if kept.scan { Enabled::Yes } else { Enabled::No });
    pool
}

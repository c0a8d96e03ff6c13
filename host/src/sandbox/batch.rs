//! What an attempt used goes back to the system in batches. One call of the kernel for each attempt would stop the
//! other threads of the process each time: where two give memory back at once, the kernel makes every processor that
//! runs the process forget its translations of addresses. An attempt that used much memory does not wait for others.

use wasmtime::{Engine, Instance, Module, Store};

/// What one memory may have beyond what stays with its place anyway, and still wait for its batch, in bytes.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// Regions: of each memory, table and stack that ends, one, which may be empty.
pub(super) const REGIONS: usize = 32;

/// A module with four empty memories and sixteen empty tables: twenty regions, and as many as a pool allows
/// (Core specification 3.0, "Binary Format: Modules").
const EMPTIES: [u8; 90] = {
    let mut module = [0; 90];
    let head = [0x00, b'a', b's', b'm', 1, 0, 0, 0];
    let table = [0x70, 1, 0, 0];
    let memory = [1, 0, 0];
    let mut at = 0;
    while at < module.len() {
        module[at] = match at {
            0..8 => head[at],
            // Section 4, its length, and how many tables.
            8 => 4,
            9 => 65,
            10 => 16,
            11..75 => table[(at - 11) % table.len()],
            // Section 5, its length, and how many memories.
            75 => 5,
            76 => 13,
            77 => 4,
            _ => memory[(at - 78) % memory.len()],
        };
        at += 1;
    }
    module
};
const INSTANCES: usize = REGIONS.div_ceil(20);

/// Fills a batch up, so that it goes back: wasmtime has no call for it.
#[derive(Debug)]
pub(super) struct Batch {
    empties: Module,
    /// What an attempt's memories may have together, in bytes, and wait.
    bytes_max: usize,
}

impl Batch {
    pub(super) fn new(engine: &Engine, bytes_kept: usize) -> wasmtime::Result<Self> {
        let bytes_max = bytes_kept.saturating_add(WAITING_BYTES_MAX);
        Ok(Batch { empties: Module::new(engine, EMPTIES)?, bytes_max })
    }

    /// To be called on the thread where an attempt has ended: batches are a thread's.
    pub(super) fn ended(&self, memory_bytes: usize) {
        if memory_bytes <= self.bytes_max {
            return;
        }
        for _ in 0..INSTANCES {
            let mut store = Store::new(self.empties.engine(), ());
            if let Err(error) = Instance::new(&mut store, &self.empties, &[]) {
                // Then the next attempts fill it.
                tracing::debug!(error = %format!("{error:#}"), "what an attempt used goes back later");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_one() {
        let mut config = wasmtime::Config::new();
        config.wasm_multi_memory(true);
        let module = Module::new(&Engine::new(&config).expect("an engine"), EMPTIES).expect("a module");
        assert_eq!(module.resources_required().num_memories, 4);
        assert_eq!(module.resources_required().num_tables, 16);
    }
}

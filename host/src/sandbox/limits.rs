use std::time::Duration;
use wasmtime::ResourceLimiter;

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// What one attempt may use, and its component before it. Every field is a bound that ends the attempt, or
/// refuses the call, with an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Instructions, roughly: most cost 1. `OUT_OF_FUEL` beyond. `None`: they are not counted, which the
    /// component must be compiled for.
    pub fuel: Option<u64>,
    /// Time from instantiation to the end, host calls included. `TIMEOUT` beyond.
    pub wall_max: Duration,
    /// Time between two signs of life that the guest gives by itself, if it must. `HEARTBEAT_TIMEOUT`
    /// beyond.
    pub heartbeat_timeout: Option<Duration>,
    /// Bytes of all linear memories together. `MEMORY_LIMIT` beyond.
    pub memory_bytes_max: usize,
    /// Linear memories. `HANDLER_LOAD_FAILED` beyond.
    pub memories_max: usize,
    /// Elements of all tables together. `MEMORY_LIMIT` beyond.
    pub table_elements_max: usize,
    /// Tables. `HANDLER_LOAD_FAILED` beyond.
    pub tables_max: usize,
    /// Core instances. `HANDLER_LOAD_FAILED` beyond.
    pub instances_max: usize,
    /// Bytes of the guest's native stack, rounded up to a power of two. `STACK_OVERFLOW` beyond. The component
    /// is prepared for it.
    pub stack_bytes_max: usize,
    /// Handles of resources that the guest's component instances hold at once. A trap beyond.
    pub handles_max: usize,
    /// Resources that the host holds for the guest at once. A trap beyond.
    pub resources_max: usize,
    /// Bytes that one host call, or the result, may copy out of the guest. A trap, or `OUTPUT_TOO_LARGE`,
    /// beyond.
    pub hostcall_bytes_max: usize,
    /// Calls in a second that reach the database; so many may come at once. The call answers
    /// `limit-exceeded` beyond.
    pub store_calls_per_second: u32,
    /// Log lines, those of stdout and stderr included; what is beyond is dropped, with a mark.
    pub log_lines_max: usize,
    /// Bytes of log lines, those of stdout and stderr included; what is beyond is dropped, with a mark.
    pub log_bytes_max: usize,
    /// Bytes of stdout; what is beyond is dropped, with a mark.
    pub stdout_bytes_max: usize,
    /// Bytes of stderr; what is beyond is dropped, with a mark, but for the last 2 KiB, which an error may
    /// show.
    pub stderr_bytes_max: usize,
    /// Bytes of the result. `OUTPUT_TOO_LARGE` beyond.
    pub result_bytes_max: usize,
    /// Bytes of one checkpoint value; the call answers `limit-exceeded` beyond.
    pub checkpoint_value_bytes_max: usize,
    /// Bytes of all checkpoint keys and values; the call answers `limit-exceeded` beyond.
    pub checkpoint_bytes_max: usize,
    /// Bytes of one call for random numbers. A trap beyond.
    pub random_bytes_max: u64,
    /// Jobs that an attempt may create; the call answers `limit-exceeded` beyond.
    pub enqueues_max: u32,
    /// Pending jobs of the other handler beyond which no more are created; the call answers
    /// `limit-exceeded` then.
    pub queue_pending_max: u32,
    /// Bytes of one idempotency value; the call answers `limit-exceeded` beyond.
    pub idempotency_value_bytes_max: usize,
    /// Idempotency keys that an attempt may record; the call answers `limit-exceeded` beyond.
    pub idempotency_records_max: u32,
    /// HTTP requests of an attempt. `HTTP-request-denied` beyond.
    pub http_requests_max: u32,
    /// Bytes of the body of one HTTP request. `HTTP-request-body-size` beyond.
    pub http_request_bytes_max: u64,
    /// Bytes of the body of one HTTP response. `HTTP-response-body-size` beyond.
    pub http_response_bytes_max: u64,
    /// Bytes of all header fields of one HTTP request, and of one response. An error that names the header
    /// section beyond.
    pub http_header_bytes_max: usize,
    /// Time of one HTTP request from its name's resolution to the end of the response's body.
    /// `connection-timeout` or `HTTP-response-timeout` beyond.
    pub http_time_max: Duration,
    /// Bytes of the component. It is refused beyond.
    pub component_bytes_max: usize,
    /// Time of all processors together to compile the component; on the wall it may take four times as long. It is refused
    /// beyond.
    pub compile_time_max: Duration,
    /// Address space for compiling the component. It is refused beyond.
    pub compile_memory_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            fuel: Some(10_000_000_000),
            wall_max: Duration::from_secs(60),
            heartbeat_timeout: None,
            memory_bytes_max: 128 * MIB,
            memories_max: 4,
            table_elements_max: 100_000,
            tables_max: 16,
            instances_max: 64,
            stack_bytes_max: 512 * KIB,
            handles_max: 10_000,
            resources_max: 10_000,
            hostcall_bytes_max: 8 * MIB,
            store_calls_per_second: 200,
            log_lines_max: 5000,
            log_bytes_max: 256 * KIB,
            stdout_bytes_max: 128 * KIB,
            stderr_bytes_max: 128 * KIB,
            result_bytes_max: MIB,
            checkpoint_value_bytes_max: MIB,
            checkpoint_bytes_max: 4 * MIB,
            random_bytes_max: 64 * KIB as u64,
            enqueues_max: 100,
            queue_pending_max: 10_000,
            idempotency_value_bytes_max: 64 * KIB,
            idempotency_records_max: 100,
            http_requests_max: 100,
            http_request_bytes_max: 8 * MIB as u64,
            http_response_bytes_max: 8 * MIB as u64,
            http_header_bytes_max: 64 * KIB,
            http_time_max: Duration::from_secs(30),
            component_bytes_max: 64 * MIB,
            compile_time_max: Duration::from_secs(60),
            compile_memory_bytes_max: 2048 * MIB,
        }
    }
}

impl Limits {
    /// How far a handler's own settings may go where the operator does not say: mostly ten times the defaults,
    /// and a day.
    pub fn ceiling() -> Self {
        let defaults = Limits::default();
        Limits {
            fuel: Some(1_000_000_000_000),
            wall_max: Duration::from_secs(24 * 60 * 60),
            // Filling it all is one instruction, which must not hold up an interruption for 100 ms.
            memory_bytes_max: 192 * MIB,
            table_elements_max: 100_000,
            stack_bytes_max: MIB,
            handles_max: 100_000,
            resources_max: 100_000,
            hostcall_bytes_max: 64 * MIB,
            store_calls_per_second: 1000,
            log_lines_max: 100_000,
            log_bytes_max: 4 * MIB,
            stdout_bytes_max: 4 * MIB,
            stderr_bytes_max: 4 * MIB,
            result_bytes_max: 16 * MIB,
            checkpoint_value_bytes_max: 16 * MIB,
            checkpoint_bytes_max: 64 * MIB,
            random_bytes_max: MIB as u64,
            enqueues_max: 10_000,
            queue_pending_max: 1_000_000,
            idempotency_value_bytes_max: MIB,
            idempotency_records_max: 10_000,
            http_requests_max: 10_000,
            http_request_bytes_max: 64 * MIB as u64,
            http_response_bytes_max: 64 * MIB as u64,
            http_header_bytes_max: 256 * KIB,
            http_time_max: Duration::from_secs(10 * 60),
            component_bytes_max: 256 * MIB,
            compile_time_max: Duration::from_secs(10 * 60),
            compile_memory_bytes_max: 8192 * MIB,
            ..defaults
        }
    }

    /// Instructions that an attempt of a component that counts them may use.
    pub(super) fn fuel_or_endless(&self) -> u64 {
        self.fuel.unwrap_or(u64::MAX)
    }
}

/// The limit that growth would have passed. It travels through wasmtime as the cause of the trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Exceeded {
    #[error("{wanted} bytes of memory, over the limit of {max}")]
    Memory { wanted: usize, max: usize },
    #[error("{wanted} table elements, over the limit of {max}")]
    Table { wanted: usize, max: usize },
}

/// Adds up what all memories and tables of one store hold; wasmtime's own limits look at each alone.
#[derive(Debug)]
pub(super) struct Limiter {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    instances_max: usize,
    tables_max: usize,
    memories_max: usize,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Limiter {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max,
            table_elements: 0,
            table_elements_max: limits.table_elements_max,
            instances_max: limits.instances_max,
            tables_max: limits.tables_max,
            memories_max: limits.memories_max,
        }
    }

    /// Memories only grow, so what they hold is also their peak.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes as u64
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // Over the module's own declared maximum: an ordinary failure the guest must expect.
            return Ok(desired <= self.memory_bytes_max || self.refuse_memory(desired)?);
        }
        let wanted = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_bytes_max {
            return self.refuse_memory(wanted);
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.table_elements.saturating_add(desired.saturating_sub(current));
        if wanted > self.table_elements_max {
            return Err(Exceeded::Table { wanted, max: self.table_elements_max }.into());
        }
        self.table_elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.tables_max
    }

    fn memories(&self) -> usize {
        self.memories_max
    }
}

impl Limiter {
    /// An error rather than a plain "no": it stops the guest where it asked, with a backtrace, before
    /// its allocator turns the refusal into an abort without a word.
    fn refuse_memory(&self, wanted: usize) -> wasmtime::Result<bool> {
        Err(Exceeded::Memory { wanted, max: self.memory_bytes_max }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_added_up() {
        let limits = Limits { memory_bytes_max: 100, ..Limits::default() };
        let mut limiter = Limiter::new(&limits);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, Some(1000)).unwrap());
        let refused = limiter.memory_growing(40, 41, None).unwrap_err();
        let expected = Exceeded::Memory { wanted: 101, max: 100 };
        assert_eq!(refused.downcast_ref::<Exceeded>(), Some(&expected));
        assert_eq!(limiter.memory_bytes(), 100);
    }

    #[test]
    fn a_declared_maximum_is_the_guests_own_affair() {
        let mut limiter = Limiter::new(&Limits { memory_bytes_max: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 50, Some(40)).unwrap());
        assert_eq!(limiter.memory_bytes(), 0);
    }

    #[test]
    fn tables_are_added_up() {
        let mut limiter = Limiter::new(&Limits { table_elements_max: 10, ..Limits::default() });
        assert!(limiter.table_growing(0, 6, None).unwrap());
        assert!(limiter.table_growing(0, 5, None).is_err());
    }
}

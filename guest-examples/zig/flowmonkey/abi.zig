//! The interfaces of the host as the canonical ABI of the component model lays them out: what can be called,
//! and the types in memory. An `extern struct` has the layout of a record or tuple; `List`, `Option` and
//! `Result` that of theirs. What holds more than fits into one value is returned through a pointer.
//!
//! Written by hand from wit/, where functions may be added but records and variants stay as they are.

pub const String = List(u8);

pub fn List(T: type) type {
    return extern struct {
        ptr: [*]const T,
        len: usize,

        pub fn of(items: []const T) @This() {
            // The host checks the address of an empty list too, and Zig's may lie beyond the memory.
            const nowhere: [*]const T = @ptrFromInt(@alignOf(T));
            return .{ .ptr = if (items.len == 0) nowhere else items.ptr, .len = items.len };
        }

        pub fn slice(list: @This()) []const T {
            return if (list.len == 0) &.{} else list.ptr[0..list.len];
        }
    };
}

pub fn Option(T: type) type {
    return extern struct {
        is_some: bool,
        value: T,

        pub const none: @This() = .{ .is_some = false, .value = undefined };

        pub fn some(value: T) @This() {
            return .{ .is_some = true, .value = value };
        }

        pub fn get(option: @This()) ?T {
            return if (option.is_some) option.value else null;
        }
    };
}

/// `Nothing` stands for a side that holds nothing.
pub fn Result(T: type, E: type) type {
    return extern struct {
        is_err: bool,
        payload: extern union { ok: T, err: E },
    };
}

pub const Nothing = extern struct { padding: u8 };
pub const Pair = extern struct { name: String, value: String };
pub const Handle = i32;

pub const HostError = extern struct {
    tag: enum(u8) { denied, limit_exceeded, lease_lost, unavailable, invalid, other },
    /// Of all cases but `lease_lost`.
    message: String,
};

pub const Outcome = extern struct {
    tag: enum(u8) { success, wait },
    payload: extern union { success: Option(String), wait: Wait },
};

pub const Wait = extern struct {
    tag: enum(u8) { at, after, signal },
    until: extern union { ms: u64, signal: String },
    reason: Option(String),
};

pub const Failure = extern struct {
    code: String,
    message: String,
    details: Option(String),
};

pub const JobError = extern struct {
    tag: enum(u8) { retryable, fatal, cancelled },
    payload: extern union {
        retryable: extern struct { failure: Failure, after_ms: Option(u64) },
        fatal: Failure,
    },
};

pub const job = struct {
    pub extern "flowmonkey:jobs/job@0.1.0" fn id(ret: *String) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn handler(ret: *String) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"execution-id"(ret: *Option(String)) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"step-id"(ret: *Option(String)) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"idempotency-key"(ret: *String) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn attempt() u32;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"max-attempts"() u32;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"resumed-with"(ret: *Option(String)) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"deadline-ms"(ret: *Option(u64)) void;
    pub extern "flowmonkey:jobs/job@0.1.0" fn @"trace-parent"(ret: *Option(String)) void;
};

pub const control = struct {
    pub extern "flowmonkey:jobs/control@0.1.0" fn heartbeat() u32;
    pub extern "flowmonkey:jobs/control@0.1.0" fn cancelled() bool;
    pub extern "flowmonkey:jobs/control@0.1.0" fn progress(
        percent: f32,
        has_message: bool,
        message: [*]const u8,
        message_len: usize,
    ) u32;
};

const Unit = Result(Nothing, HostError);
const Found = Result(Option(String), HostError);
const Keys = Result(List(String), HostError);

pub const checkpoint = struct {
    pub extern "flowmonkey:jobs/checkpoint@0.1.0" fn save(
        key: [*]const u8,
        key_len: usize,
        value: [*]const u8,
        value_len: usize,
        ret: *Unit,
    ) void;
    pub extern "flowmonkey:jobs/checkpoint@0.1.0" fn restore(
        key: [*]const u8,
        key_len: usize,
        ret: *Found,
    ) void;
    pub extern "flowmonkey:jobs/checkpoint@0.1.0" fn keys(ret: *Keys) void;
    pub extern "flowmonkey:jobs/checkpoint@0.1.0" fn delete(
        key: [*]const u8,
        key_len: usize,
        ret: *Unit,
    ) void;
    pub extern "flowmonkey:jobs/checkpoint@0.1.0" fn clear(ret: *Unit) void;
};

pub const context = struct {
    pub extern "flowmonkey:jobs/context@0.1.0" fn set(
        key: [*]const u8,
        key_len: usize,
        value: [*]const u8,
        value_len: usize,
        ret: *Unit,
    ) void;
    pub extern "flowmonkey:jobs/context@0.1.0" fn get(
        key: [*]const u8,
        key_len: usize,
        ret: *Found,
    ) void;
    pub extern "flowmonkey:jobs/context@0.1.0" fn keys(ret: *Keys) void;
    pub extern "flowmonkey:jobs/context@0.1.0" fn delete(
        key: [*]const u8,
        key_len: usize,
        ret: *Unit,
    ) void;
};

pub const queue = struct {
    pub extern "flowmonkey:jobs/queue@0.1.0" fn enqueue(
        handler: [*]const u8,
        handler_len: usize,
        input: [*]const u8,
        input_len: usize,
        has_start: bool,
        start: enum(u32) { at, after },
        start_ms: u64,
        has_priority: bool,
        priority: u32,
        has_max_attempts: bool,
        max_attempts: u32,
        has_unique_key: bool,
        unique_key: [*]const u8,
        unique_key_len: usize,
        ret: *Result(String, HostError),
    ) void;
};

pub const idempotency = struct {
    pub extern "flowmonkey:jobs/idempotency@0.1.0" fn lookup(
        key: [*]const u8,
        key_len: usize,
        ret: *Found,
    ) void;
    pub extern "flowmonkey:jobs/idempotency@0.1.0" fn record(
        key: [*]const u8,
        key_len: usize,
        value: [*]const u8,
        value_len: usize,
        has_ttl: bool,
        ttl_ms: u64,
        ret: *Unit,
    ) void;
};

pub const log = struct {
    pub extern "flowmonkey:jobs/log@0.1.0" fn log(
        level: u32,
        message: [*]const u8,
        message_len: usize,
        fields: [*]const Pair,
        fields_len: usize,
    ) void;
};

pub const config = struct {
    pub const Error = extern struct { tag: enum(u8) { upstream, io }, message: String };

    pub extern "wasi:config/store@0.2.0-rc.1" fn get(
        key: [*]const u8,
        key_len: usize,
        ret: *Result(Option(String), Error),
    ) void;
    pub extern "wasi:config/store@0.2.0-rc.1" fn @"get-all"(
        ret: *Result(List(Pair), Error),
    ) void;
};

//! What the host keeps for handlers: values under keys, configuration, and other jobs.

const std = @import("std");
const abi = @import("abi.zig");
const flowmonkey = @import("flowmonkey.zig");

const Error = flowmonkey.Error;
const Job = flowmonkey.Job;

/// What this job keeps for its next attempts. Keys have 1 to 256 bytes; by default a value has at most 1 MiB,
/// and all of a job's 4 MiB. A value is durable when `save` returns.
pub const checkpoint = struct {
    /// Stores a value of any type under a key, replacing what was there.
    pub fn save(job: *Job, key: []const u8, value: anytype) Error!void {
        return setValue(job, key, value, abi.checkpoint.save);
    }

    /// The value under a key, or null. `error.BadInput` where it is no T.
    pub fn restore(job: *Job, T: type, key: []const u8) Error!?T {
        return find(job, T, key, abi.checkpoint.restore);
    }

    /// The keys that have a value, in order.
    pub fn keys(job: *Job) Error![]const []const u8 {
        return list(job, abi.checkpoint.keys);
    }

    pub fn delete(job: *Job, key: []const u8) Error!void {
        return remove(job, key, abi.checkpoint.delete);
    }

    /// Removes all keys.
    pub fn clear(job: *Job) Error!void {
        var answer: Unit = undefined;
        abi.checkpoint.clear(&answer);
        return done(job, answer);
    }
};

/// The context of the workflow execution that the job belongs to; `error.Denied` for a job of its own. Needs
/// the grant `context`. At most 1 MB a value, 10 MB in all, 500 keys.
pub const context = struct {
    pub fn get(job: *Job, T: type, key: []const u8) Error!?T {
        return find(job, T, key, abi.context.get);
    }

    pub fn set(job: *Job, key: []const u8, value: anytype) Error!void {
        return setValue(job, key, value, abi.context.set);
    }

    pub fn keys(job: *Job) Error![]const []const u8 {
        return list(job, abi.context.keys);
    }

    pub fn delete(job: *Job, key: []const u8) Error!void {
        return remove(job, key, abi.context.delete);
    }
};

/// "Has this been done already?", shared by all jobs of this handler. Needs the grant `idempotency`.
pub const idempotency = struct {
    pub fn lookup(job: *Job, T: type, key: []const u8) Error!?T {
        return find(job, T, key, abi.idempotency.lookup);
    }

    /// Records a value for so many milliseconds, or for good. What is recorded first stands until its time is
    /// over: another value is `error.Invalid`.
    pub fn record(job: *Job, key: []const u8, value: anytype, ttl_ms: ?u64) Error!void {
        const name = flowmonkey.toHost(key);
        const json = try job.json(value);
        var answer: Unit = undefined;
        abi.idempotency.record(
            name.ptr,
            name.len,
            json.ptr,
            json.len,
            ttl_ms != null,
            ttl_ms orelse 0,
            &answer,
        );
        return done(job, answer);
    }
};

/// Jobs for other handlers. Needs the grant `queue`, which names them.
pub const queue = struct {
    /// What is left out takes the other handler's own setting.
    pub const Options = struct {
        start: union(enum) {
            now,
            /// Milliseconds since 1970.
            at_ms: u64,
            /// Milliseconds from now.
            after_ms: u64,
        } = .now,
        /// From 0 (first) to 9 (last).
        priority: ?u8 = null,
        max_attempts: ?u32 = null,
        /// While a job with this key is pending or running, its id is returned instead of a second job.
        unique_key: ?[]const u8 = null,
    };

    /// Creates a job and returns its id. It stays even if this attempt fails.
    pub fn enqueue(job: *Job, handler: []const u8, input: anytype, options: Options) Error![]const u8 {
        const json = try job.json(input);
        const name = flowmonkey.toHost(handler);
        const unique_key = flowmonkey.toHost(options.unique_key orelse "");
        var answer: abi.Result(abi.String, abi.HostError) = undefined;
        abi.queue.enqueue(
            name.ptr,
            name.len,
            json.ptr,
            json.len,
            options.start != .now,
            if (options.start == .at_ms) .at else .after,
            switch (options.start) {
                .now => 0,
                .at_ms, .after_ms => |ms| ms,
            },
            options.priority != null,
            options.priority orelse 0,
            options.max_attempts != null,
            options.max_attempts orelse 0,
            options.unique_key != null,
            unique_key.ptr,
            unique_key.len,
            &answer,
        );
        if (answer.is_err) return refused(job, answer.payload.err);
        return answer.payload.ok.slice();
    }
};

/// What the operator has set for this handler. Needs the grant `config`, which names the keys.
pub const config = struct {
    pub const Entry = struct { key: []const u8, value: []const u8 };

    pub fn get(job: *Job, key: []const u8) Error!?[]const u8 {
        var answer: abi.Result(abi.Option(abi.String), abi.config.Error) = undefined;
        const name = flowmonkey.toHost(key);
        abi.config.get(name.ptr, name.len, &answer);
        if (answer.is_err) return configRefused(job, answer.payload.err);
        return if (answer.payload.ok.get()) |value| value.slice() else null;
    }

    pub fn all(job: *Job) Error![]const Entry {
        var answer: abi.Result(abi.List(abi.Pair), abi.config.Error) = undefined;
        abi.config.@"get-all"(&answer);
        if (answer.is_err) return configRefused(job, answer.payload.err);
        const pairs = answer.payload.ok.slice();
        const entries = try job.arena.alloc(Entry, pairs.len);
        for (entries, pairs) |*entry, pair| {
            entry.* = .{ .key = pair.name.slice(), .value = pair.value.slice() };
        }
        return entries;
    }
};

const Unit = abi.Result(abi.Nothing, abi.HostError);
const Found = abi.Result(abi.Option(abi.String), abi.HostError);
const Keys = abi.Result(abi.List(abi.String), abi.HostError);

fn setValue(
    job: *Job,
    key: []const u8,
    value: anytype,
    call: *const fn ([*]const u8, usize, [*]const u8, usize, *Unit) callconv(.c) void,
) Error!void {
    const name = flowmonkey.toHost(key);
    // Given back at once, since a long loop may save often.
    const gpa = std.heap.wasm_allocator;
    const json = try std.json.Stringify.valueAlloc(gpa, value, .{});
    defer gpa.free(json);
    var answer: Unit = undefined;
    call(name.ptr, name.len, json.ptr, json.len, &answer);
    return done(job, answer);
}

fn find(
    job: *Job,
    T: type,
    key: []const u8,
    call: *const fn ([*]const u8, usize, *Found) callconv(.c) void,
) Error!?T {
    const name = flowmonkey.toHost(key);
    var answer: Found = undefined;
    call(name.ptr, name.len, &answer);
    if (answer.is_err) return refused(job, answer.payload.err);
    const json = answer.payload.ok.get() orelse return null;
    return try job.parse(T, json.slice());
}

fn list(job: *Job, call: *const fn (*Keys) callconv(.c) void) Error![]const []const u8 {
    var answer: Keys = undefined;
    call(&answer);
    if (answer.is_err) return refused(job, answer.payload.err);
    const found = answer.payload.ok.slice();
    const keys = try job.arena.alloc([]const u8, found.len);
    for (keys, found) |*key, text| key.* = text.slice();
    return keys;
}

fn remove(
    job: *Job,
    key: []const u8,
    call: *const fn ([*]const u8, usize, *Unit) callconv(.c) void,
) Error!void {
    const name = flowmonkey.toHost(key);
    var answer: Unit = undefined;
    call(name.ptr, name.len, &answer);
    return done(job, answer);
}

fn done(job: *Job, answer: Unit) Error!void {
    if (answer.is_err) return refused(job, answer.payload.err);
}

fn refused(job: *Job, failure: abi.HostError) Error {
    if (failure.tag == .lease_lost) return error.LeaseLost;
    job.message = failure.message.slice();
    return switch (failure.tag) {
        .denied => error.Denied,
        .limit_exceeded => error.LimitExceeded,
        .unavailable => error.Unavailable,
        .invalid => error.Invalid,
        .lease_lost, .other => error.HostError,
    };
}

/// The interface has no case of its own for what is not granted; the host begins the text with it.
fn configRefused(job: *Job, failure: abi.config.Error) Error {
    const message = failure.message.slice();
    if (std.mem.cutPrefix(u8, message, "denied: ")) |why| {
        job.message = why;
        return error.Denied;
    }
    job.message = message;
    return error.Unavailable;
}

//! FlowMonkey Jobs for Zig. A handler is a main.zig with a function `run`; the host calls it once for each
//! attempt of a job, each time in a fresh instance.
//!
//!     const flowmonkey = @import("flowmonkey");
//!
//!     const Input = struct { name: []const u8 };
//!
//!     pub fn run(job: *flowmonkey.Job, input: Input) !flowmonkey.Outcome {
//!         job.log(.info, "greeting", .{ .name = input.name });
//!         return job.success(.{ .greeting = input.name });
//!     }
//!
//! Input is any type that std.json parses; what does not fit it ends the job as fatal `BAD_INPUT`. A public
//! constant `description` tells what the handler is; see `metadata` in wit/handler.wit for its fields, and
//! write those with hyphens as `@"input-schema"`.
//!
//! An error that `run` returns ends the attempt:
//!
//! | error | outcome |
//! | --- | --- |
//! | of `job.fatal`, `job.retryable`, `job.fail` | the failure that was given |
//! | `Denied`, `Invalid`, `LimitExceeded`, `BadInput` | fatal, with the code `DENIED`, `INVALID`, … |
//! | `Cancelled`, `LeaseLost` | cancelled |
//! | `Unavailable`, `HostError`, `HttpFailed` | retryable, with the code `UNAVAILABLE`, … |
//! | any other | retryable, code `ERROR`, the error's name as message |
//!
//! A panic is a trap, which is worth another attempt; its text becomes the job's error.

const std = @import("std");

pub const abi = @import("abi.zig");
pub const http = @import("http.zig");
pub const Job = @import("Job.zig");

const store = @import("store.zig");
pub const checkpoint = store.checkpoint;
pub const config = store.config;
pub const context = store.context;
pub const idempotency = store.idempotency;
pub const queue = store.queue;

/// What calls to the host can fail with. `Job.message` tells more.
pub const Error = error{
    /// The operator has not granted this to the handler.
    Denied,
    /// A value, or the number of calls, is over a limit.
    LimitExceeded,
    /// The job belongs to another attempt by now, or was cancelled. Stop.
    LeaseLost,
    /// The database or the network did not answer. Trying again later may help.
    Unavailable,
    /// An argument is not acceptable: an empty key, a value nested deeper than 128 levels, and so on.
    Invalid,
    HostError,
    /// JSON that does not parse as the wanted type.
    BadInput,
    OutOfMemory,
};

/// How an attempt ends well. `Job.success` makes the first kind from any value.
pub const Outcome = union(enum) {
    /// The result as JSON text, or none.
    success: ?[]const u8,
    /// The work goes on later: the attempt does not count, and checkpoints stay.
    wait: Wait,

    pub fn lower(outcome: Outcome) abi.Outcome {
        return switch (outcome) {
            .success => |json| .{ .tag = .success, .payload = .{ .success = toHostOptional(json) } },
            .wait => |wait| .{ .tag = .wait, .payload = .{ .wait = wait.lower() } },
        };
    }
};

pub const Wait = struct {
    until: union(enum) {
        /// Milliseconds since 1970.
        at_ms: u64,
        /// Milliseconds from when the host records the outcome.
        after_ms: u64,
        /// Until somebody resumes the job; see `Job.resumedWith`.
        signal: []const u8,
    },
    /// Shown to people who look at the waiting job.
    reason: ?[]const u8 = null,

    fn lower(wait: Wait) abi.Wait {
        const reason = toHostOptional(wait.reason);
        return switch (wait.until) {
            .at_ms => |ms| .{ .tag = .at, .until = .{ .ms = ms }, .reason = reason },
            .after_ms => |ms| .{ .tag = .after, .until = .{ .ms = ms }, .reason = reason },
            .signal => |name| .{ .tag = .signal, .until = .{ .signal = toHost(name) }, .reason = reason },
        };
    }
};

pub const Failure = struct {
    kind: enum { retryable, fatal } = .retryable,
    /// A short, stable name in capitals. Programs match on it.
    code: []const u8,
    /// One sentence for people. Cut at 4,096 bytes.
    message: []const u8,
    /// JSON text (see `Job.json`) that helps to find the cause. Dropped when over 16 KiB.
    details: ?[]const u8 = null,
    /// Milliseconds to wait before the next attempt of a retryable failure; at most 30 days. Without it the
    /// handler's retry policy decides.
    after_ms: ?u64 = null,
};

/// What the host wants of a running attempt.
pub const Directive = enum(u32) {
    proceed,
    /// The job was cancelled or belongs to another attempt by now. Stop.
    cancel,
    /// The runner is stopping. Save a checkpoint and return `error.Cancelled`.
    drain,
};

pub const LogLevel = enum(u32) { trace, debug, info, warn, err };

/// Where all lives that the host hands over, and what `Job.arena` allocates.
pub var attempt_arena: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);

/// A text for the host, which would trap on bytes that are not UTF-8: they become U+FFFD.
pub fn toHost(text: []const u8) abi.String {
    if (std.unicode.utf8ValidateSlice(text)) return .of(text);
    const repaired = std.fmt.allocPrint(attempt_arena.allocator(), "{f}", .{std.unicode.fmtUtf8(text)});
    return .of(repaired catch "out of memory");
}

pub fn toHostOptional(text: ?[]const u8) abi.Option(abi.String) {
    return if (text) |given| .some(toHost(given)) else .none;
}

/// Lines of std.log, without fields.
pub fn logFn(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    args: anytype,
) void {
    var buffer: [4096]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    if (scope != .default) writer.writeAll(@tagName(scope) ++ ": ") catch {};
    // What does not fit is cut.
    writer.print(format, args) catch {};
    Job.logText(switch (level) {
        .err => .err,
        .warn => .warn,
        .info => .info,
        .debug => .debug,
    }, writer.buffered(), &.{});
}

/// Tells stderr, which the host shows with the trap.
pub fn panic(message: []const u8, _: ?usize) noreturn {
    const parts = [_]std.os.wasi.ciovec_t{
        .{ .base = message.ptr, .len = message.len },
        .{ .base = "\n", .len = 1 },
    };
    var written: usize = undefined;
    _ = std.os.wasi.fd_write(2, &parts, parts.len, &written);
    @trap();
}

//! One attempt of one job: its facts, its dialogue with the host, and how it ends.

const std = @import("std");
const abi = @import("abi.zig");
const flowmonkey = @import("flowmonkey.zig");

const Allocator = std.mem.Allocator;
const Error = flowmonkey.Error;
const Job = @This();

/// Memory that stays until the attempt ends, such as results are made of. A long loop that needs much better
/// takes what it can give back from `std.heap.wasm_allocator`.
arena: Allocator,
/// The clocks, `sleep`, randomness, stdout and stderr.
io: std.Io,
/// One sentence on the last call that failed.
message: []const u8 = "",
failure: ?flowmonkey.Failure = null,

pub fn init() Job {
    return .{
        .arena = flowmonkey.attempt_arena.allocator(),
        .io = std.Io.Threaded.global_single_threaded.io(),
    };
}

// How the attempt ends.

/// The work is done. The value becomes the job's result, as JSON.
pub fn success(job: *Job, value: anytype) Error!flowmonkey.Outcome {
    return .{ .success = try job.json(value) };
}

/// Will never go better: the job fails now. `return job.fatal("BAD_NAME", "{s} is empty", .{name});`
pub fn fatal(job: *Job, code: []const u8, comptime format: []const u8, args: anytype) error{Failed} {
    return job.fail(.{ .kind = .fatal, .code = code, .message = job.sentence(format, args) });
}

/// May go better next time.
pub fn retryable(
    job: *Job,
    code: []const u8,
    comptime format: []const u8,
    args: anytype,
) error{Failed} {
    return job.fail(.{ .code = code, .message = job.sentence(format, args) });
}

/// Any failure.
pub fn fail(job: *Job, failure: flowmonkey.Failure) error{Failed} {
    job.failure = failure;
    return error.Failed;
}

/// A text in the memory of the attempt.
pub fn print(job: *Job, comptime format: []const u8, args: anytype) error{OutOfMemory}![]const u8 {
    return std.fmt.allocPrint(job.arena, format, args);
}

fn sentence(job: *Job, comptime format: []const u8, args: anytype) []const u8 {
    return job.print(format, args) catch "out of memory";
}

/// What an error that `run` returned is to the host.
pub fn lower(job: *Job, err: anyerror) abi.JobError {
    const failure: flowmonkey.Failure = switch (err) {
        error.Failed => job.failure orelse .{ .code = "ERROR", .message = @errorName(err) },
        error.Cancelled, error.LeaseLost => return .{ .tag = .cancelled, .payload = undefined },
        error.Denied => .{ .kind = .fatal, .code = "DENIED", .message = job.message },
        error.Invalid => .{ .kind = .fatal, .code = "INVALID", .message = job.message },
        error.LimitExceeded => .{ .kind = .fatal, .code = "LIMIT_EXCEEDED", .message = job.message },
        error.BadInput => .{ .kind = .fatal, .code = "BAD_INPUT", .message = job.message },
        error.Unavailable => .{ .code = "UNAVAILABLE", .message = job.message },
        error.HostError => .{ .code = "HOST_ERROR", .message = job.message },
        error.HttpFailed => .{ .code = "HTTP_FAILED", .message = job.message },
        else => .{ .code = "ERROR", .message = @errorName(err) },
    };
    const lowered: abi.Failure = .{
        .code = flowmonkey.toHost(failure.code),
        .message = flowmonkey.toHost(failure.message),
        .details = flowmonkey.toHostOptional(failure.details),
    };
    return switch (failure.kind) {
        .fatal => .{ .tag = .fatal, .payload = .{ .fatal = lowered } },
        .retryable => .{ .tag = .retryable, .payload = .{ .retryable = .{
            .failure = lowered,
            .after_ms = if (failure.after_ms) |ms| .some(ms) else .none,
        } } },
    };
}

// JSON.

/// A value of any type as JSON text.
pub fn json(job: *Job, value: anytype) Error![]const u8 {
    return std.json.Stringify.valueAlloc(job.arena, value, .{});
}

/// JSON text as a value of type T. Fields that T does not have are ignored.
pub fn parse(job: *Job, T: type, text: []const u8) Error!T {
    var scanner: std.json.Scanner = .initCompleteInput(job.arena, text);
    var place: std.json.Diagnostics = .{};
    scanner.enableDiagnostics(&place);
    return std.json.parseFromTokenSourceLeaky(T, job.arena, &scanner, .{
        .ignore_unknown_fields = true,
    }) catch |err| {
        if (err == error.OutOfMemory) return error.OutOfMemory;
        job.message = job.sentence("the JSON is not of the expected form: {s} at line {d}, column {d}", .{
            @errorName(err), place.getLine(), place.getColumn(),
        });
        return error.BadInput;
    };
}

/// The same from a value that was parsed before.
pub fn parseValue(job: *Job, T: type, value: std.json.Value) Error!T {
    return std.json.parseFromValueLeaky(T, job.arena, value, .{
        .ignore_unknown_fields = true,
    }) catch |err| {
        if (err == error.OutOfMemory) return error.OutOfMemory;
        job.message = job.sentence("the JSON is not of the expected form: {s}", .{@errorName(err)});
        return error.BadInput;
    };
}

// Facts.

pub fn id(_: *const Job) []const u8 {
    return textOf(abi.job.id);
}

/// The name the handler was enqueued under.
pub fn handler(_: *const Job) []const u8 {
    return textOf(abi.job.handler);
}

/// The workflow execution this job belongs to, if any, and the step of it that the job is.
pub fn executionId(_: *const Job) ?[]const u8 {
    return optionalTextOf(abi.job.@"execution-id");
}

pub fn stepId(_: *const Job) ?[]const u8 {
    return optionalTextOf(abi.job.@"step-id");
}

/// The same in every attempt of this job: hand it to services that drop repeated requests.
pub fn idempotencyKey(_: *const Job) []const u8 {
    return textOf(abi.job.@"idempotency-key");
}

/// The first attempt is 1.
pub fn attempt(_: *const Job) u32 {
    return abi.job.attempt();
}

pub fn maxAttempts(_: *const Job) u32 {
    return abi.job.@"max-attempts"();
}

/// What the job was resumed with after its last wait, if anything.
pub fn resumedWith(job: *Job, T: type) Error!?T {
    return try job.parse(T, optionalTextOf(abi.job.@"resumed-with") orelse return null);
}

/// When this attempt will be interrupted, in milliseconds since 1970.
pub fn deadlineMs(_: *const Job) ?u64 {
    var answer: abi.Option(u64) = undefined;
    abi.job.@"deadline-ms"(&answer);
    return answer.get();
}

/// The W3C traceparent under which the job was enqueued.
pub fn traceParent(_: *const Job) ?[]const u8 {
    return optionalTextOf(abi.job.@"trace-parent");
}

fn textOf(getter: *const fn (*abi.String) callconv(.c) void) []const u8 {
    var answer: abi.String = undefined;
    getter(&answer);
    return answer.slice();
}

fn optionalTextOf(getter: *const fn (*abi.Option(abi.String)) callconv(.c) void) ?[]const u8 {
    var answer: abi.Option(abi.String) = undefined;
    getter(&answer);
    return if (answer.get()) |found| found.slice() else null;
}

// The dialogue with the host.

/// Says that the attempt is alive, and ends it when the host wants that. Cheap: call it in every turn of a
/// long loop, and save a checkpoint before.
pub fn heartbeat(job: *Job) error{Cancelled}!void {
    return obey(job.directive());
}

/// The same, for handlers that have something to do before they stop.
pub fn directive(_: *Job) flowmonkey.Directive {
    return @fromBackingInt(abi.control.heartbeat());
}

/// Whether the job was cancelled or lost, without counting as a sign of life.
pub fn cancelled(_: *Job) bool {
    return abi.control.cancelled();
}

/// Shows people how far the work is, from 0 to 100. Also a heartbeat.
pub fn progress(_: *Job, percent: f32, message: ?[]const u8) error{Cancelled}!void {
    const shown = flowmonkey.toHost(message orelse "");
    const wanted = abi.control.progress(percent, message != null, shown.ptr, shown.len);
    return obey(@fromBackingInt(wanted));
}

fn obey(wanted: flowmonkey.Directive) error{Cancelled}!void {
    if (wanted != .proceed) return error.Cancelled;
}

/// Pauses the attempt; it counts towards its timeout.
pub fn sleep(job: *Job, ms: u63) void {
    job.io.sleep(.fromMilliseconds(ms), .awake) catch {};
}

/// Writes a line for the people who run the handler: `job.log(.info, "sent", .{ .to = address });`. Fields
/// that are no text are written as JSON. Lines and bytes of an attempt are limited. Never put secrets here.
pub fn log(job: *Job, level: flowmonkey.LogLevel, message: []const u8, fields: anytype) void {
    const names = comptime std.meta.fieldNames(@TypeOf(fields));
    var pairs: [names.len]abi.Pair = undefined;
    inline for (names, &pairs) |name, *pair| {
        pair.* = .{ .name = .of(name), .value = job.fieldText(@field(fields, name)) };
    }
    logText(level, message, &pairs);
}

fn fieldText(job: *Job, value: anytype) abi.String {
    if (comptime isText(@TypeOf(value))) return flowmonkey.toHost(value);
    return .of(job.json(value) catch "out of memory");
}

fn isText(T: type) bool {
    return switch (@typeInfo(T)) {
        .pointer => |pointer| switch (@typeInfo(pointer.child)) {
            .int => T == []const u8 or T == []u8,
            .array => |array| array.child == u8,
            else => false,
        },
        else => false,
    };
}

pub fn logText(level: flowmonkey.LogLevel, message: []const u8, fields: []const abi.Pair) void {
    const shown = flowmonkey.toHost(message);
    const list: abi.List(abi.Pair) = .of(fields);
    abi.log.log(@backingInt(level), shown.ptr, shown.len, list.ptr, list.len);
}

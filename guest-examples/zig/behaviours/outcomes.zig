//! The ways in which an attempt ends.

const std = @import("std");
const flowmonkey = @import("flowmonkey");

const Job = flowmonkey.Job;
const Outcome = flowmonkey.Outcome;
const Value = std.json.Value;

pub fn echo(job: *Job, input: struct { value: Value }) !Outcome {
    return job.success(input.value);
}

pub fn nothing(_: *Job, _: struct {}) !Outcome {
    return .{ .success = null };
}

const Failure = struct {
    code: []const u8,
    message: []const u8,
    details: ?Value = null,
    afterMs: ?u64 = null,
};

pub fn retryable(job: *Job, input: Failure) !Outcome {
    return job.fail(.{
        .code = input.code,
        .message = input.message,
        .details = if (input.details) |details| try job.json(details) else null,
        .after_ms = input.afterMs,
    });
}

pub fn fatal(job: *Job, input: Failure) !Outcome {
    return job.fail(.{
        .kind = .fatal,
        .code = input.code,
        .message = input.message,
        .details = if (input.details) |details| try job.json(details) else null,
    });
}

/// An error of Zig has a name and no text; this is how one gets it.
fn deepest(job: *Job, message: []const u8) error{Failed}!void {
    return job.retryable("ERROR", "{s}", .{message});
}

fn deeper(job: *Job, message: []const u8) !void {
    try deepest(job, message);
}

pub fn throw(job: *Job, input: struct { message: []const u8 }) !Outcome {
    try deeper(job, input.message);
    return error.NothingThrown;
}

pub fn trap(_: *Job, _: struct {}) !Outcome {
    @panic("trapped");
}

const Wait = struct {
    afterMs: ?u64 = null,
    atMs: ?u64 = null,
    signal: ?[]const u8 = null,
    reason: ?[]const u8 = null,
};

pub fn wait(job: *Job, input: Wait) !Outcome {
    const resumed_with = try job.resumedWith(Value);
    const waited = try flowmonkey.checkpoint.restore(job, bool, "waited");
    if (waited != null or resumed_with != null) return job.success(.{ .resumedWith = resumed_with });
    try flowmonkey.checkpoint.save(job, "waited", true);
    return .{ .wait = .{
        .until = if (input.signal) |name|
            .{ .signal = name }
        else if (input.afterMs) |ms|
            .{ .after_ms = ms }
        else if (input.atMs) |ms|
            .{ .at_ms = ms }
        else
            return job.fatal("BAD_INPUT", "a wait needs afterMs, atMs or signal", .{}),
        .reason = input.reason,
    } };
}

pub fn spin(_: *Job, _: struct {}) !Outcome {
    var turns: u64 = 0;
    while (true) {
        turns +%= 1;
        std.mem.doNotOptimizeAway(turns);
    }
}

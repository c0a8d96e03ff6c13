//! What the host and the standard library do for a handler.

const std = @import("std");
const flowmonkey = @import("flowmonkey");

const Job = flowmonkey.Job;
const Outcome = flowmonkey.Outcome;
const Value = std.json.Value;

pub fn facts(job: *Job, _: struct {}) !Outcome {
    return job.success(.{
        .id = job.id(),
        .handler = job.handler(),
        .attempt = job.attempt(),
        .maxAttempts = job.maxAttempts(),
        .idempotencyKey = job.idempotencyKey(),
        .executionId = job.executionId(),
        .stepId = job.stepId(),
        .deadlineMs = job.deadlineMs(),
        .resumedWith = try job.resumedWith(Value),
        .traceParent = job.traceParent(),
    });
}

pub fn heartbeat(job: *Job, input: struct { turns: u64, pauseMs: u63 = 0 }) !Outcome {
    for (0..@intCast(input.turns)) |_| {
        try job.heartbeat();
        if (job.cancelled()) return error.Cancelled;
        job.sleep(input.pauseMs);
    }
    return job.success(.{ .turns = input.turns });
}

pub fn progress(job: *Job, input: struct { percent: f32, message: ?[]const u8 = null }) !Outcome {
    try job.progress(input.percent, input.message);
    return job.success(.{ .percent = input.percent });
}

pub fn checkpoint(job: *Job, input: struct { times: u32 }) !Outcome {
    const store = flowmonkey.checkpoint;
    const n = 1 + (try store.restore(job, u32, "n") orelse 0);
    try store.save(job, "n", n);
    try store.save(job, "last", .{ .attempt = job.attempt() });
    if (n < input.times) return job.fail(.{
        .code = "AGAIN",
        .message = try job.print("{d} of {d}", .{ n, input.times }),
        .after_ms = 10,
    });
    const keys = try store.keys(job);
    try store.delete(job, "last");
    return job.success(.{ .n = n, .keys = keys, .left = try store.keys(job) });
}

pub fn log(job: *Job, _: struct {}) !Outcome {
    const levels = [_]flowmonkey.LogLevel{ .trace, .debug, .info, .warn, .err };
    const names = [_][]const u8{ "trace", "debug", "info", "warn", "error" };
    for (levels, names) |level, name| {
        job.log(level, try job.print("at {s}", .{name}), .{ .level = name });
    }
    return .{ .success = null };
}

pub fn print(job: *Job, input: struct { out: []const u8, err: []const u8 }) !Outcome {
    var buffer: [256]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(job.io, &buffer);
    try stdout.interface.print("{s}\n", .{input.out});
    try stdout.interface.flush();
    std.debug.print("{s}\n", .{input.err});
    return .{ .success = null };
}

pub fn config(job: *Job, input: struct { key: []const u8 }) !Outcome {
    return job.success(.{ .value = try flowmonkey.config.get(job, input.key) });
}

const Request = struct {
    method: []const u8 = "GET",
    url: []const u8,
    headers: std.json.ArrayHashMap([]const u8) = .{},
    body: []const u8 = "",
};

pub fn http(job: *Job, input: Request) !Outcome {
    var headers: std.ArrayList(flowmonkey.http.Header) = .empty;
    for (input.headers.map.keys(), input.headers.map.values()) |name, value| {
        try headers.append(job.arena, .{ .name = name, .value = value });
    }
    const response = try flowmonkey.http.send(job, .{
        .method = input.method,
        .url = input.url,
        .headers = headers.items,
        .body = input.body,
    });
    var answered: std.json.ArrayHashMap([]const u8) = .{};
    for (response.headers) |header| {
        try answered.map.put(job.arena, header.name, header.value);
    }
    return job.success(.{ .status = response.status, .headers = answered, .body = response.body });
}

pub fn context(job: *Job, input: struct { key: []const u8, value: Value }) !Outcome {
    try flowmonkey.context.set(job, input.key, input.value);
    return job.success(.{
        .value = try flowmonkey.context.get(job, Value, input.key),
        .keys = try flowmonkey.context.keys(job),
    });
}

pub fn enqueue(job: *Job, input: struct { input: Value, uniqueKey: ?[]const u8 = null }) !Outcome {
    const options: flowmonkey.queue.Options = .{ .unique_key = input.uniqueKey };
    const id = try flowmonkey.queue.enqueue(job, "behaviours", input.input, options);
    return job.success(.{ .id = id });
}

pub fn idempotency(job: *Job, input: struct { key: []const u8, value: Value }) !Outcome {
    if (try flowmonkey.idempotency.lookup(job, Value, input.key)) |found| {
        return job.success(.{ .found = found });
    }
    try flowmonkey.idempotency.record(job, input.key, input.value, null);
    return job.success(.{ .recorded = true });
}

pub fn random(job: *Job, _: struct {}) !Outcome {
    const source: std.Random.IoSource = .{ .io = job.io };
    const number = source.interface().int(u64);
    return job.success(.{ .random = try job.print("{d}", .{number}) });
}

pub fn now(job: *Job, _: struct {}) !Outcome {
    return job.success(.{ .ms = std.Io.Clock.real.now(job.io).toMilliseconds() });
}

pub fn sleep(job: *Job, input: struct { ms: u63 }) !Outcome {
    job.sleep(input.ms);
    return .{ .success = null };
}

//! Sums sales by region and product. Shows a long handler: it works in batches, saves a checkpoint after each,
//! reports progress, stops when told to, and goes on from the checkpoint in the next attempt.
//!
//! `records` is JSON lines. The rest may be missing: `failAtLine` makes attempt 1 fail there, to show
//! attempt 2 go on after the last whole batch; `pauseMsPerBatch` leaves time to watch.
//!
//!     {
//!         "records": "{\"region\":\"north\",\"product\":\"tea\",\"amount\":12.5}\n…",
//!         "failAtLine": 1200,
//!         "pauseMsPerBatch": 500
//!     }

const std = @import("std");
const flowmonkey = @import("flowmonkey");
const Report = @import("Report.zig");

const batch_lines = 500;

const Input = struct {
    records: []const u8,
    failAtLine: ?u64 = null,
    pauseMsPerBatch: u63 = 0,
};

pub fn run(job: *flowmonkey.Job, input: Input) !flowmonkey.Outcome {
    var lines: std.ArrayList([]const u8) = .empty;
    const records = std.mem.cutSuffix(u8, input.records, "\n") orelse input.records;
    var all = std.mem.splitScalar(u8, records, '\n');
    if (records.len > 0) while (all.next()) |line| try lines.append(job.arena, line);

    // A checkpoint that does not fit, left by another version of this handler, counts as none.
    const saved = flowmonkey.checkpoint.restore(job, Report, "report") catch |err| switch (err) {
        error.BadInput => null,
        else => return err,
    };
    var report = saved orelse Report{};
    const resumed_from_line = if (report.lines > 0) report.lines + 1 else null;

    while (report.lines < lines.items.len) {
        const rest = lines.items[report.lines..];
        for (rest[0..@min(batch_lines, rest.len)]) |line| try addLine(job, input, &report, line);
        job.sleep(input.pauseMsPerBatch);

        // First make the batch durable, then say so, and hear whether to go on.
        try flowmonkey.checkpoint.save(job, "report", report);
        const done: f32 = @floatFromInt(report.lines);
        const total: f32 = @floatFromInt(lines.items.len);
        const message = try job.print("{d} of {d} lines", .{ report.lines, lines.items.len });
        try job.progress(100 * done / total, message);
    }

    report.round();
    return job.success(.{
        .lines = report.lines,
        .byRegion = report.byRegion,
        .byProduct = report.byProduct,
        .attempt = job.attempt(),
        .resumedFromLine = resumed_from_line,
    });
}

fn addLine(job: *flowmonkey.Job, input: Input, report: *Report, line: []const u8) !void {
    const number = report.lines + 1;
    if (input.failAtLine == number and job.attempt() == 1) {
        return job.retryable("INTERRUPTED", "stopped at line {d}", .{number});
    }
    report.add(job.arena, line) catch |err| switch (err) {
        error.OutOfMemory => return err,
        else => return job.fatal("BAD_RECORD", "the record in line {d} does not parse: {s}", .{
            number, @errorName(err),
        }),
    };
}

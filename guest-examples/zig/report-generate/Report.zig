//! The totals so far: what a checkpoint holds, and at the end the result. Nothing here knows that it is part
//! of a job.

const std = @import("std");
const Allocator = std.mem.Allocator;
const Report = @This();

/// How many lines are in the totals.
lines: usize = 0,
byRegion: Totals = .{},
byProduct: Totals = .{},

const Totals = std.json.ArrayHashMap(Total);
const Total = struct { count: u64 = 0, sum: f64 = 0 };
const Record = struct { region: []const u8, product: []const u8, amount: f64 };

/// Adds the next line, one record in JSON.
pub fn add(report: *Report, arena: Allocator, line: []const u8) !void {
    const gpa = std.heap.wasm_allocator;
    const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
    const record = try std.json.parseFromSlice(Record, gpa, line, options);
    defer record.deinit();
    const amount = record.value.amount;
    try addTo(&report.byRegion, arena, record.value.region, amount);
    try addTo(&report.byProduct, arena, record.value.product, amount);
    report.lines += 1;
}

fn addTo(totals: *Totals, arena: Allocator, name: []const u8, amount: f64) !void {
    const entry = try totals.map.getOrPut(arena, name);
    if (!entry.found_existing) entry.key_ptr.* = try arena.dupe(u8, name);
    if (!entry.found_existing) entry.value_ptr.* = .{};
    entry.value_ptr.count += 1;
    entry.value_ptr.sum += amount;
}

/// Rounds the sums to cents. Once, at the end: rounded sums that are added to drift.
pub fn round(report: *Report) void {
    for ([_]Totals{ report.byRegion, report.byProduct }) |totals| {
        for (totals.map.values()) |*total| total.sum = @round(total.sum * 100) / 100;
    }
}

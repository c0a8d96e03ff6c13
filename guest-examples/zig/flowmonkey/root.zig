//! The root of a handler's program: what the host calls, around `run` of the handler's own main.zig.

const std = @import("std");
const abi = @import("flowmonkey").abi;
const flowmonkey = @import("flowmonkey");
const handler = @import("handler");

pub const std_options: std.Options =
    if (@hasDecl(handler, "std_options")) handler.std_options else .{ .logFn = flowmonkey.logFn };
pub const panic = std.debug.FullPanic(flowmonkey.panic);

comptime {
    @export(&run, .{ .name = "flowmonkey:jobs/handler@0.1.0#run" });
    @export(&describe, .{ .name = "flowmonkey:jobs/metadata@0.1.0#describe" });
    @export(&realloc, .{ .name = "cabi_realloc" });
}

/// Memory for what the host hands over. It stays until the attempt ends.
fn realloc(
    old: ?[*]u8,
    old_len: usize,
    alignment: usize,
    len: usize,
) callconv(.c) [*]u8 {
    const arena = flowmonkey.attempt_arena.allocator();
    const new = arena.rawAlloc(len, .fromByteUnits(alignment), @returnAddress()) orelse
        @panic("out of memory");
    // Null for what is new, which is nearly always.
    if (old) |from| @memcpy(new[0..@min(old_len, len)], from[0..@min(old_len, len)]);
    return new;
}

var answer: abi.Result(abi.Outcome, abi.JobError) = undefined;

fn run(input: [*]const u8, input_len: usize) callconv(.c) *const @TypeOf(answer) {
    var job: flowmonkey.Job = .init();
    if (attempt(&job, input[0..input_len])) |outcome| {
        answer = .{ .is_err = false, .payload = .{ .ok = outcome.lower() } };
    } else |err| {
        answer = .{ .is_err = true, .payload = .{ .err = job.lower(err) } };
    }
    return &answer;
}

fn attempt(job: *flowmonkey.Job, text: []const u8) anyerror!flowmonkey.Outcome {
    const Input = @typeInfo(@TypeOf(handler.run)).@"fn".param_types[1].?;
    return handler.run(job, try job.parse(Input, text));
}

var description: abi.String = undefined;

fn describe() callconv(.c) *const abi.String {
    const text = if (@hasDecl(handler, "description"))
        std.json.Stringify.valueAlloc(
            flowmonkey.attempt_arena.allocator(),
            handler.description,
            .{},
        ) catch @panic("out of memory")
    else
        "{}";
    description = .of(text);
    return &description;
}

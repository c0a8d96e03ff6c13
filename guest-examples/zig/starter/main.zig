const flowmonkey = @import("flowmonkey");

const Input = struct { name: []const u8 };

pub fn run(job: *flowmonkey.Job, input: Input) !flowmonkey.Outcome {
    if (input.name.len == 0) return job.fatal("BAD_NAME", "the name is empty", .{});

    job.log(.info, "greeting", .{ .name = input.name });
    const greeting = try job.print("Hello, {s}!", .{input.name});
    return job.success(.{ .greeting = greeting });
}

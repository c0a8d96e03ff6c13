//! Uses every function of the binding, one behaviour a job: `{"do": "echo", "value": 1}`.

const std = @import("std");
const flowmonkey = @import("flowmonkey");
const host = @import("host.zig");
const outcomes = @import("outcomes.zig");

const Job = flowmonkey.Job;
const Outcome = flowmonkey.Outcome;

pub const description = .{
    .name = "behaviours",
    .description = "Uses every function of the binding",
    .@"input-schema" = .{ .type = "object", .required = .{"do"} },
};

const behaviours = .{
    .echo = outcomes.echo,
    .nothing = outcomes.nothing,
    .retryable = outcomes.retryable,
    .fatal = outcomes.fatal,
    .throw = outcomes.throw,
    .trap = outcomes.trap,
    .wait = outcomes.wait,
    .spin = outcomes.spin,
    .facts = host.facts,
    .heartbeat = host.heartbeat,
    .progress = host.progress,
    .checkpoint = host.checkpoint,
    .log = host.log,
    .print = host.print,
    .config = host.config,
    .http = host.http,
    .context = host.context,
    .enqueue = host.enqueue,
    .idempotency = host.idempotency,
    .random = host.random,
    .now = host.now,
    .sleep = host.sleep,
};

/// Each behaviour declares the input it takes.
pub fn run(job: *Job, input: std.json.Value) !Outcome {
    const name = (try job.parseValue(struct { do: []const u8 }, input)).do;
    inline for (comptime std.meta.fieldNames(@TypeOf(behaviours))) |known| {
        if (std.mem.eql(u8, known, name)) {
            const behaviour = @field(behaviours, known);
            const Input = @typeInfo(@TypeOf(behaviour)).@"fn".param_types[1].?;
            return behaviour(job, try job.parseValue(Input, input));
        }
    }
    return job.fatal("BAD_INPUT", "there is no behaviour {s}", .{name});
}

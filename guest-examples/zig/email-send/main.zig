//! Renders a mail from a template. Shows how a handler reads its input, which failures are fatal because
//! another attempt would meet them again, how it remembers what it has sent, and how it logs.
//!
//!     {
//!         "to": "ada@example.com",
//!         "subject": "Welcome, {{name}}",
//!         "body": "Hello {{name}}, your plan is {{plan}}.",
//!         "vars": {"name": "Ada", "plan": "free"},
//!         "messageId": "welcome-17"
//!     }
//!
//! With a `messageId`, which takes the grant `idempotency`, no second mail of that id goes to the address.

const std = @import("std");
const flowmonkey = @import("flowmonkey");
const mail = @import("mail.zig");

const Input = struct {
    to: []const u8,
    subject: []const u8,
    body: []const u8,
    vars: mail.Vars = .{},
    messageId: ?[]const u8 = null,
};

pub fn run(job: *flowmonkey.Job, input: Input) !flowmonkey.Outcome {
    if (!mail.isAddress(input.to)) {
        return job.fatal("BAD_ADDRESS", "{s} is not a mail address", .{try job.json(input.to)});
    }
    const key = if (input.messageId) |id| try job.print("email-{s}-{s}", .{ input.to, id }) else null;
    if (key) |known| {
        if (try flowmonkey.idempotency.lookup(job, bool, known) != null) {
            return job.success(.{ .alreadySent = true });
        }
    }
    const subject = try mail.render(job, input.subject, input.vars);
    const body = try mail.render(job, input.body, input.vars);

    // Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the result. A real
    // sender would hand the idempotency key to the mail service, which then drops the second request of
    // a job that runs twice.
    job.log(.info, "mail rendered", .{ .to = input.to, .bodyBytes = body.len });
    if (key) |known| try flowmonkey.idempotency.record(job, known, true, null);

    return job.success(.{
        .sent = true,
        .to = input.to,
        .subject = subject,
        .body = body,
        .idempotencyKey = job.idempotencyKey(),
    });
}

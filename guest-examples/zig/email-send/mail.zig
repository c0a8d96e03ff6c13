//! Mails. Nothing here knows that it is part of a job, but for the failures.

const std = @import("std");
const flowmonkey = @import("flowmonkey");

pub const Vars = std.json.ArrayHashMap([]const u8);

/// Puts the value of each `{{name}}` in its place. Values are not searched for placeholders.
pub fn render(job: *flowmonkey.Job, template: []const u8, vars: Vars) ![]const u8 {
    var text: std.ArrayList(u8) = .empty;
    var rest = template;
    while (std.mem.cut(u8, rest, "{{")) |opened| {
        const before, const tail = opened;
        const inside, const after = std.mem.cut(u8, tail, "}}") orelse
            return job.fatal("BAD_TEMPLATE", "a placeholder is not closed", .{});
        const name = std.mem.trim(u8, inside, &std.ascii.whitespace);
        const value = vars.map.get(name) orelse
            return job.fatal("MISSING_VARIABLE", "the placeholder \"{s}\" has no value", .{name});
        try text.appendSlice(job.arena, before);
        try text.appendSlice(job.arena, value);
        rest = after;
    }
    try text.appendSlice(job.arena, rest);
    return text.items;
}

/// Catches slips, not every address that cannot exist: only the mail service knows those.
pub fn isAddress(text: []const u8) bool {
    const user, const domain = std.mem.cutScalar(u8, text, '@') orelse return false;
    return user.len > 0 and isPlain(user) and isPlain(domain) and
        std.mem.findScalar(u8, domain, '.') != null;
}

fn isPlain(text: []const u8) bool {
    return for (text) |byte| {
        if (std.ascii.isWhitespace(byte) or std.ascii.isControl(byte) or byte == '@') break false;
    } else true;
}

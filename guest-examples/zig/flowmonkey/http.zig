//! HTTP requests. They need the grant `http`, which names the hosts.

const std = @import("std");
const abi = @import("abi.zig");
const wasi = @import("abi_http.zig");
const flowmonkey = @import("flowmonkey.zig");

const Handle = abi.Handle;
const Job = flowmonkey.Job;
const Nothing = abi.Nothing;

pub const Header = struct { name: []const u8, value: []const u8 };

pub const Request = struct {
    method: []const u8 = "GET",
    url: []const u8,
    headers: []const Header = &.{},
    body: []const u8 = "",
};

pub const Response = struct {
    status: u16,
    /// Names are in lower case.
    headers: []const Header,
    body: []const u8,

    /// The first header of a name, in lower case.
    pub fn header(response: Response, name: []const u8) ?[]const u8 {
        for (response.headers) |found| {
            if (std.mem.eql(u8, found.name, name)) return found.value;
        }
        return null;
    }
};

pub const Error = error{
    /// The handler may not send requests there.
    Denied,
    /// The method, the URL or a header is not acceptable.
    Invalid,
    /// No whole response came.
    HttpFailed,
    OutOfMemory,
};

/// Sends a request and reads the whole response, whatever its status. Redirects are not followed.
pub fn send(job: *Job, request: Request) Error!Response {
    const exchange: Exchange = .{ .job = job, .request = request };
    const outgoing = try exchange.makeRequest();
    // A body that is taken goes out, be it empty: then as a chunked request of no bytes.
    const body = if (request.body.len > 0) takeBody(outgoing) else null;
    var answer: abi.Result(Handle, wasi.ErrorCode) = undefined;
    wasi.request.handle(outgoing, false, 0, &answer);
    if (answer.is_err) {
        if (body) |taken| wasi.outgoing_body.@"[resource-drop]outgoing-body"(taken);
        return exchange.failedWith(answer.payload.err);
    }
    if (body) |taken| exchange.writeBody(taken);

    const incoming = try exchange.await(answer.payload.ok);
    defer wasi.response.@"[resource-drop]incoming-response"(incoming);
    return .{
        .status = @intCast(wasi.response.@"[method]incoming-response.status"(incoming)),
        .headers = try exchange.readHeaders(incoming),
        .body = try exchange.readBody(incoming),
    };
}

fn takeBody(outgoing: Handle) ?Handle {
    var body: abi.Result(Handle, Nothing) = undefined;
    wasi.request.@"[method]outgoing-request.body"(outgoing, &body);
    return if (body.is_err) null else body.payload.ok;
}

const Exchange = struct {
    job: *Job,
    request: Request,

    fn failed(exchange: Exchange, err: Error, why: []const u8) Error {
        const format = "{s} {s}: {s}";
        const args = .{ exchange.request.method, exchange.request.url, why };
        exchange.job.message = try std.fmt.allocPrint(exchange.job.arena, format, args);
        return err;
    }

    fn failedWith(exchange: Exchange, code: wasi.ErrorCode) Error {
        const name = if (code.tag < wasi.code_names.len) wasi.code_names[code.tag] else "unknown error";
        const denied = std.mem.eql(u8, name, "HTTP-request-denied") or
            std.mem.eql(u8, name, "destination-IP-prohibited");
        return exchange.failed(if (denied) error.Denied else error.HttpFailed, name);
    }

    fn makeFields(exchange: Exchange) Error!Handle {
        const fields = wasi.fields.@"[constructor]fields"();
        errdefer wasi.fields.@"[resource-drop]fields"(fields);
        // Without a length the host would send the body in chunks, which not every server takes.
        var lacks_length = exchange.request.body.len > 0;
        for (exchange.request.headers) |header| {
            if (std.ascii.eqlIgnoreCase(header.name, "content-length")) lacks_length = false;
            try exchange.append(fields, header);
        }
        if (lacks_length) try exchange.append(fields, .{
            .name = "content-length",
            .value = try exchange.job.print("{d}", .{exchange.request.body.len}),
        });
        return fields;
    }

    fn append(exchange: Exchange, fields: Handle, header: Header) Error!void {
        const name = flowmonkey.toHost(header.name);
        const value: abi.String = .of(header.value);
        var answer: abi.Result(Nothing, Nothing) = undefined;
        wasi.fields.@"[method]fields.append"(
            fields,
            name.ptr,
            name.len,
            value.ptr,
            value.len,
            &answer,
        );
        if (answer.is_err) return exchange.failed(error.Invalid, "a header is refused");
    }

    fn makeRequest(exchange: Exchange) Error!Handle {
        const request = wasi.request.@"[constructor]outgoing-request"(try exchange.makeFields());
        errdefer wasi.request.@"[resource-drop]outgoing-request"(request);
        const method = flowmonkey.toHost(exchange.request.method);
        const known = for (wasi.methods, 0..) |name, tag| {
            if (std.mem.eql(u8, name, method.slice())) break tag;
        } else wasi.methods.len;
        if (wasi.request.@"[method]outgoing-request.set-method"(
            request,
            known,
            method.ptr,
            method.len,
        )) return exchange.failed(error.Invalid, "the method is refused");
        if (!try exchange.setUrl(request)) return exchange.failed(error.Invalid, "the URL is refused");
        return request;
    }

    /// Splits scheme://authority/path?query#fragment; the fragment stays here.
    fn setUrl(exchange: Exchange, request: Handle) error{OutOfMemory}!bool {
        const url, _ = std.mem.cutScalar(u8, exchange.request.url, '#') orelse
            .{ exchange.request.url, "" };
        const scheme, const rest = std.mem.cut(u8, url, "://") orelse return false;
        const path_start = std.mem.indexOfAny(u8, rest, "/?") orelse rest.len;
        const authority = flowmonkey.toHost(rest[0..path_start]);
        const slash = if (std.mem.startsWith(u8, rest[path_start..], "/")) "" else "/";
        const path = flowmonkey.toHost(
            try std.mem.concat(exchange.job.arena, u8, &.{ slash, rest[path_start..] }),
        );

        const known: wasi.Scheme = if (std.ascii.eqlIgnoreCase(scheme, "https"))
            .https
        else if (std.ascii.eqlIgnoreCase(scheme, "http"))
            .http
        else
            .other;
        const scheme_text = flowmonkey.toHost(scheme);
        const requests = wasi.request;
        return !requests.@"[method]outgoing-request.set-scheme"(
            request,
            true,
            known,
            scheme_text.ptr,
            scheme_text.len,
        ) and !requests.@"[method]outgoing-request.set-authority"(
            request,
            true,
            authority.ptr,
            authority.len,
        ) and !requests.@"[method]outgoing-request.set-path-with-query"(
            request,
            true,
            path.ptr,
            path.len,
        );
    }

    /// Errors are left for the response, which knows why the host stopped reading.
    fn writeBody(exchange: Exchange, body: Handle) void {
        var stream: abi.Result(Handle, Nothing) = undefined;
        wasi.outgoing_body.@"[method]outgoing-body.write"(body, &stream);
        if (!stream.is_err) {
            defer wasi.stream.@"[resource-drop]output-stream"(stream.payload.ok);
            // The most that one blocking write may take.
            var chunks = std.mem.window(u8, exchange.request.body, 4096, 4096);
            while (chunks.next()) |chunk| {
                var answer: abi.Result(Nothing, wasi.StreamError) = undefined;
                wasi.stream.@"[method]output-stream.blocking-write-and-flush"(
                    stream.payload.ok,
                    chunk.ptr,
                    chunk.len,
                    &answer,
                );
                if (!answer.is_err) continue;
                if (answer.payload.err.tag == .last_operation_failed)
                    wasi.stream.@"[resource-drop]error"(answer.payload.err.failure);
                break;
            }
        }
        var finished: abi.Result(Nothing, wasi.ErrorCode) = undefined;
        wasi.outgoing_body.@"[static]outgoing-body.finish"(body, false, 0, &finished);
    }

    fn await(exchange: Exchange, future: Handle) Error!Handle {
        defer wasi.future.@"[resource-drop]future-incoming-response"(future);
        const ready = wasi.future.@"[method]future-incoming-response.subscribe"(future);
        wasi.pollable.@"[method]pollable.block"(ready);
        wasi.pollable.@"[resource-drop]pollable"(ready);
        var answer: abi.Option(wasi.Response) = undefined;
        wasi.future.@"[method]future-incoming-response.get"(future, &answer);
        const response = answer.get() orelse return exchange.failed(error.HttpFailed, "no response came");
        if (response.is_err) return exchange.failed(error.HttpFailed, "no response came");
        const result = response.payload.ok;
        return if (result.is_err) exchange.failedWith(result.payload.err) else result.payload.ok;
    }

    fn readHeaders(exchange: Exchange, response: Handle) Error![]const Header {
        const arena = exchange.job.arena;
        const fields = wasi.response.@"[method]incoming-response.headers"(response);
        defer wasi.fields.@"[resource-drop]fields"(fields);
        var entries: abi.List(abi.Pair) = undefined;
        wasi.fields.@"[method]fields.entries"(fields, &entries);
        const headers = try arena.alloc(Header, entries.len);
        for (headers, entries.slice()) |*header, entry| {
            header.* = .{
                .name = try std.ascii.allocLowerString(arena, entry.name.slice()),
                .value = entry.value.slice(),
            };
        }
        return headers;
    }

    fn readBody(exchange: Exchange, response: Handle) Error![]const u8 {
        const no_body = "the response has no body to read";
        var body: abi.Result(Handle, Nothing) = undefined;
        wasi.response.@"[method]incoming-response.consume"(response, &body);
        if (body.is_err) return exchange.failed(error.HttpFailed, no_body);
        defer wasi.incoming_body.@"[resource-drop]incoming-body"(body.payload.ok);
        var stream: abi.Result(Handle, Nothing) = undefined;
        wasi.incoming_body.@"[method]incoming-body.stream"(body.payload.ok, &stream);
        if (stream.is_err) return exchange.failed(error.HttpFailed, no_body);
        defer wasi.stream.@"[resource-drop]input-stream"(stream.payload.ok);

        var bytes: std.ArrayList(u8) = .empty;
        while (true) {
            var chunk: abi.Result(abi.List(u8), wasi.StreamError) = undefined;
            wasi.stream.@"[method]input-stream.blocking-read"(stream.payload.ok, 64 * 1024, &chunk);
            if (chunk.is_err) {
                if (chunk.payload.err.tag == .closed) return bytes.items;
                return exchange.streamFailed(chunk.payload.err.failure);
            }
            try bytes.appendSlice(exchange.job.arena, chunk.payload.ok.slice());
        }
    }

    fn streamFailed(exchange: Exchange, failure: Handle) Error {
        defer wasi.stream.@"[resource-drop]error"(failure);
        var code: abi.Option(wasi.ErrorCode) = undefined;
        wasi.@"http-error-code"(failure, &code);
        if (code.get()) |known| return exchange.failedWith(known);
        return exchange.failed(error.HttpFailed, "the response broke off");
    }
};

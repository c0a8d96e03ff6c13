//! The part of wasi:http, wasi:io and wasi:clocks with which a handler sends requests; see abi.zig.

const abi = @import("abi.zig");
const Handle = abi.Handle;
const List = abi.List;
const Nothing = abi.Nothing;
const Option = abi.Option;
const Result = abi.Result;
const String = abi.String;

/// In the order of wit/deps/http.wit.
pub const code_names = [_][]const u8{
    "DNS-timeout",
    "DNS-error",
    "destination-not-found",
    "destination-unavailable",
    "destination-IP-prohibited",
    "destination-IP-unroutable",
    "connection-refused",
    "connection-terminated",
    "connection-timeout",
    "connection-read-timeout",
    "connection-write-timeout",
    "connection-limit-reached",
    "TLS-protocol-error",
    "TLS-certificate-error",
    "TLS-alert-received",
    "HTTP-request-denied",
    "HTTP-request-length-required",
    "HTTP-request-body-size",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size",
    "HTTP-request-header-size",
    "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size",
    "HTTP-response-incomplete",
    "HTTP-response-header-section-size",
    "HTTP-response-header-size",
    "HTTP-response-body-size",
    "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding",
    "HTTP-response-content-coding",
    "HTTP-response-timeout",
    "HTTP-upgrade-failed",
    "HTTP-protocol-error",
    "loop-detected",
    "configuration-error",
    "internal-error",
};

/// Only the case is read. The largest payload is an option of a record of two options.
pub const ErrorCode = extern struct { tag: u8, payload: [3]u64 };

pub const StreamError = extern struct {
    tag: enum(u8) { last_operation_failed, closed },
    failure: Handle,
};

pub const Response = Result(Result(Handle, ErrorCode), Nothing);

pub const methods = [_][]const u8{
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
};

pub const Scheme = enum(u32) { http, https, other };

pub const fields = struct {
    pub extern "wasi:http/types@0.2.0" fn @"[constructor]fields"() Handle;
    pub extern "wasi:http/types@0.2.0" fn @"[resource-drop]fields"(self: Handle) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]fields.append"(
        self: Handle,
        name: [*]const u8,
        name_len: usize,
        value: [*]const u8,
        value_len: usize,
        ret: *Result(Nothing, Nothing),
    ) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]fields.entries"(
        self: Handle,
        ret: *List(abi.Pair),
    ) void;
};

pub const request = struct {
    pub extern "wasi:http/types@0.2.0" fn @"[constructor]outgoing-request"(headers: Handle) Handle;
    pub extern "wasi:http/types@0.2.0" fn @"[resource-drop]outgoing-request"(self: Handle) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]outgoing-request.body"(
        self: Handle,
        ret: *Result(Handle, Nothing),
    ) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]outgoing-request.set-method"(
        self: Handle,
        method: u32,
        other: [*]const u8,
        other_len: usize,
    ) bool;
    pub extern "wasi:http/types@0.2.0" fn @"[method]outgoing-request.set-path-with-query"(
        self: Handle,
        is_some: bool,
        path: [*]const u8,
        path_len: usize,
    ) bool;
    pub extern "wasi:http/types@0.2.0" fn @"[method]outgoing-request.set-scheme"(
        self: Handle,
        is_some: bool,
        scheme: Scheme,
        other: [*]const u8,
        other_len: usize,
    ) bool;
    pub extern "wasi:http/types@0.2.0" fn @"[method]outgoing-request.set-authority"(
        self: Handle,
        is_some: bool,
        authority: [*]const u8,
        authority_len: usize,
    ) bool;
    pub extern "wasi:http/outgoing-handler@0.2.0" fn handle(
        self: Handle,
        has_options: bool,
        options: Handle,
        ret: *Result(Handle, ErrorCode),
    ) void;
};

pub const outgoing_body = struct {
    pub extern "wasi:http/types@0.2.0" fn @"[resource-drop]outgoing-body"(self: Handle) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]outgoing-body.write"(
        self: Handle,
        ret: *Result(Handle, Nothing),
    ) void;
    pub extern "wasi:http/types@0.2.0" fn @"[static]outgoing-body.finish"(
        self: Handle,
        has_trailers: bool,
        trailers: Handle,
        ret: *Result(Nothing, ErrorCode),
    ) void;
};

pub const future = struct {
    pub extern "wasi:http/types@0.2.0" fn @"[resource-drop]future-incoming-response"(
        self: Handle,
    ) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]future-incoming-response.subscribe"(
        self: Handle,
    ) Handle;
    pub extern "wasi:http/types@0.2.0" fn @"[method]future-incoming-response.get"(
        self: Handle,
        ret: *Option(Response),
    ) void;
};

pub const response = struct {
    pub extern "wasi:http/types@0.2.0" fn @"[resource-drop]incoming-response"(self: Handle) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]incoming-response.status"(self: Handle) u32;
    pub extern "wasi:http/types@0.2.0" fn @"[method]incoming-response.headers"(self: Handle) Handle;
    pub extern "wasi:http/types@0.2.0" fn @"[method]incoming-response.consume"(
        self: Handle,
        ret: *Result(Handle, Nothing),
    ) void;
};

pub const incoming_body = struct {
    pub extern "wasi:http/types@0.2.0" fn @"[resource-drop]incoming-body"(self: Handle) void;
    pub extern "wasi:http/types@0.2.0" fn @"[method]incoming-body.stream"(
        self: Handle,
        ret: *Result(Handle, Nothing),
    ) void;
};

pub extern "wasi:http/types@0.2.0" fn @"http-error-code"(
    failure: Handle,
    ret: *Option(ErrorCode),
) void;

pub const pollable = struct {
    pub extern "wasi:io/poll@0.2.0" fn @"[resource-drop]pollable"(self: Handle) void;
    pub extern "wasi:io/poll@0.2.0" fn @"[method]pollable.block"(self: Handle) void;
};

pub const stream = struct {
    pub extern "wasi:io/error@0.2.0" fn @"[resource-drop]error"(self: Handle) void;
    pub extern "wasi:io/streams@0.2.0" fn @"[resource-drop]input-stream"(self: Handle) void;
    pub extern "wasi:io/streams@0.2.0" fn @"[resource-drop]output-stream"(self: Handle) void;
    pub extern "wasi:io/streams@0.2.0" fn @"[method]input-stream.blocking-read"(
        self: Handle,
        len: u64,
        ret: *Result(List(u8), StreamError),
    ) void;
    pub extern "wasi:io/streams@0.2.0" fn @"[method]output-stream.blocking-write-and-flush"(
        self: Handle,
        contents: [*]const u8,
        contents_len: usize,
        ret: *Result(Nothing, StreamError),
    ) void;
};

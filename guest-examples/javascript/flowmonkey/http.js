import * as outgoing from "wasi:http/outgoing-handler";
import * as types from "wasi:http/types";

import { fatal, retryable, whole } from "./failure.js";
import { missing, NANOSECONDS_PER_MILLISECOND, requireStarted } from "./host.js";

/** What the host takes in one write. */
const WRITE_BYTES_MAX = 4096;
const READ_BYTES_MAX = 65_536;
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const DENIED = ["http-request-denied", "destination-ip-prohibited"];
const HEADER_ERRORS = ["invalid-syntax", "forbidden", "immutable"];

class Response {
  constructor(status, headers, body) {
    Object.assign(this, { status, headers, body });
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  text() {
    return new TextDecoder().decode(this.body);
  }

  json() {
    return JSON.parse(this.text());
  }
}

export function send({ method = "GET", url, headers = {}, body, json, timeoutMs }) {
  requireStarted("http.send");
  if (outgoing.handle === undefined) {
    throw fatal("DENIED", missing('http = ["api.example.com"]'));
  }
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  if (json !== undefined) {
    body = JSON.stringify(json);
    if (!fields.some(([name]) => name === "content-type")) {
      fields.push(["content-type", "application/json"]);
    }
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  try {
    return exchange(method.toUpperCase(), String(url), fields, bytes, timeoutMs);
  } catch (error) {
    throw httpFailure(error, method, url);
  }
}

/** What is `using` a resource gives it back in time: one that others come from may not go first. */
function exchange(method, url, fields, bytes, timeoutMs) {
  const request = outgoingRequest(method, url, fields, bytes);
  // A body that is taken, even if nothing is written to it, is sent in chunks.
  const body = bytes?.length > 0 ? request.body() : undefined;
  using pending = outgoing.handle(request, options(timeoutMs));
  try {
    if (body !== undefined) {
      write(body, bytes);
    }
  } catch {
    // Whoever refuses a request takes no body. Why it is refused says the answer.
  }
  return incomingResponse(answer(pending));
}

function outgoingRequest(method, url, fields, bytes) {
  const [, scheme, authority, path] = /^(https?):\/\/([^/?#]+)([^#]*)/i.exec(url) ?? [];
  if (scheme === undefined) {
    throw fatal("INVALID", `no URL for a request, which starts with https:// or http://: ${url}`);
  }
  if (bytes !== undefined && !fields.some(([name]) => name === "content-length")) {
    fields.push(["content-length", String(bytes.length)]);
  }
  const encoder = new TextEncoder();
  const entries = fields.map(([name, value]) => [name, encoder.encode(value)]);
  const request = new types.OutgoingRequest(types.Fields.fromList(entries));
  request.setMethod(METHODS.includes(method) ? { tag: method.toLowerCase() } : { tag: "other", val: method });
  request.setScheme({ tag: scheme.toUpperCase() });
  request.setAuthority(authority);
  request.setPathWithQuery(path.startsWith("/") ? path : `/${path}`);
  return request;
}

function options(timeoutMs) {
  if (timeoutMs === undefined) {
    return null;
  }
  const timeout = whole(timeoutMs, "timeoutMs") * NANOSECONDS_PER_MILLISECOND;
  const options = new types.RequestOptions();
  options.setConnectTimeout(timeout);
  options.setFirstByteTimeout(timeout);
  options.setBetweenBytesTimeout(timeout);
  return options;
}

function write(body, bytes) {
  {
    // Goes before the body is finished, as the contract wants it.
    using stream = body.write();
    for (let i = 0; i < bytes.length; i += WRITE_BYTES_MAX) {
      stream.blockingWriteAndFlush(bytes.slice(i, i + WRITE_BYTES_MAX));
    }
  }
  types.OutgoingBody.finish(body, null);
}

function answer(pending) {
  using ready = pending.subscribe();
  ready.block();
  // The outer result is about asking twice, the inner one about the exchange.
  const { tag, val } = pending.get().val;
  if (tag === "err") {
    throw Object.assign(new Error(val.tag), { payload: val });
  }
  return val;
}

function incomingResponse(owned) {
  using response = owned;
  using fields = response.headers();
  const decoder = new TextDecoder();
  const headers = {};
  for (const [field, value] of fields.entries()) {
    const name = field.toLowerCase();
    const text = decoder.decode(value);
    headers[name] = name in headers ? `${headers[name]}, ${text}` : text;
  }
  using body = response.consume();
  return new Response(response.status(), headers, read(body));
}

function read(body) {
  using stream = body.stream();
  const chunks = [];
  for (;;) {
    try {
      chunks.push(stream.blockingRead(READ_BYTES_MAX));
    } catch (error) {
      if (error.payload?.tag === "closed") {
        return joined(chunks);
      }
      throw error;
    }
  }
}

function joined(chunks) {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Of an `error-code`, a `header-error`, a `stream-error`, or nothing, which says that a part of the URL is refused. */
function httpFailure(error, method, url) {
  if (!("payload" in error)) {
    return error;
  }
  let { tag, val } = error.payload ?? { tag: "the host refuses the method or the URL" };
  if (tag === "last-operation-failed") {
    ({ tag, val } = types.httpErrorCode(val) ?? { tag: val.toDebugString() });
  }
  const message = `${method} ${url}: ${tag}${val === undefined || val === null ? "" : ` ${JSON.stringify(val)}`}`;
  if (DENIED.includes(tag.toLowerCase())) {
    return fatal("DENIED", message);
  }
  const never = error.payload === undefined || HEADER_ERRORS.includes(tag);
  return never ? fatal("INVALID", message) : retryable("HTTP_FAILED", message);
}

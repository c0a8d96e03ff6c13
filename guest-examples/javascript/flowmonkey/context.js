import { cancelled, whole, wholeOption } from "./failure.js";
import { log } from "./globals/console.js";
import { host, sleep } from "./host.js";
import { send } from "./http.js";

const decoded = (text) => (text === undefined || text === null ? undefined : JSON.parse(text));

function encoded(value) {
  const text = JSON.stringify(value);
  if (text === undefined) {
    throw new TypeError(`only what JSON can hold can be stored, which ${typeof value} is not`);
  }
  return text;
}

function keyed(key) {
  return String(key).toWellFormed();
}

function obey(directive) {
  if (directive !== "proceed") {
    throw cancelled();
  }
}

const job = {
  get id() {
    return host.job("id");
  },
  get handler() {
    return host.job("handler");
  },
  get attempt() {
    return host.job("attempt");
  },
  get maxAttempts() {
    return host.job("maxAttempts");
  },
  get idempotencyKey() {
    return host.job("idempotencyKey");
  },
  get executionId() {
    return host.job("executionId") ?? undefined;
  },
  get stepId() {
    return host.job("stepId") ?? undefined;
  },
  get deadlineMs() {
    return host.job("deadlineMs") ?? undefined;
  },
  get resumedWith() {
    return decoded(host.job("resumedWith"));
  },
  get traceParent() {
    return host.job("traceParent") ?? undefined;
  },
};

const checkpoint = {
  save: (key, value) => host.checkpoint("save", keyed(key), encoded(value)),
  restore: (key) => decoded(host.checkpoint("restore", keyed(key))),
  keys: () => host.checkpoint("keys"),
  delete: (key) => host.checkpoint("delete", keyed(key)),
  clear: () => host.checkpoint("clear"),
};

const execution = {
  get: (key) => decoded(host.context("get", keyed(key))),
  set: (key, value) => host.context("set", keyed(key), encoded(value)),
  delete: (key) => host.context("delete", keyed(key)),
  keys: () => host.context("keys"),
};

const queue = {
  enqueue(handler, input = null, { at, afterMs, priority, maxAttempts, uniqueKey } = {}) {
    let start = null;
    if (at !== undefined) {
      start = { tag: "at", val: whole(at, "at") };
    } else if (afterMs !== undefined) {
      start = { tag: "after", val: whole(afterMs, "afterMs") };
    }
    return host.queue("enqueue", {
      handler: keyed(handler),
      input: encoded(input),
      start,
      priority: wholeOption(priority, "priority", 255),
      maxAttempts: wholeOption(maxAttempts, "maxAttempts", 2 ** 31 - 1),
      uniqueKey: uniqueKey === undefined ? null : keyed(uniqueKey),
    });
  },
};

const idempotency = {
  lookup: (key) => decoded(host.idempotency("lookup", keyed(key))),
  record: (key, value, { ttlMs } = {}) =>
    host.idempotency("record", keyed(key), encoded(value), wholeOption(ttlMs, "ttlMs")),
};

const config = {
  get: (key) => host.config("get", keyed(key)) ?? undefined,
  all: () => Object.fromEntries(host.config("getAll")),
};

const level = (name) => (message, fields) => log(name, message, fields);

export const context = {
  job,
  checkpoint,
  context: execution,
  queue,
  idempotency,
  config,
  log: {
    trace: level("trace"),
    debug: level("debug"),
    info: level("info"),
    warn: level("warn"),
    error: level("error"),
  },
  http: { send },
  sleep,
  heartbeat: () => obey(host.control("heartbeat")),
  progress: (percent, message) =>
    obey(host.control("progress", Number(percent), message === undefined ? null : keyed(message))),
  directive: () => host.control("heartbeat"),
  cancelled: () => host.control("cancelled"),
};

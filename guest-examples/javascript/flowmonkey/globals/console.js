import { trace } from "../failure.js";
import { host, isStarted } from "../host.js";

/** Writes a line to the job's log. What modules say at build time is dropped, for there is no job. */
export function log(level, message, fields = {}) {
  if (!isStarted()) {
    return;
  }
  const pairs = Object.entries(fields).map(([name, value]) => [name.toWellFormed(), shown(value)]);
  host.log("log", level, String(message).toWellFormed(), pairs);
}

function shown(value) {
  if (typeof value === "string") {
    return value.toWellFormed();
  }
  if (value instanceof Error) {
    return trace(value);
  }
  try {
    return (JSON.stringify(value) ?? String(value)).toWellFormed();
  } catch {
    // Cycles, and numbers that JSON does not have.
    return String(value);
  }
}

export function install() {
  const line =
    (level) =>
    (...values) =>
      log(level, values.map(shown).join(" "));
  const info = line("info");
  const error = line("error");
  globalThis.console = {
    trace: line("trace"),
    debug: line("debug"),
    log: info,
    info,
    dir: info,
    warn: line("warn"),
    error,
    assert: (condition, ...values) => condition || error("assertion failed:", ...values),
  };
}

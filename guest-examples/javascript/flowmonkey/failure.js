/** Of an error, as far as its trace tells them: they may go in a circle. */
const CAUSES_MAX = 8;
/** How the host begins what it says of a key of wasi:config without a grant. */
const DENIED = "denied: ";

/** How an attempt ends badly, thrown as an error. Every other error is retried, under the code `EXCEPTION`. */
export class Failure extends Error {
  constructor(kind, code, message, { details, afterMs, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = code;
    this.kind = kind;
    this.code = code;
    this.details = details;
    this.afterMs = wholeOption(afterMs, "afterMs");
  }
}

export const fatal = (code, message, options) => new Failure("fatal", code, message, options);
export const retryable = (code, message, options) => new Failure("retryable", code, message, options);
export const cancelled = () => new Failure("cancelled", "CANCELLED", "stopped because the host asked for it");

/** The failure that stands for a `host-error`, unless the handler catches it. */
export function hostFailure(error, doing) {
  const { tag, val } = error.payload ?? {};
  const message = `${doing}: ${val ?? error.message}`;
  switch (tag) {
    case "denied":
      return fatal("DENIED", message);
    case "invalid":
      return fatal("INVALID", message);
    case "limit-exceeded":
      return fatal("LIMIT_EXCEEDED", message);
    case "lease-lost":
      return cancelled();
    case "unavailable":
      return retryable("UNAVAILABLE", message);
    case "upstream": // of wasi:config, which has no case of its own for what is not granted
    case "io":
      return val.startsWith(DENIED)
        ? fatal("DENIED", `${doing}: ${val.slice(DENIED.length)}`)
        : retryable("UNAVAILABLE", message);
    default:
      return retryable("HOST_ERROR", message);
  }
}

/** Whatever was thrown, as the contract's `job-error`. */
export function jobError(thrown) {
  try {
    return encoded(thrown);
  } catch (error) {
    // Its details were no JSON. What is fatal stays so all the same.
    if (thrown instanceof Failure) {
      const { kind, code, message, afterMs } = thrown;
      return encoded(new Failure(kind, code, message, { afterMs, details: String(error) }));
    }
    return encoded(error);
  }
}

function encoded(thrown) {
  const { kind, code, message, details, afterMs } = thrown instanceof Failure ? thrown : exception(thrown);
  if (kind === "cancelled") {
    return { tag: "cancelled" };
  }
  const failure = {
    code: String(code).toWellFormed(),
    message: String(message).toWellFormed(),
    details: details === undefined ? null : (JSON.stringify(details) ?? null),
  };
  const val = kind === "fatal" ? failure : { failure, afterMs };
  return { tag: kind, val };
}

function exception(thrown) {
  if (!(thrown instanceof Error)) {
    const text = typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown));
    return retryable("EXCEPTION", text);
  }
  return retryable("EXCEPTION", thrown.message || thrown.name, { details: { stack: trace(thrown) } });
}

/** An error, where it was thrown, and what caused it. Lines are those of the sources, not of the bundle. */
export function trace(error, depth = 0) {
  const frames = original(error.stack ?? "").trimEnd();
  const more = error.cause instanceof Error && depth < CAUSES_MAX;
  const cause = more ? `\ncaused by ${trace(error.cause, depth + 1)}` : "";
  return `${error}${frames && `\n${frames}`}${cause}`;
}

/** Where `build.mjs` leaves the files of the sources, and for each line of the bundle the file's index and the line. */
export const LINES = Symbol.for("flowmonkey.lines");

/** Puts lines of the sources in the place of lines of the bundle, and leaves out frames that are not the handler's. */
export function original(stack) {
  const [files, places] = (globalThis[LINES] ?? ["", ""]).map((list) => list.split("|"));
  return stack.replace(/^.*?\/handler\.js:(\d+):\d+.*\n?/gm, (frame, number) => {
    const [file, line] = (places[number - 1] ?? "").split(":");
    return line ? frame.replace(/\/handler\.js:\d+:\d+/, `${files[file]}:${line}`) : "";
  });
}

/** A whole number as the host takes it, such as one of milliseconds. Any other would be a trap. */
export function whole(value, name, max = Number.MAX_SAFE_INTEGER) {
  const number = Math.round(Number(value));
  if (!(number >= 0 && number <= max)) {
    throw fatal("INVALID", `${name} must be a number from 0 to ${max}, not ${value}`);
  }
  return number;
}

/** The same for what may be missing, as the contract's option. */
export function wholeOption(value, name, max) {
  return value === undefined || value === null ? null : whole(value, name, max);
}

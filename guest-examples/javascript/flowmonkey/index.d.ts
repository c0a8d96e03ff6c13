// The language is that of ECMAScript 2024, without Intl, without top-level await and without what a browser or Node.js
// adds; globals.d.ts lists what else there is. Async functions and promises work. They never run while a host function is
// called, and a promise that neither other promises nor a timer settle fails the attempt.

import "./globals.js";

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The exports of a component: `export const { handler, metadata } = defineHandler(…)`. */
export interface HandlerExports {
  handler: { run(input: string): unknown };
  metadata: { describe(): string };
}

/**
 * Makes a handler.
 *
 * One instance runs one attempt: nothing in memory survives it. What stands outside of functions runs once, when the
 * handler is built; there `ctx`, `Math.random` and `crypto` do not exist yet, and a clock tells the time of the build.
 */
export function defineHandler<Input = any, Result = unknown>(definition: {
  /**
   * Runs one attempt of one job. What it returns is the job's result, as JSON; nothing is no result. To go on later it
   * returns `wait.…`. To fail it throws `fatal(…)` or `retryable(…)`; any other error is retried, with the code
   * `EXCEPTION`, its message, and its stack in the details.
   *
   * A job runs at least once: it may have run before, in part or in whole.
   */
  run(ctx: Context, input: Input): Result | Wait | Promise<Result | Wait>;

  /**
   * Checks the input, which may be any JSON, and returns it as `run` wants it: `fields({ … })`, a schema of Zod, or your
   * own. What it throws ends the job: fatal, with the code `BAD_INPUT`.
   */
  input?: Parser<Input>;

  /** What the handler says of itself, read once when it is pushed. */
  describe?: Description;
}): HandlerExports;

/** All of it may be missing. Schemas are JSON Schema and checked by the host, before a job costs an attempt. */
export interface Description {
  name?: string;
  description?: string;
  category?: string;
  version?: string;
  stateful?: boolean;
  retryable?: boolean;
  "default-timeout-ms"?: number;
  "input-schema"?: object | boolean;
  "output-schema"?: object | boolean;
  "config-schema"?: object | boolean;
}

interface Kinds {
  string: string;
  number: number;
  boolean: boolean;
  object: Record<string, unknown>;
  array: unknown[];
}
type Kind = keyof Kinds | `${keyof Kinds}?`;
type Fields<F extends Record<string, Kind>> = {
  [N in keyof F as F[N] extends keyof Kinds ? N : never]: Kinds[F[N] & keyof Kinds];
} & {
  [N in keyof F as F[N] extends `${string}?` ? N : never]?: F[N] extends `${infer K extends keyof Kinds}?`
    ? Kinds[K]
    : never;
};

export interface Parser<T> {
  parse(input: unknown): T;
}

/**
 * For inputs that are objects with these fields: `fields({ to: "string", copies: "number?" })`. A field whose kind ends
 * in `?` may be missing or null, and then is undefined. Other fields stay as they are.
 */
export function fields<const F extends Record<string, Kind>>(kinds: F): Parser<Fields<F>>;

/** A failure with a code, as opposed to any other error. */
export class Failure extends Error {
  private constructor();
  readonly kind: "fatal" | "retryable" | "cancelled";
  /** A short, stable name in capitals. Programs match on it. */
  readonly code: string;
  readonly details?: unknown;
  readonly afterMs: number | null;
}

interface FailureOptions {
  /** Whatever helps to find the cause, as JSON. Dropped when over 16 KiB. */
  details?: unknown;
  cause?: unknown;
}

/** For what will never go better: `throw fatal("BAD_ADDRESS", "…")` fails the job now. */
export function fatal(code: string, message: string, options?: FailureOptions): Failure;

/**
 * For what may go better next time. The job runs again until its attempts are used up, after `afterMs` milliseconds (at
 * most 30 days) or what the handler's retry policy says.
 */
export function retryable(code: string, message: string, options?: FailureOptions & { afterMs?: number }): Failure;

/** For a handler that stops because it was told to: see `Context.directive`. */
export function cancelled(): Failure;

/** A pause, to be returned by `run`. */
export interface Wait {
  readonly outcome: unknown;
}

/**
 * `return wait.after(60_000, "the server is busy")`: the job goes on later, in a fresh instance, from its checkpoints.
 * The attempt does not count. People who look at the waiting job see the reason.
 */
export const wait: {
  /** In so many milliseconds. */
  after(ms: number, reason?: string): Wait;
  /** At a moment, or so many milliseconds after 1970-01-01T00:00:00Z. */
  at(moment: Date | number, reason?: string): Wait;
  /** When somebody reports this event for the job: see `Job.resumedWith`. The name is for people. */
  signal(name: string, reason?: string): Wait;
};

/**
 * What the host wants of a running attempt. `cancel`: stop, nothing that this attempt records will be kept. `drain`: the
 * runner is stopping; save a checkpoint and throw `cancelled()`, or finish if that is quicker.
 */
export type Directive = "proceed" | "cancel" | "drain";

/**
 * What a job can do. All functions return when the work is done; nothing needs `await`, and nothing minds it.
 *
 * Unless they are caught, the host's errors end the attempt: fatal with the code `DENIED` (not granted), `INVALID` (an
 * argument) or `LIMIT_EXCEEDED`, retryable with `UNAVAILABLE` or `HOST_ERROR`, or cancelled if the job is no longer ours.
 */
export interface Context {
  readonly job: Job;
  readonly checkpoint: Checkpoint;
  /** The context of the workflow execution that the job belongs to. Takes the grant `context`. */
  readonly context: Store;
  readonly queue: Queue;
  readonly idempotency: Idempotency;
  readonly config: Config;
  readonly log: Log;
  readonly http: Http;

  /** Says that the attempt is alive; throws `cancelled()` if it is to stop. Cheap: call it in every turn of a loop. */
  heartbeat(): void;
  /**
   * Reports how far the work is, from 0 to 100, for people to see. Also a heartbeat: throws `cancelled()` if the attempt
   * is to stop, so save the checkpoint first.
   */
  progress(percent: number, message?: string): void;
  /** A heartbeat that answers what the host wants, for handlers that have something to do before they stop. */
  directive(): Directive;
  /** Whether the job was cancelled or lost. No sign of life. */
  cancelled(): boolean;
  /** Pauses for so many milliseconds. Nothing else runs meanwhile; beyond a minute or so `wait.after` is better. */
  sleep(ms: number): void;
}

/** Facts about the running attempt. */
export interface Job {
  /** The same in every attempt. */
  readonly id: string;
  /** The name the handler was enqueued under. */
  readonly handler: string;
  /** The number of this attempt; the first is 1. */
  readonly attempt: number;
  /** How many attempts the job has in all. */
  readonly maxAttempts: number;
  /** The same in every attempt of this job: hand it to services that drop repeated requests. */
  readonly idempotencyKey: string;
  /** The workflow execution this job belongs to, if any. */
  readonly executionId?: string;
  /** The step of that execution that this job is. */
  readonly stepId?: string;
  /** When this attempt will be interrupted, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly deadlineMs?: number;
  /** What the job was resumed with after its last wait, if anything. The same in every attempt until it waits again. */
  readonly resumedWith?: any;
  /** The W3C `traceparent` under which the job was enqueued. */
  readonly traceParent?: string;
}

/** Values under keys. Values are JSON. */
export interface Store {
  /** Undefined if there is none. */
  get(key: string): any;
  set(key: string, value: unknown): void;
  /** No error if there is none. */
  delete(key: string): void;
  /** Those that have a value, in order. */
  keys(): string[];
}

/**
 * What survives an attempt: a later attempt of the same job reads what an earlier one saved. Keys have 1 to 256 bytes,
 * values are JSON, by default of 1 MiB at most and 4 MiB in all.
 */
export interface Checkpoint {
  /** Replaces what was there. The value is durable when this returns. */
  save(key: string, value: unknown): void;
  /** Undefined if there is none. */
  restore(key: string): any;
  /** Those that have a value, in order. */
  keys(): string[];
  /** No error if there is none. */
  delete(key: string): void;
  clear(): void;
}

/** Jobs for other handlers. Takes the grant `queue`, which names them. */
export interface Queue {
  /**
   * Creates a job and returns its id. It stays even if this attempt fails, so give it a `uniqueKey` in a handler that may
   * run twice. What is not said is the other handler's own setting.
   */
  enqueue(
    handler: string,
    input?: unknown,
    options?: {
      /** When it is due, as a date or in milliseconds since 1970-01-01T00:00:00Z. Now, if neither is given. */
      at?: Date | number;
      /** In how many milliseconds it is due. */
      afterMs?: number;
      /** From 0 (first) to 9 (last). */
      priority?: number;
      maxAttempts?: number;
      /** While a job with this key and handler is pending or running, its id is returned and no other is created. */
      uniqueKey?: string;
    },
  ): string;
}

/**
 * Memory for "has this been done already?", shared by all jobs of the handler and nobody else. Takes the grant
 * `idempotency`.
 */
export interface Idempotency {
  /** What was recorded, if its time is not over, or else undefined. */
  lookup(key: string): any;
  /**
   * Records a value for `ttlMs` milliseconds or for good. The first stands: the same again changes nothing, another is
   * `INVALID`.
   */
  record(key: string, value: unknown, options?: { ttlMs?: number }): void;
}

/** What the operator has set for the handler. Takes the grant `config`, which names the keys. */
export interface Config {
  /** Undefined if it is not set. */
  get(key: string): string | undefined;
  all(): Record<string, string>;
}

/** Lines for the people who run the handler, with named fields. Never secrets. `console` writes here, too. */
export interface Log {
  trace(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Takes the grant `http`, which names the hosts. */
export interface Http {
  /**
   * Sends a request and returns the whole response, whatever its status. Redirects are not followed. Without a response
   * it throws a failure: fatal with the code `DENIED` if the host is not granted, else retryable with `HTTP_FAILED`.
   */
  send(request: {
    /** `GET` if none is given. */
    method?: string;
    url: string;
    headers?: Record<string, string>;
    /** A string goes as UTF-8. */
    body?: string | Uint8Array;
    /** Goes as the body, with the content-type `application/json` unless `headers` says another. */
    json?: unknown;
    /** For the connection, for the first byte, and between two bytes. At most the limit `http-timeout`. */
    timeoutMs?: number;
  }): Response;
}

export interface Response {
  readonly status: number;
  /** Whether the status is from 200 to 299. */
  readonly ok: boolean;
  /** By name in lower case; several of one name are joined with a comma. */
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  /** The body as UTF-8. */
  text(): string;
  /** The body as JSON. */
  json(): any;
}

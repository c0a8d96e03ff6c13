// The one place where the host is called. An interface that handler.toml does not ask for is not in the component;
// `build.mjs` puts an empty module in its place.

import * as checkpoint from "flowmonkey:jobs/checkpoint";
import * as context from "flowmonkey:jobs/context";
import * as control from "flowmonkey:jobs/control";
import * as idempotency from "flowmonkey:jobs/idempotency";
import * as job from "flowmonkey:jobs/job";
import * as log from "flowmonkey:jobs/log";
import * as queue from "flowmonkey:jobs/queue";
import * as clock from "wasi:clocks/monotonic-clock";
import * as config from "wasi:config/store";
import * as random from "wasi:random/random";

import { fatal, hostFailure, whole } from "./failure.js";

export const NANOSECONDS_PER_MILLISECOND = 1e6;

let started = false;

/** Called when the host calls the component: before, at build time, there is no host. */
export function start() {
  started = true;
}

/** Whether code runs in a job, and not at build time, when the modules are loaded. */
export function isStarted() {
  return started;
}

export function requireStarted(what) {
  if (!started) {
    throw new Error(`${what} works only in run: what stands outside of functions is run once, at build time`);
  }
}

/** Functions of an interface whose errors are failures. `grant` is the line of handler.toml that brings it. */
function bound(module, name, grant) {
  return (fn, ...args) => {
    const doing = `${name}.${fn}`;
    requireStarted(doing);
    if (module[fn] === undefined) {
      throw fatal("DENIED", missing(grant));
    }
    try {
      return module[fn](...args);
    } catch (error) {
      throw hostFailure(error, doing);
    }
  };
}

/** What to do about an interface that the component was built without. */
export function missing(grant) {
  return `add \`${grant}\` under [grants] in handler.toml and build again`;
}

export const host = {
  checkpoint: bound(checkpoint, "checkpoint"),
  context: bound(context, "context", "context = true"),
  control: bound(control, "control"),
  idempotency: bound(idempotency, "idempotency", "idempotency = true"),
  job: bound(job, "job"),
  log: bound(log, "log"),
  queue: bound(queue, "queue", 'queue = ["other-handler"]'),
  config: bound(config, "config", 'config = ["api-key"]'),
  random: bound(random, "random"),
};

/** Pauses the attempt. Nothing else happens meanwhile. */
export function sleep(ms) {
  requireStarted("sleep");
  using pollable = clock.subscribeDuration(whole(ms, "sleep") * NANOSECONDS_PER_MILLISECOND);
  pollable.block();
}

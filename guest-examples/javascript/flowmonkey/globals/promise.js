// The engine runs no promise jobs while the host waits for an export to return, and the host cannot call back.
// So promises get a queue of their own, which `settled` empties. `build.mjs` turns async functions into
// generators, for those of the engine would use the engine's promises.

import { sleep } from "../host.js";

const jobs = [];
const timers = new Map();
let timerId = 0;
const unhandled = new Set();
let stateOf;

class JobPromise {
  #state = "pending";
  #value;
  #reactions = [];

  constructor(executor) {
    if (typeof executor !== "function") {
      throw new TypeError("a promise takes a function");
    }
    const { resolve, reject } = this.#resolvers();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  /** Of the two functions, the first call counts. */
  #resolvers() {
    let called = false;
    const once = (settle) => (value) => {
      if (!called) {
        called = true;
        settle(value);
      }
    };
    return {
      resolve: once((value) => this.#resolve(value)),
      reject: once((reason) => this.#settle("rejected", reason)),
    };
  }

  #resolve(value) {
    if (value === this) {
      return this.#settle("rejected", new TypeError("a promise cannot wait for itself"));
    }
    let then;
    try {
      then = Object(value) === value ? value.then : undefined;
    } catch (error) {
      return this.#settle("rejected", error);
    }
    if (typeof then !== "function") {
      return this.#settle("fulfilled", value);
    }
    jobs.push(() => {
      const { resolve, reject } = this.#resolvers();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    if (state === "rejected" && this.#reactions.length === 0) {
      unhandled.add(this);
    }
    for (const reaction of this.#reactions.splice(0)) {
      jobs.push(() => reaction[state](value));
    }
  }

  then(onFulfilled, onRejected) {
    return new JobPromise((resolve, reject) => {
      const reaction = (handler, pass) => (value) => {
        if (typeof handler !== "function") {
          return pass(value);
        }
        try {
          resolve(handler(value));
        } catch (error) {
          reject(error);
        }
      };
      const reactions = { fulfilled: reaction(onFulfilled, resolve), rejected: reaction(onRejected, reject) };
      unhandled.delete(this);
      if (this.#state === "pending") {
        this.#reactions.push(reactions);
      } else {
        jobs.push(() => reactions[this.#state](this.#value));
      }
    });
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(callback) {
    return this.then(
      (value) => JobPromise.resolve(callback()).then(() => value),
      (reason) => JobPromise.resolve(callback()).then(() => JobPromise.reject(reason)),
    );
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }

  static {
    stateOf = (promise) => ({ state: promise.#state, value: promise.#value });
  }

  static resolve(value) {
    return value instanceof JobPromise ? value : new JobPromise((resolve) => resolve(value));
  }

  static reject(reason) {
    return new JobPromise((_, reject) => reject(reason));
  }

  static try(callback, ...args) {
    return new JobPromise((resolve) => resolve(callback(...args)));
  }

  static withResolvers() {
    const resolvers = {};
    resolvers.promise = new JobPromise((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
    return resolvers;
  }

  static all(values) {
    return each(values, (promise, keep, { reject }) => promise.then(keep, reject));
  }

  static allSettled(values) {
    return each(values, (promise, keep) =>
      promise.then(
        (value) => keep({ status: "fulfilled", value }),
        (reason) => keep({ status: "rejected", reason }),
      ),
    );
  }

  static any(values) {
    const reasons = each(values, (promise, keep, { reject }) => promise.then(reject, keep));
    return reasons.then(
      (errors) => JobPromise.reject(new AggregateError(errors, "all promises were rejected")),
      (value) => value,
    );
  }

  static race(values) {
    return new JobPromise((resolve, reject) => {
      for (const value of values) {
        JobPromise.resolve(value).then(resolve, reject);
      }
    });
  }
}

/** Waits for what `keep` is called with for each value, in their order. */
function each(values, follow) {
  return new JobPromise((resolve, reject) => {
    const promises = Array.from(values, (value) => JobPromise.resolve(value));
    const kept = new Array(promises.length);
    let left = promises.length;
    if (left === 0) {
      resolve(kept);
    }
    promises.forEach((promise, index) => {
      const keep = (value) => {
        kept[index] = value;
        left -= 1;
        if (left === 0) {
          resolve(kept);
        }
      };
      follow(promise, keep, { resolve, reject });
    });
  });
}

/** The value of a promise, or its rejection thrown, once all that it waits for has run. Other values are themselves. */
export function settled(value) {
  const promise = JobPromise.resolve(value);
  promise.then(undefined, () => {});
  for (;;) {
    runJobs();
    const { state, value } = stateOf(promise);
    if (state === "fulfilled") {
      return value;
    }
    if (state === "rejected") {
      throw value;
    }
    if (!runTimer()) {
      throw new Error("the handler waits for a promise that nothing is left to settle");
    }
  }
}

function runJobs() {
  // By index: shift() would move the whole queue each time.
  for (let next = 0; next < jobs.length; next += 1) {
    jobs[next]();
  }
  jobs.length = 0;
  for (const promise of unhandled) {
    console.error("a promise was rejected and nobody looked:", stateOf(promise).value);
  }
  unhandled.clear();
}

/** Sleeps until the first timer is due and runs it; false if there is none. */
function runTimer() {
  let first;
  for (const timer of timers.values()) {
    if (first === undefined || timer.due < first.due) {
      first = timer;
    }
  }
  if (first === undefined) {
    return false;
  }
  sleep(Math.max(0, first.due - performance.now()));
  timers.delete(first.id);
  first.callback();
  return true;
}

export function install() {
  globalThis.Promise = JobPromise;
  globalThis.queueMicrotask = (callback) => void jobs.push(callback);
  globalThis.setTimeout = (callback, ms = 0, ...args) => {
    timerId += 1;
    const due = performance.now() + Math.max(0, Number(ms) || 0);
    timers.set(timerId, { id: timerId, due, callback: () => callback(...args) });
    return timerId;
  };
  globalThis.clearTimeout = (id) => void timers.delete(id);
}

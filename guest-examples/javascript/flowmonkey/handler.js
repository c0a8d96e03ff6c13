import "./globals.js";

import { context } from "./context.js";
import { fatal, Failure, jobError, whole } from "./failure.js";
import { settled } from "./globals/promise.js";
import { start } from "./host.js";

const ANYTHING = { parse: (input) => input };

/** A pause, as `run` returns it. */
class Wait {
  constructor(tag, val, reason) {
    this.outcome = { tag: "wait", val: { until: { tag, val }, reason: reason?.toWellFormed() ?? null } };
  }
}

export const wait = {
  after: (ms, reason) => new Wait("after", whole(ms, "wait.after"), reason),
  at: (moment, reason) => new Wait("at", whole(moment, "wait.at"), reason),
  signal: (name, reason) => new Wait("signal", String(name).toWellFormed(), reason),
};

/** Makes the exports of a component out of a function and what it says of itself. */
export function defineHandler({ run, input = ANYTHING, describe = {} }) {
  return {
    handler: {
      run(text) {
        start();
        try {
          return outcome(settled(run(context, read(text, input))));
        } catch (error) {
          // The toolchain makes a trap of an Error that is thrown from here, and an error of anything else.
          throw jobError(error);
        }
      },
    },
    metadata: { describe: () => JSON.stringify(describe) },
  };
}

function read(text, input) {
  try {
    return input.parse(JSON.parse(text));
  } catch (error) {
    throw error instanceof Failure
      ? error
      : fatal("BAD_INPUT", `the input is not as it must be: ${error.message}`, { cause: error });
  }
}

function outcome(result) {
  if (result instanceof Wait) {
    return result.outcome;
  }
  return { tag: "success", val: JSON.stringify(result) ?? null };
}

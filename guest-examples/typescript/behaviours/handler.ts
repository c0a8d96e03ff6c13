// Uses every function of the binding, one for each value of `do`. The behaviour suite drives it.

import { cancelled, type Context, defineHandler, fatal, retryable, wait } from "../flowmonkey/index.js";

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

type Behaviour = (ctx: Context, input: any) => unknown;

const behaviours: Record<string, Behaviour> = {
  echo: (_, { value }) => value,
  nothing: () => {},

  facts({ job }) {
    return {
      id: job.id,
      handler: job.handler,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
      idempotencyKey: job.idempotencyKey,
      executionId: job.executionId ?? null,
      stepId: job.stepId ?? null,
      deadlineMs: job.deadlineMs ?? null,
      resumedWith: job.resumedWith ?? null,
      traceParent: job.traceParent ?? null,
    };
  },

  retryable(_, { code, message, details, afterMs }) {
    throw retryable(code, message, { details, afterMs });
  },
  fatal(_, { code, message, details }) {
    throw fatal(code, message, { details });
  },
  throw: (_, { message }) => deeper(message),

  wait({ checkpoint, job }, { afterMs, atMs, signal, reason }) {
    if (job.resumedWith !== undefined || checkpoint.restore("waited")) {
      return { resumedWith: job.resumedWith ?? null };
    }
    checkpoint.save("waited", true);
    if (afterMs !== undefined) {
      return wait.after(afterMs, reason);
    }
    return atMs !== undefined ? wait.at(atMs, reason) : wait.signal(signal, reason);
  },

  async heartbeat(ctx, { turns, pauseMs }) {
    for (let turn = 0; turn < turns; turn += 1) {
      ctx.heartbeat();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    // The same, without an error.
    if (ctx.cancelled() || ctx.directive() !== "proceed") {
      throw cancelled();
    }
    return { turns };
  },
  progress(ctx, { percent, message }) {
    ctx.progress(percent, message);
    return { percent };
  },

  checkpoint({ checkpoint, job }, { times }) {
    const n = checkpoint.restore("n") ?? 0;
    checkpoint.save("n", n + 1);
    checkpoint.save("last", { attempt: job.attempt });
    if (n + 1 < times) {
      throw retryable("AGAIN", `${n + 1} of ${times}`);
    }
    const keys = checkpoint.keys();
    checkpoint.delete("last");
    return { n: n + 1, keys, left: checkpoint.keys() };
  },

  log({ log }) {
    for (const level of LEVELS) {
      log[level](`at ${level}`, { level });
    }
  },
  print(_, { out, err }) {
    console.log(out);
    console.error(err);
  },

  config: ({ config }, { key }) => ({ value: config.get(key) ?? null }),
  async http({ http }, { method, url, headers, body }) {
    const response = await http.send({ method, url, headers, body });
    return { status: response.status, headers: response.headers, body: response.text() };
  },
  context({ context }, { key, value }) {
    context.set(key, value);
    return { value: context.get(key), keys: context.keys() };
  },
  enqueue: ({ queue }, { input, uniqueKey }) => ({ id: queue.enqueue("behaviours", input, { uniqueKey }) }),
  idempotency({ idempotency }, { key, value }) {
    const found = idempotency.lookup(key);
    if (found !== undefined) {
      return { found };
    }
    idempotency.record(key, value);
    return { recorded: true };
  },

  random: () => ({ random: String(Math.random()) }),
  now: () => ({ ms: Date.now() }),
  sleep: (ctx, { ms }) => ctx.sleep(ms),
  spin() {
    for (;;);
  },
};

function deeper(message: string): never {
  return deepest(message);
}

function deepest(message: string): never {
  throw new Error(message);
}

const defined = defineHandler({
  describe: {
    name: "behaviours",
    description: "Uses every function of the binding",
    "input-schema": { type: "object", required: ["do"] },
  },
  run(ctx, input) {
    if (!Object.hasOwn(behaviours, input?.do)) {
      throw fatal("BAD_INPUT", `there is no behaviour ${JSON.stringify(input?.do)}`);
    }
    return behaviours[input.do](ctx, input);
  },
});

export const { metadata } = defined;
export const handler = {
  run(text: string) {
    if (JSON.parse(text)?.do === "trap") {
      // `defineHandler` lets no error out; one that gets out is a trap.
      throw new Error("trapped");
    }
    return defined.handler.run(text);
  },
};

// What there is beside the language itself. Do not add the types of a browser or of Node.js: most of it is not there.

declare global {
  /** Writes to the job's log. Values that are no strings are shown as JSON, errors with their stack. */
  const console: {
    trace(...values: unknown[]): void;
    debug(...values: unknown[]): void;
    log(...values: unknown[]): void;
    info(...values: unknown[]): void;
    dir(...values: unknown[]): void;
    warn(...values: unknown[]): void;
    error(...values: unknown[]): void;
    assert(condition?: unknown, ...values: unknown[]): void;
  };

  /** An attempt ends when `run` does; timers that are left then do not fire. */
  function setTimeout(callback: (...args: any[]) => void, ms?: number, ...args: any[]): number;
  function clearTimeout(id: number | undefined): void;
  function queueMicrotask(callback: () => void): void;

  const crypto: {
    getRandomValues<A extends ArrayBufferView>(array: A): A;
    randomUUID(): string;
  };
  const performance: { now(): number };

  class TextEncoder {
    readonly encoding: "utf-8";
    encode(text?: string): Uint8Array<ArrayBuffer>;
  }
  /** Knows UTF-8 only. */
  class TextDecoder {
    constructor(encoding?: "utf-8", options?: { fatal?: boolean; ignoreBOM?: boolean });
    readonly encoding: "utf-8";
    decode(bytes?: ArrayBuffer | ArrayBufferView): string;
  }

  function atob(base64: string): string;
  function btoa(binary: string): string;
}

export {};

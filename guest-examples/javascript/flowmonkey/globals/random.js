import { host, requireStarted } from "../host.js";

const POOL_BYTES = 1024;
const NUMBER_BYTES = 8;
const REQUEST_BYTES_MAX = 65_536;

let pool = new DataView(new ArrayBuffer(0));
let next = 0;

/** The engine's own generator is seeded at build time and would repeat itself in every job. */
function random() {
  requireStarted("Math.random");
  if (next + NUMBER_BYTES > pool.byteLength) {
    pool = new DataView(bytes(POOL_BYTES).buffer);
    next = 0;
  }
  // The 53 bits that a number between 0 and 1 has.
  const high = pool.getUint32(next) >>> 5;
  const low = pool.getUint32(next + 4) >>> 6;
  next += NUMBER_BYTES;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

function bytes(length) {
  requireStarted("crypto");
  return host.random("getRandomBytes", length);
}

function getRandomValues(array) {
  const target = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  if (target.length > REQUEST_BYTES_MAX) {
    throw new RangeError(`crypto.getRandomValues takes at most ${REQUEST_BYTES_MAX} bytes`);
  }
  target.set(bytes(target.length));
  return array;
}

/** A UUID of version 4. */
function randomUUID() {
  const value = bytes(16);
  value[6] = (value[6] & 0x0f) | 0x40;
  value[8] = (value[8] & 0x3f) | 0x80;
  return value.toHex().replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export function install() {
  Math.random = random;
  globalThis.crypto = { getRandomValues, randomUUID };
}

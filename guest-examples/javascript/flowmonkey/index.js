export { cancelled, Failure, fatal, retryable } from "./failure.js";
export { fields } from "./fields.js";
export { defineHandler, wait } from "./handler.js";

// Renders a mail from a template. Shows how a handler checks its input, which failures are fatal because another attempt
// would meet them again, how it remembers what it has sent, and how it logs.
//
// With a `messageId`, which takes the grant `idempotency`, no second mail of that id goes to the address.

import { defineHandler, fatal, fields } from "../flowmonkey/index.js";
import { isAddress, render } from "./mail.js";

const mail = fields({ to: "string", subject: "string", body: "string", vars: "object?", messageId: "string?" });

const input = {
  parse(value) {
    const { vars = {}, ...rest } = mail.parse(value);
    const odd = Object.keys(vars).find((name) => typeof vars[name] !== "string");
    if (odd !== undefined) {
      throw new TypeError(`the variable ${odd} must be a string`);
    }
    return { ...rest, vars };
  },
};

export const { handler, metadata } = defineHandler({
  input,

  run({ idempotency, job, log }, { to, subject, body, vars, messageId }) {
    if (!isAddress(to)) {
      throw fatal("BAD_ADDRESS", `${JSON.stringify(to)} is not a mail address`);
    }
    const key = messageId && `email-${to}-${messageId}`;
    if (key && idempotency.lookup(key) !== undefined) {
      return { alreadySent: true };
    }
    const mail = { subject: render(subject, vars), body: render(body, vars) };

    // Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the result. A real sender
    // would hand the job's key to the mail service, which then drops the second request of a job that runs twice.
    log.info("mail rendered", { to, bodyBytes: new TextEncoder().encode(mail.body).length });
    if (key) {
      idempotency.record(key, true);
    }
    return { sent: true, to, ...mail, idempotencyKey: job.idempotencyKey };
  },
});

import { fatal } from "../flowmonkey/index.js";

/** Puts the value of each `{{name}}` in its place. Values are not searched for placeholders. */
export function render(template, vars) {
  return template.replace(/\{\{((?:(?!\}\})[^])*)(\}\})?/g, (_, inside, end) => {
    const name = inside.trim();
    if (end === undefined) {
      throw fatal("BAD_TEMPLATE", "a placeholder is not closed");
    }
    if (!Object.hasOwn(vars, name)) {
      throw fatal("MISSING_VARIABLE", `the placeholder ${JSON.stringify(name)} has no value`);
    }
    return vars[name];
  });
}

/** Catches slips, not every address that cannot exist: only the mail service knows those. */
export function isAddress(text) {
  return /^[^@\s\p{Cc}]+@[^@\s\p{Cc}]*\.[^@\s\p{Cc}]*$/u.test(text);
}

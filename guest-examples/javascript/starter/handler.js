import { defineHandler, fatal, fields } from "../flowmonkey/index.js";

export const { handler, metadata } = defineHandler({
  input: fields({ name: "string" }),

  run(ctx, { name }) {
    if (name === "") {
      throw fatal("BAD_NAME", "the name is empty");
    }
    ctx.log.info("greeting", { name });
    return { greeting: `Hello, ${name}!` };
  },
});

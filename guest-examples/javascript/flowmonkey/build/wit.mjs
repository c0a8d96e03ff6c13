// wasi:http has to be hidden from componentize-qjs. While it runs the bundle to take its snapshot, it gives the engine a
// real wasi:io and puts stubs in the place of what it does not know. Stubs of wasi:http would have to share the resources
// of that wasi:io and cannot; together with a wasi:io that is unknown as well they are all stubs, and fit.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Copies a folder of WIT, with `hidden` names for wasi:http and what it uses, and tells what the world imports. */
export function prepare(folder, world, copy) {
  let imports = [];
  for (const file of readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".wit"))) {
    const text = readFileSync(join(folder, file), "utf8");
    const to = join(copy, file);
    mkdirSync(dirname(to), { recursive: true });
    if (text.includes("package wasi:io@")) {
      writeFileSync(to.replace(/\.wit$/, "-hidden.wit"), hidden(text));
    }
    writeFileSync(to, hidden(text, text.includes("package wasi:http@") ? /wasi:(io|http)/g : /wasi:http/g));
    const [, body = ""] = new RegExp(`^world ${world} \\{([^}]*)\\}`, "m").exec(text) ?? [];
    imports = imports.concat(Array.from(body.matchAll(/import ([^;@]+)/g), ([, name]) => full(name)));
  }
  // Comes with the interface that uses its types.
  return imports.includes("wasi:http/outgoing-handler") ? [...imports, "wasi:http/types"] : imports;
}

function full(name) {
  return name.includes(":") ? name : `flowmonkey:jobs/${name}`;
}

/** A name under which componentize-qjs does not know an interface, of the same length. */
export function hidden(text, names = /wasi:(io|http)/g) {
  return text.replace(names, (name) => name.replace("wasi", "wasj"));
}

/** The component with its imports' names as they were. They are in the sections of id 10, and only lengths precede them. */
export function shown(component) {
  let position = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = component[position++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return value;
      }
    }
  };
  while (position < component.length) {
    const id = component[position++];
    const end = number() + position;
    for (let at = position; id === 10 && (at = component.indexOf("wasj:", at)) !== -1 && at < end; at += 1) {
      component.write("wasi:", at);
    }
    position = end;
  }
  return component;
}

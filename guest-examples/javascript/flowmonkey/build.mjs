// Makes a component out of a handler: node build.mjs ENTRY --wit FOLDER --world NAME --out FILE
//
// esbuild bundles the handler and its packages, componentize-qjs puts the bundle beside an engine. Both are looked for
// from the current folder upwards. What is in between is left in target/javascript.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, SourceMap } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { hidden, prepare, shown } from "./build/wit.mjs";
import { LINES, original } from "./failure.js";

const BINDINGS = dirname(fileURLToPath(import.meta.url));
const TARGET = resolve("target/javascript");

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    wit: { type: "string", default: "target/wit" },
    world: { type: "string", default: "build" },
    out: { type: "string", default: "handler.wasm" },
  },
});
rmSync(TARGET, { recursive: true, force: true });
mkdirSync(TARGET, { recursive: true });
try {
  const imports = prepare(flags.wit, flags.world, join(TARGET, "wit"));
  await bundle(positionals[0] ?? "handler.js", imports);
  await componentize(flags.world, flags.out);
} catch (error) {
  // esbuild has told its errors.
  if (!error.errors) {
    console.error(
      original(error.message.replace(/^: Failed to evaluate.*evaluation: /, "when the modules were loaded: ")),
    );
  }
  process.exitCode = 1;
}

function tool(name) {
  try {
    return createRequire(resolve("package.json"))(name);
  } catch (cause) {
    throw new Error(`${name} is missing, see package.json: run npm ci --ignore-scripts`, { cause });
  }
}

/** Writes handler.js. Interfaces that the world does not import become empty modules. */
async function bundle(entry, imports) {
  const host = {
    name: "host",
    setup(build) {
      build.onResolve({ filter: /^(flowmonkey|wasi):/ }, ({ path }) =>
        imports.includes(path) ? { path: hidden(path), external: true } : { path, namespace: "absent" },
      );
      build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "export {};" }));
    },
  };
  const { outputFiles, metafile } = await tool("esbuild").build({
    entryPoints: [entry],
    outfile: join(TARGET, "handler.js"),
    inject: [join(BINDINGS, "globals.js")],
    plugins: [host],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["module"],
    target: "es2023",
    // See globals/promise.js.
    supported: { "async-await": false, "async-generator": false, "for-await": false },
    logOverride: { "import-is-undefined": "silent" },
    sourcemap: "external",
    sourcesContent: false,
    metafile: true,
    charset: "utf8",
  });
  const exported = Object.values(metafile.outputs).flatMap((output) => output.exports);
  if (!["handler", "metadata"].every((name) => exported.includes(name))) {
    throw new Error(`${entry} must say: export const { handler, metadata } = defineHandler({ … })`);
  }
  const [map, code] = ["handler.js.map", "handler.js"].map(
    (name) => outputFiles.find(({ path }) => path.endsWith(name)).text,
  );
  globalThis[LINES] = lines(code, JSON.parse(map));
  const footer = `globalThis[Symbol.for(${JSON.stringify(LINES.description)})] = ${JSON.stringify(globalThis[LINES])};\n`;
  writeFileSync(join(TARGET, "handler.js"), code + footer);
}

/** For each line of the bundle the index of its file and its line there, or nothing: see `original` in failure.js. */
function lines(code, map) {
  const sources = new SourceMap(map);
  const files = [];
  const places = code.split("\n").map((text, line) => {
    const { generatedLine, originalSource, originalLine } = sources.findEntry(line, text.length);
    const path = originalSource && resolve(TARGET, originalSource);
    if (generatedLine !== line || !path || path.startsWith(BINDINGS + sep)) {
      return "";
    }
    const file = relative("", path).replaceAll(sep, "/");
    const index = files.includes(file) ? files.indexOf(file) : files.push(file) - 1;
    return `${index}:${originalLine + 1}`;
  });
  return [files.join("|"), places.join("|")];
}

async function componentize(world, out) {
  const jsPath = join(TARGET, "handler.js");
  const { component } = await tool("componentize-qjs").componentize({
    witPath: join(TARGET, "wit"),
    world,
    jsSource: readFileSync(jsPath, "utf8"),
    jsPath,
    moduleRoot: TARGET,
    sync: true,
    optSize: true,
  });
  writeFileSync(out, shown(component));
}

const KINDS = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: Array.isArray,
};

export function fields(kinds) {
  return {
    parse(input) {
      if (!KINDS.object(input)) {
        throw new TypeError("it must be an object");
      }
      const known = Object.entries(kinds).map(([name, kind]) => [name, field(input, name, kind)]);
      return { ...input, ...Object.fromEntries(known) };
    },
  };
}

function field(input, name, kind) {
  const value = Object.hasOwn(input, name) ? (input[name] ?? undefined) : undefined;
  const optional = kind.endsWith("?");
  const wanted = optional ? kind.slice(0, -1) : kind;
  if (value === undefined && !optional) {
    throw new TypeError(`its field ${name} is missing`);
  }
  if (value !== undefined && !KINDS[wanted](value)) {
    throw new TypeError(`its field ${name} must be of the kind ${wanted}`);
  }
  return value;
}

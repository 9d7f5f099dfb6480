import { isObject, type Json, type JsonObject, sameJson } from "../core/index.ts";

/** How a value is brought to one form before it is compared: the other side may keep it in another. */
export type Normal = "lower" | "trim" | "sorted" | "text" | "number";

/** The leaves of nested maps; a list is one leaf, and so is an empty map. */
export function leavesOf(
  value: JsonObject,
  above: readonly string[] = [],
): readonly { readonly path: readonly string[]; readonly value: Json }[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = [...above, name];
    return isObject(inner) && Object.keys(inner).length > 0 ? leavesOf(inner, path) : [{ path, value: inner as Json }];
  });
}

/** An object over another: maps are merged, everything else takes the place; null takes away. */
export function laid(under: JsonObject, over: JsonObject): JsonObject {
  const result: { [name: string]: Json } = { ...under };
  for (const [name, value] of Object.entries(over)) {
    const below = result[name];
    if (isObject(value) && isObject(below)) result[name] = laid(below, value);
    else result[name] = value as Json;
  }
  return result;
}

/** Those parts of an object that stand at the dotted paths; one that is missing is null, as most APIs take null for unset. */
export function projected(body: JsonObject, paths: readonly string[], normal: { readonly [path: string]: Normal }): JsonObject {
  let fields: JsonObject = {};
  for (const path of paths) {
    const steps = path.split(".");
    let value: Json | undefined = body;
    for (const step of steps) value = isObject(value) ? value[step] : undefined;
    const found = normalised(value ?? null, normal[path]);
    fields = laid(fields, steps.reduceRight<Json>((inner, step) => ({ [step]: inner }), found) as JsonObject);
  }
  return fields;
}

/** A value in the form in which it is compared. */
export function normalised(value: Json, how: Normal | undefined): Json {
  switch (how) {
    case undefined:
      return value;
    case "lower":
      return typeof value === "string" ? value.toLowerCase() : value;
    case "trim":
      return typeof value === "string" ? value.trim() : value;
    case "text":
      return value === null || typeof value === "object" ? value : String(value);
    case "number":
      return typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)) ? Number(value) : value;
    case "sorted":
      return Array.isArray(value)
        ? [...(value as Json[])].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : sameJson(a, b) ? 0 : 1))
        : value;
  }
}

import { isObject, type Json, type JsonObject } from "./json.ts";
import { asText } from "./result.ts";

/** What is wrong with a value, at a path within it. */
export interface Issue {
  readonly path: readonly (string | number)[];
  readonly summary: string;
  readonly detail: string;
}

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly issues: readonly Issue[] };

/** One field of a type: what it says, its JSON Schema, and how a value is checked and brought to its plain form. */
export interface Field<T = unknown> {
  /** One sentence or two for the reference. */
  readonly about: string;
  readonly schema: JsonObject;
  readonly required: boolean;
  /** The value where the field is left out. */
  readonly fallback?: Json;
  check(value: Json): Checked<T>;
}

export type Fields = { readonly [name: string]: Field };
export type ValueOf<F> = F extends Field<infer T> ? T : never;
/** The spec of a type: optional fields may be undefined, those with a fallback never are. */
export type SpecOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** A field that must be given, until `.optional()` or `.or(fallback)` makes another of it. */
export interface MustField<T> extends Field<T> {
  optional(): Field<T | undefined>;
  or<const V extends T & Json>(fallback: V): Field<T>;
}

const good = <T>(value: T): Checked<T> => ({ ok: true, value });

/** A check's refusal. */
export function issue(
  summary: string,
  detail: string,
  path: readonly (string | number)[] = [],
): { readonly ok: false; readonly issues: readonly Issue[] } {
  return { ok: false, issues: [{ path, summary, detail }] };
}

/** A value in a message: short, and never a whole map. */
export function showValue(value: Json): string {
  if (typeof value === "string") return value.length > 60 ? `${JSON.stringify(value.slice(0, 57))}…` : JSON.stringify(value);
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? "a map" : String(value);
}

function wrongType(wanted: string, value: Json): { readonly ok: false; readonly issues: readonly Issue[] } {
  return issue("wrong type", `this must be ${wanted}, not ${showValue(value)}`);
}

/** A field from its sentence, schema and check. */
export function field<T>(about: string, schema: JsonObject, check: (value: Json) => Checked<T>): MustField<T> {
  return {
    about,
    schema,
    required: true,
    check,
    optional: () => ({ about, schema, required: false, check }),
    or: (fallback) => ({ about, schema: { ...schema, default: fallback }, required: false, fallback, check }),
  };
}

export const text = (about: string): MustField<string> =>
  field(about, { type: "string" }, (value) =>
    typeof value === "string"
      ? good(asText(value))
      : typeof value === "number" || typeof value === "boolean"
        ? issue("wrong type", `this must be a text; quote it: "${value}"`)
        : wrongType("a text", value),
  );

/** A text that is not empty and holds no NUL, as paths and names must. */
export const path = (about: string): MustField<string> =>
  field(about, { type: "string", minLength: 1 }, (value) =>
    typeof value !== "string"
      ? wrongType("a path", value)
      : value === ""
        ? issue("empty path", "a path must have at least one character")
        : value.includes("\0")
          ? issue("NUL in a path", "no system takes a path with a NUL character")
          : good(asText(value)),
  );

export const boolean = (about: string): MustField<boolean> =>
  field(about, { type: "boolean" }, (value) =>
    typeof value === "boolean"
      ? good(value)
      : typeof value === "string" && /^(yes|no|on|off)$/i.test(value)
        ? issue("wrong type", `YAML 1.2 reads ${value} as a text: write ${/^(yes|on)$/i.test(value) ? "true" : "false"}`)
        : wrongType("true or false", value),
  );

export const integer = (about: string, limits: { readonly minimum?: number; readonly maximum?: number } = {}): MustField<number> =>
  field(about, { type: "integer", ...limits }, (value) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value)) return wrongType("a whole number", value);
    if (limits.minimum !== undefined && value < limits.minimum)
      return issue("number out of range", `${value} is less than ${limits.minimum}`);
    if (limits.maximum !== undefined && value > limits.maximum)
      return issue("number out of range", `${value} is more than ${limits.maximum}`);
    return good(value);
  });

export const choice = <const T extends string>(values: readonly T[], about: string): MustField<T> =>
  field(about, { enum: values }, (value) => {
    const found = values.find((one) => one === value);
    return found === undefined ? issue("not one of the choices", `${showValue(value)} is none of ${values.join(", ")}`) : good(found);
  });

/** Any JSON. */
export const anything = (about: string): MustField<Json> => field(about, {}, (value) => good(value));

export const listOf = <T>(item: Field<T>, about: string): MustField<readonly T[]> =>
  field(about, { type: "array", items: item.schema }, (value) => {
    if (!Array.isArray(value)) return wrongType("a list", value);
    const issues: Issue[] = [];
    const items: T[] = [];
    value.forEach((one: Json, index) => {
      const checked = item.check(one);
      if (checked.ok) items.push(checked.value);
      else issues.push(...checked.issues.map((found) => ({ ...found, path: [index, ...found.path] })));
    });
    return issues.length > 0 ? { ok: false, issues } : good(items);
  });

/** A list, or one item that stands for a list of one. */
export const listOrOne = <T>(item: Field<T>, about: string): MustField<readonly T[]> => {
  const list = listOf(item, about);
  return field(about, { anyOf: [item.schema, list.schema] }, (value) => {
    if (Array.isArray(value)) return list.check(value);
    const one = item.check(value);
    return one.ok ? good([one.value]) : one;
  });
};

export const mapOf = <T>(item: Field<T>, about: string): MustField<{ readonly [key: string]: T }> =>
  field(about, { type: "object", additionalProperties: item.schema }, (value) => {
    if (!isObject(value)) return wrongType("a map", value);
    const issues: Issue[] = [];
    const map: [string, T][] = [];
    for (const [key, one] of Object.entries(value)) {
      const checked = item.check(one);
      if (checked.ok) map.push([key, checked.value]);
      else issues.push(...checked.issues.map((found) => ({ ...found, path: [key, ...found.path] })));
    }
    return issues.length > 0 ? { ok: false, issues } : good(Object.fromEntries(map));
  });

/** The first of several forms that fits; where none does, the issues of the one that came nearest. */
export const eitherOf = <A, B>(first: Field<A>, second: Field<B>, about: string): MustField<A | B> =>
  field<A | B>(about, { anyOf: [first.schema, second.schema] }, (value) => {
    const one = first.check(value);
    if (one.ok) return one;
    const other = second.check(value);
    if (other.ok) return other;
    return other.issues.some((found) => found.path.length > 0) ? other : one;
  });

/** A map with fields of its own. */
export const mapping = <const F extends Fields>(fields: F, about: string): MustField<SpecOf<F>> =>
  field(about, mapSchema(fields), (value) =>
    isObject(value) ? (checkFields(fields, value) as Checked<SpecOf<F>>) : wrongType("a map", value),
  );

/** An argv list of at least one word. */
export const argv = (about: string): MustField<readonly string[]> =>
  field(about, { type: "array", items: { type: "string" }, minItems: 1 }, (value) => {
    if (typeof value === "string")
      return issue(
        "wrong type",
        `this must be a list of words, such as [${value
          .split(/\s+/)
          .map((word) => JSON.stringify(word))
          .join(", ")}]: no shell reads it`,
      );
    if (!Array.isArray(value)) return wrongType("a list of words", value);
    if (value.length === 0) return issue("empty command", "the list must at least name a program");
    const wrong = value.findIndex((word) => typeof word !== "string");
    if (wrong >= 0) return issue("wrong type", `each word must be a text; quote ${showValue(value[wrong] as Json)}`, [wrong]);
    if ((value as string[]).some((word) => word.includes("\0")))
      return issue("NUL in a word", "no program takes a NUL character in an argument");
    return good(value as string[]);
  });

function mapSchema(fields: Fields): JsonObject {
  const required = Object.entries(fields)
    .filter(([, one]) => one.required)
    .map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, { ...one.schema, description: one.about }])),
    additionalProperties: false,
    ...(required.length > 0 && { required }),
  };
}

/** The JSON Schema of a map with these fields. */
export const schemaOf = mapSchema;

/**
 * Checks a map against fields: unknown and missing keys, each value, defaults filled in.
 * `known` are further keys that are somebody else's.
 */
export function checkFields(fields: Fields, map: JsonObject, known: ReadonlySet<string> = new Set()): Checked<JsonObject> {
  const issues: Issue[] = [];
  const spec: Record<string, Json> = {};
  for (const key of Object.keys(map)) {
    if (Object.hasOwn(fields, key) || known.has(key)) continue;
    const near = nearest(key, [...Object.keys(fields), ...known]);
    issues.push({
      path: [key],
      summary: "unknown key",
      detail: `there is no \`${key}\` here${near === undefined ? `; known are ${Object.keys(fields).join(", ")}` : `; did you mean \`${near}\`?`}`,
    });
  }
  for (const [name, one] of Object.entries(fields)) {
    const value = map[name];
    if (value === undefined) {
      if (one.required) issues.push({ path: [], summary: "missing key", detail: `\`${name}\` is needed: ${one.about}` });
      else if (one.fallback !== undefined) spec[name] = one.fallback;
      continue;
    }
    const checked = one.check(value);
    if (checked.ok) spec[name] = checked.value as Json;
    else issues.push(...checked.issues.map((found) => ({ ...found, path: [name, ...found.path] })));
  }
  return issues.length > 0 ? { ok: false, issues } : good(spec);
}

/** The name among the candidates that is at most a third of its letters away; for "did you mean". */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), least);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Levenshtein's distance with swapped neighbours counted as one edit; gives up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? limit;
}

import { isObject, type Json, sha256 } from "../core/index.ts";
import { dirname } from "./paths.ts";

/** What a function of expressions is handed besides its arguments: what is loaded only when it is called. */
export interface Helpers {
  linearTest(pattern: string, text: string): boolean;
  toYaml(value: Json): string;
}

/** A function of expressions, beside those of CEL. Whole numbers come in as bigint and must go out so, as CEL has them. */
export interface ExpressionFunction {
  /** CEL signatures; `string.lower()` is called as `x.lower()`. */
  readonly forms: readonly string[];
  /** One line for the reference. */
  readonly about: string;
  /** The helper that it needs, if any. */
  readonly needs?: keyof Helpers;
  run(helpers: Helpers, ...values: readonly CelValue[]): CelValue;
}

/** A value as CEL has it: like JSON, but whole numbers are bigint. */
export type CelValue = null | boolean | number | bigint | string | readonly CelValue[] | { readonly [key: string]: CelValue };

/** JSON as CEL has it. */
export function toCel(value: Json): CelValue {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(toCel);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toCel(one)]));
}

/** A value of CEL as JSON; throws where JSON has none such. */
export function fromCel(value: unknown): Json {
  if (typeof value === "bigint") {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new Error(`${value} is too large a number to be exact`);
    return number;
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error(`the result ${value} is no number that JSON has`);
    return value;
  }
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [String(key), fromCel(one)]));
  if (value instanceof Uint8Array) throw new Error("the result is bytes: make it a text with string(…) or b64encode(…)");
  if (value instanceof Date) throw new Error("the result is a time, which has no place in a playbook");
  const name = (value as object | undefined)?.constructor?.name;
  if (name === "Optional") throw new Error("the result may be absent: end with .orValue(…)");
  if (name === "UnsignedInteger") return fromCel(BigInt((value as { value: bigint | number }).value));
  if (isObject(value) && (name === "Object" || name === undefined))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fromCel(one)]));
  throw new Error(`the result (${name ?? typeof value}) has no place in a playbook`);
}

const str = (value: CelValue | undefined): string => value as string;
const list = (value: CelValue | undefined): readonly CelValue[] => value as readonly CelValue[];
const text = (value: CelValue): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? Number(one) : one)) ?? "null";

/** Order of a list: numbers by size, texts by code units. Throws where the list is mixed. */
function compare(a: CelValue, b: CelValue): number {
  const numbers = (typeof a === "number" || typeof a === "bigint") && (typeof b === "number" || typeof b === "bigint");
  if (!numbers && (typeof a !== "string" || typeof b !== "string")) throw new Error("sort takes a list of texts or of numbers");
  return a < b ? -1 : a > b ? 1 : 0;
}

function range(from: bigint, to: bigint): readonly bigint[] {
  if (to - from > 10_000n) throw new Error("range gives at most 10000 numbers");
  return Array.from({ length: Math.max(0, Number(to - from)) }, (_, index) => from + BigInt(index));
}

/** All functions that expressions have beside CEL's own (size, contains, startsWith, endsWith, substring, string, int, double, has, map, filter, all, exists …). */
export const expressionFunctions: readonly ExpressionFunction[] = [
  { forms: ["lower(string): string", "string.lower(): string"], about: "A text in small letters.", run: (_, a) => str(a).toLowerCase() },
  { forms: ["upper(string): string", "string.upper(): string"], about: "A text in capital letters.", run: (_, a) => str(a).toUpperCase() },
  { forms: ["trim(string): string"], about: "A text without blanks at its ends; also x.trim().", run: (_, a) => str(a).trim() },
  {
    forms: ["split(string, string): list<string>"],
    about: "The parts of a text between a separator; also x.split(s).",
    run: (_, a, b) => str(a).split(str(b)),
  },
  {
    forms: ["join(list, string): string", "list.join(string): string"],
    about: "The items of a list as one text, with a separator between them.",
    run: (_, a, b) =>
      list(a)
        .map((item) => (typeof item === "object" ? text(item) : String(item)))
        .join(str(b)),
  },
  {
    forms: ["replace(string, string, string): string", "string.replace(string, string): string"],
    about: "A text with every occurrence of one text replaced by another.",
    run: (_, a, b, c) => str(a).replaceAll(str(b), () => str(c)),
  },
  {
    forms: ["string.regex(string): bool", "matches(string, string): bool"],
    about: "Whether a text holds a match of a pattern (RE2, time linear in the text); x.matches(p) is the same.",
    needs: "linearTest",
    run: (helpers, a, b) => helpers.linearTest(str(b), str(a)),
  },
  { forms: ["keys(map): list"], about: "The keys of a map, sorted.", run: (_, a) => Object.keys(a as object).sort() },
  {
    forms: ["values(map): list"],
    about: "The values of a map, in the order of its sorted keys.",
    run: (_, a) =>
      Object.entries(a as object)
        .sort(([one], [other]) => compare(one, other))
        .map(([, value]) => value as CelValue),
  },
  {
    forms: ["sort(list): list", "list.sort(): list"],
    about: "A list of texts or of numbers, sorted.",
    run: (_, a) => [...list(a)].sort(compare),
  },
  {
    forms: ["unique(list): list", "list.unique(): list"],
    about: "A list without what already came before.",
    run: (_, a) => [...new Map(list(a).map((item) => [text(item), item])).values()],
  },
  {
    forms: ["flatten(list): list", "list.flatten(): list"],
    about: "A list of lists as one list (one level).",
    run: (_, a) => list(a).flatMap((item) => (Array.isArray(item) ? (item as CelValue[]) : [item])),
  },
  { forms: ["toJson(dyn): string"], about: "A value as JSON text.", run: (_, a) => JSON.stringify(fromCel(a)) },
  { forms: ["fromJson(string): dyn"], about: "The value of a JSON text.", run: (_, a) => toCel(JSON.parse(str(a)) as Json) },
  {
    forms: ["toYaml(dyn): string"],
    about: "A value as YAML text, with a newline at the end.",
    needs: "toYaml",
    run: (helpers, a) => helpers.toYaml(fromCel(a)),
  },
  { forms: ["b64encode(string): string"], about: "The base64 of a text's UTF-8.", run: (_, a) => Buffer.from(str(a)).toString("base64") },
  {
    forms: ["b64decode(string): string"],
    about: "The UTF-8 text that a base64 text stands for.",
    run: (_, a) => {
      const bytes = Buffer.from(str(a), "base64");
      if (bytes.toString("base64").replace(/=+$/, "") !== str(a).trim().replace(/=+$/, "")) throw new Error("b64decode takes base64");
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    },
  },
  { forms: ["sha256(string): string"], about: "The sha256 of a text's UTF-8, in 64 hex digits.", run: (_, a) => sha256(str(a)) },
  {
    forms: ["basename(string): string"],
    about: "The last part of a path.",
    run: (_, a) => str(a).replace(/\/+$/, "").split("/").at(-1) || (str(a).startsWith("/") ? "/" : ""),
  },
  { forms: ["dirname(string): string"], about: "A path without its last part.", run: (_, a) => dirname(str(a)) },
  { forms: ["range(int): list<int>"], about: "The numbers from 0 up to, not including, a number.", run: (_, a) => range(0n, a as bigint) },
  {
    forms: ["range(int, int): list<int>"],
    about: "The numbers from one up to, not including, another.",
    run: (_, a, b) => range(a as bigint, b as bigint),
  },
];

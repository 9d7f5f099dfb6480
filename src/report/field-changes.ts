import { type Change, isObject, type Json, type JsonObject, type State, sameJson } from "../core/index.ts";
import { contentOf } from "./content-change.ts";
import { safeLine } from "./safe.ts";

/** A part of a state that a change sets; texts are safe to print. */
export interface FieldChange {
  readonly name: string;
  /** Undefined where the state has no such field. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** What a value of a sensitive change looks like. */
const hiddenValue = "(sensitive)";
const openFields: ReadonlySet<string> = new Set(["mode", "owner", "group", "is"]);
const longest = 160;

/**
 * The fields in which the ends of a change differ, contents apart. A field that `after` leaves out is free and does not count.
 * `hide` keeps all values back but those of common attributes.
 */
export function fieldChanges(
  { before, after, action }: Pick<Change, "before" | "after" | "action">,
  options: { readonly hide: boolean; readonly full: boolean },
): FieldChange[] {
  const found: FieldChange[] = [];
  const text = (name: string, value: Json | undefined): string | undefined => {
    if (value === undefined) return undefined;
    return options.hide && !openFields.has(name) ? hiddenValue : valueText(name, value, options.full);
  };
  const compare = (path: string, name: string, left: Json | undefined, right: Json | undefined, depth: number): void => {
    if (sameJson(left, right)) return;
    if (depth < 6 && isPlainMap(left) && isPlainMap(right)) {
      for (const key of keysOf(left, right)) compare(`${path}.${key}`, key, left[key], right[key], depth + 1);
      return;
    }
    found.push({ name: safeLine(path), before: text(name, left), after: text(name, right) });
  };
  const gone = action === "delete" && after.is === "absent";
  const made = before.is === "absent";
  for (const key of keysOf(before, after)) {
    // What only helps to set it is nobody's change.
    if (key.startsWith("~")) continue;
    if (key === "is" ? made || gone : isContent(key, before, after)) continue;
    // Left out is free; and where another sort of thing comes, only what will be counts.
    if (after[key] === undefined && !gone) continue;
    compare(key === "is" ? "type" : key === "to" ? "target" : key, key, before[key], after[key], 0);
  }
  return found;
}

function isContent(key: string, before: State, after: State): boolean {
  const has = contentOf(before) !== undefined || contentOf(after) !== undefined;
  return has && (key === "content" || key === "size");
}

function isPlainMap(value: Json | undefined): value is JsonObject {
  return isObject(value) && value.$secret === undefined;
}

function keysOf(before: JsonObject, after: JsonObject): string[] {
  return [...new Set([...Object.keys(after), ...Object.keys(before)])];
}

/** A value of a state in one line, safe to print. `mode` is octal, digests are short, secrets do not show. */
export function valueText(name: string, value: Json, full = false): string {
  const text = safeLine(rawText(name, value));
  return full || text.length <= longest ? text : `${[...text].slice(0, longest).join("")}... (${text.length} characters)`;
}

function rawText(name: string, value: Json): string {
  if (/(?:^|_)mode$/.test(name) && typeof value === "number" && Number.isInteger(value) && value >= 0)
    return value.toString(8).padStart(4, "0");
  if (typeof value === "string") {
    if (/^[0-9a-f]{64}$/.test(value)) return value.slice(0, 12);
    if (value.startsWith("keyed:")) return hiddenValue;
    return value === "" || value !== value.trim() ? JSON.stringify(value) : value;
  }
  if (Array.isArray(value)) {
    return value.every((item) => typeof item !== "object" || item === null)
      ? `[${value.map((item) => rawText("", item as Json)).join(", ")}]`
      : JSON.stringify(withoutSecrets(value));
  }
  if (isObject(value)) return value.$secret === undefined ? JSON.stringify(withoutSecrets(value)) : hiddenValue;
  return String(value);
}

function withoutSecrets(value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item as Json));
  if (!isObject(value)) return value;
  if (value.$secret !== undefined) return hiddenValue;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutSecrets(item)]));
}

/** A state in one line: its sort, then the given fields of it. Safe to print. */
export function stateText(state: State, fields: readonly string[] = Object.keys(state)): string {
  const parts = fields
    .filter((key) => key !== "is" && state[key] !== undefined)
    .map((key) => `${safeLine(key)} ${valueText(key, state[key] as Json)}`);
  return [safeLine(state.is), ...parts].join(", ");
}

/** The fields in which any two of the states differ. */
export function differingFields(states: readonly State[]): string[] {
  const keys = new Set(states.flatMap((state) => Object.keys(state)));
  return [...keys].filter((key) => states.some((state) => !sameJson(state[key], states[0]?.[key])));
}

import { isObject, type Json } from "./json.ts";
import type { Manner, State } from "./register.ts";

/** Attributes that tell nothing of what is sensitive. */
const OPEN: ReadonlySet<string> = new Set(["is", "mode", "owner", "group", "uid", "gid"]);

/** A state as reports may show it: of a sensitive register the names of its fields without their values. Never one to act on. */
export function shownState<S extends State | undefined>(state: S, manner: Manner | undefined): S {
  if (state === undefined || manner?.sensitive !== true) return state;
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, OPEN.has(name) ? value : hidden(value as Json)])) as S;
}

function hidden(value: Json): Json {
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hidden(one as Json)]));
  return typeof value === "string" && value.startsWith("keyed:") ? value : "(sensitive)";
}

import { isObject, type Json } from "./json.ts";
import { percentDecoded } from "./sql.ts";

/** What `result('call:x').id` stands for until it is known: `⟦result:call%3Ax:id⟧`. */
export const RESULT_MARK = "⟦result:";
const MARK = /⟦result:([^:⟧]*):([^:⟧]*)(?::(text|json|within))?⟧/g;
const WHOLE = /^⟦result:([^:⟧]*):([^:⟧]*)(?::(text|json|within))?⟧$/;
const PLAIN = /⟦result:([^:⟧]*):([^:⟧]*)⟧/g;

/** A part of what another resource's effect gave. */
export interface ResultReference {
  /** In a playbook the resource's address; in settings the key of its receipt. */
  readonly of: string;
  readonly path: readonly string[];
  /** It becomes part of a text, whatever it is: `text` as it is, `json` as JSON, `within` as a part of a text in JSON. */
  readonly form?: Form;
}

type Form = "text" | "json" | "within";

export function resultMark({ of, path, form }: ResultReference): string {
  return `${RESULT_MARK}${encodeURIComponent(of)}:${path.map(encodeURIComponent).join("/")}${form === undefined ? "" : `:${form}`}⟧`;
}

/** A text that stays one, whatever the result is that it waits for. */
export function asText(text: string): string {
  const [, of, path] = WHOLE.exec(text) ?? [];
  return of === undefined ? text : resultMark({ ...referenceOf(of, path), form: "text" });
}

/** A value as JSON text that stays JSON, whatever the results are that it waits for. */
export function asJson(value: Json): string {
  const text = JSON.stringify(value);
  if (!text.includes(RESULT_MARK)) return text;
  // Alone it is a value of its own; a name is always a text.
  return text.replace(/"⟦result:([^:⟧]*):([^:⟧]*)⟧"(?!:)/g, "⟦result:$1:$2:json⟧").replace(PLAIN, "⟦result:$1:$2:within⟧");
}

/** Whether a text, or one anywhere within a value, waits for a result. */
export function holdsResult(value: Json | undefined): boolean {
  if (typeof value === "string") return value.includes(RESULT_MARK);
  if (typeof value !== "object" || value === null) return false;
  for (const [key, item] of Object.entries(value)) if (key.includes(RESULT_MARK) || holdsResult(item as Json)) return true;
  return false;
}

/** A text for people: a result that it waits for is `(known after call:x)`. `json`: within JSON text. */
export function shownResults(text: string, json = false): string {
  if (!text.includes(RESULT_MARK)) return text;
  return text.replace(MARK, (_mark, of: string) => {
    const words = `(known after ${addressIn(decoded(of))})`;
    return json ? JSON.stringify(words).slice(1, -1) : words;
  });
}

/** A text that becomes part of an address: it stays as it is when the result is known. */
export function namedResults(text: string): string {
  return text.replace(MARK, (_mark, of: string, path: string) => `result(${[decoded(of), ...referenceOf(of, path).path].join(".")})`);
}

/** The address in the key of a receipt, before which its stack stands. */
export function addressIn(key: string): string {
  const at = key.indexOf("/");
  return key.slice(0, at).includes(":") ? key : key.slice(at + 1);
}

/** All results that a value waits for. */
export function resultsIn(value: Json): readonly ResultReference[] {
  if (typeof value === "string") return [...value.matchAll(MARK)].map(([, of = "", path = ""]) => referenceOf(of, path));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [...resultsIn(key), ...resultsIn(item as Json)]);
}

/** The value with what each reference gives in its place; one that is the whole of a text keeps its type. */
export function withResults<T extends Json>(value: T, give: (reference: ResultReference) => Json): T {
  return walk(value, give) as T;
}

function walk(value: Json, give: (reference: ResultReference) => Json): Json {
  if (typeof value === "string") {
    if (!value.includes(RESULT_MARK)) return value;
    const whole = WHOLE.exec(value);
    if (whole !== null && whole[3] === undefined) return give(referenceOf(whole[1], whole[2]));
    return value.replace(MARK, (_mark, of: string, path: string, form: Form | undefined) =>
      worded(give({ ...referenceOf(of, path), ...(form && { form }) }), form),
    );
  }
  if (Array.isArray(value)) return value.map((item) => walk(item as Json, give));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [walk(key, give) as string, walk(item, give)]));
}

/** A result as a part of a text. A mark in its place is one already. */
function worded(found: Json, form: Form | undefined): string {
  if (typeof found === "string" && WHOLE.test(found)) return found;
  if (form === "json") return JSON.stringify(found);
  const text = typeof found === "string" ? found : JSON.stringify(found);
  return form === "within" ? JSON.stringify(text).slice(1, -1) : text;
}

function referenceOf(of = "", path = ""): ResultReference {
  return { of: decoded(of), path: path === "" ? [] : path.split("/").map(decoded) };
}

/** What is not well-formed is no mark of ours: somebody's text looks like one. */
function decoded(text: string): string {
  return percentDecoded(text) ?? text;
}

import { isObject, type Json } from "./json.ts";

/** What `result('call:x').id` stands for until it is known: `⟦result:call%3Ax:id⟧`. */
export const RESULT_MARK = "⟦result:";
const MARK = /⟦result:([^:⟧]*):([^⟧]*)⟧/g;
const WHOLE = /^⟦result:([^:⟧]*):([^⟧]*)⟧$/;

/** A part of what another resource's effect gave. */
export interface ResultReference {
  /** In a playbook the resource's address; in settings the key of its receipt. */
  readonly of: string;
  readonly path: readonly string[];
}

export function resultMark({ of, path }: ResultReference): string {
  return `${RESULT_MARK}${encodeURIComponent(of)}:${path.map(encodeURIComponent).join("/")}⟧`;
}

/** Whether a text, or one anywhere within a value, waits for a result. */
export function holdsResult(value: Json | undefined): boolean {
  if (typeof value === "string") return value.includes(RESULT_MARK);
  if (typeof value !== "object" || value === null) return false;
  for (const [key, item] of Object.entries(value)) if (key.includes(RESULT_MARK) || holdsResult(item as Json)) return true;
  return false;
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
    if (whole) return give(referenceOf(whole[1] ?? "", whole[2] ?? ""));
    return value.replace(MARK, (_mark, of: string, path: string) => {
      const found = give(referenceOf(of, path));
      return typeof found === "string" ? found : JSON.stringify(found);
    });
  }
  if (Array.isArray(value)) return value.map((item) => walk(item as Json, give));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [walk(key, give) as string, walk(item, give)]));
}

function referenceOf(of: string, path: string): ResultReference {
  return { of: decodeURIComponent(of), path: path === "" ? [] : path.split("/").map(decodeURIComponent) };
}

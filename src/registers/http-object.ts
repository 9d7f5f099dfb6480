import {
  type Goal,
  type HttpOperation,
  isObject,
  type Json,
  type JsonObject,
  type Label,
  originOf,
  type PollData,
  type Reader,
  type Register,
  type RegisterKind,
  type RequestData,
  SystemFault,
  sameJson,
} from "../core/index.ts";
import { type Collection, findItem } from "./http-collection.ts";
import { laid, leavesOf, type Normal, projected } from "./http-fields.ts";

/**
 * An object at a URL. `fields` are those that are declared, and all that is compared. With `~` begin what only helps to
 * set it: its entity tag, the object whole, and its URL.
 */
export type HttpState =
  | { readonly is: "absent" }
  | {
      readonly is: "object";
      readonly fields: JsonObject;
      readonly "~etag"?: string;
      readonly "~body"?: JsonObject;
      /** Of an item of a collection: where it was found. */
      readonly "~url"?: string;
    };

/** The `about` of an object. */
export type HttpAbout = {
  /** Where it is read, if that is not where it is written. */
  readonly read_from?: string;
  /** What every request has: credentials, headers, ways of connecting. */
  readonly way: Omit<RequestData, "method" | "url" | "body">;
  readonly create?: { readonly method: string; readonly url: string };
  /** It is the item of a collection with these fields. */
  readonly of?: Collection;
  readonly update: "put" | "merge_patch" | "json_patch";
  /** Dotted paths of the fields that are compared. */
  readonly fields: readonly string[];
  readonly normalise?: { readonly [path: string]: Normal };
  readonly poll?: PollData;
};

/** Objects of HTTP APIs: GET, compare, and a conditional PUT, PATCH or DELETE. */
export const httpObject: RegisterKind<HttpState> = {
  kind: "http",

  read: (registers, reader) => Promise.all(registers.map((register) => readOne(register, reader))),

  transition(register, from, to): readonly HttpOperation[] {
    const { way, create, of, poll } = aboutOf(register);
    const more = poll ? { poll } : {};
    const send = (request: RequestData, condition?: HttpOperation["condition"]): HttpOperation => ({
      do: "http",
      request: { ...way, ...request, headers: { ...way.headers, ...request.headers } },
      ...(condition && { condition }),
      ...more,
    });
    if (from.is === "absent" && to.is === "absent") return [];
    if (from.is === "absent" && to.is === "object") {
      const body = laid(to["~body"] ?? {}, to.fields);
      if (of) return [send({ method: "POST", url: of.url, ...create, body: laid(of.key, body) })];
      // What a PUT makes must not take the place of what somebody else made just now.
      return [create ? send({ ...create, body }) : send({ method: "PUT", url: register.key, body }, { if_none_match: "*" })];
    }
    const condition = from.is === "object" && isStrong(from["~etag"]) ? { if_match: from["~etag"] as string } : undefined;
    if (to.is === "absent") return [send({ method: "DELETE", url: urlOf(register, from) }, condition)];
    if (from.is !== "object" || sameJson(from.fields, to.fields)) return [];
    return [send(updateOf(register, from, to), condition)];
  },

  note(register, from, to) {
    if (from.is !== "object" || isStrong(from["~etag"])) return undefined;
    const tests = to.is === "object" && aboutOf(register).update === "json_patch";
    return tests ? undefined : "last-write-wins";
  },

  // What the other side made of it by itself, its id above all, cannot be had back.
  label: (_register, from, to): Label => (from.is === "object" && to.is === "absent" ? "compensated" : "exact"),

  lean(before, after) {
    if (before.is !== "object" || after.is === "absent") return before;
    const { "~body": _, ...rest } = before;
    return rest;
  },

  origin: (register) => originOf(register.key),
};

/** The declared fields have the declared values; the others are left as they are. */
const objectGoal: Goal = {
  kind: "http",
  name: "object",
  converge(now: HttpState, want: { readonly fields: JsonObject }) {
    if (now.is === "object" && sameJson(now.fields, want.fields)) return now;
    return { is: "object", fields: want.fields };
  },
  release: (now: HttpState, _want: JsonObject, was: HttpState) => (was.is === "object" ? { is: "object", fields: was.fields } : now),
} as Goal<HttpState, { readonly fields: JsonObject }> as unknown as Goal;

const absentGoal: Goal = {
  kind: "http",
  name: "absent",
  converge: () => ({ is: "absent" }),
} as Goal;

export const httpGoals: readonly Goal[] = [objectGoal, absentGoal];

function aboutOf(register: Register): HttpAbout {
  return register.about as unknown as HttpAbout;
}

async function readOne(register: Register, reader: Reader): Promise<HttpState> {
  const { way, read_from, of, fields, normalise } = aboutOf(register);
  const place = of ? await findItem(of, way, reader) : undefined;
  if (of && place === undefined) return { is: "absent" };
  const url = place ?? read_from ?? register.key;
  const response = await reader.remote.http({ ...way, method: "GET", url });
  if (response.status >= 300) return { is: "absent" };
  let body: Json;
  try {
    body = JSON.parse(response.body.toString("utf8")) as Json;
  } catch (thrown) {
    throw new SystemFault("not-json", `GET ${url}: the answer is no JSON`, { cause: thrown, peer: { retry: false, counts: false } });
  }
  if (!isObject(body))
    throw new SystemFault("not-an-object", `GET ${url}: the answer is no JSON object`, { peer: { retry: false, counts: false } });
  const { etag } = response.headers;
  return {
    is: "object",
    fields: projected(body, fields, normalise ?? {}),
    ...(etag !== undefined && { "~etag": etag }),
    "~body": body,
    ...(place !== undefined && { "~url": place }),
  };
}

/** Where an object stands: an item of a collection where it was found. */
function urlOf(register: Register, state: HttpState): string {
  return (state.is === "object" ? state["~url"] : undefined) ?? register.key;
}

/** If-Match compares strongly (RFC 9110 §13.1.1): a weak tag never matches. */
function isStrong(etag: string | undefined): boolean {
  return etag?.startsWith('"') === true;
}

function updateOf(register: Register, from: HttpState & { readonly is: "object" }, to: HttpState & { readonly is: "object" }): RequestData {
  const url = urlOf(register, from);
  const changed = leavesOf(to.fields).filter(({ path, value }) => !sameJson(at(from.fields, path), value));
  switch (aboutOf(register).update) {
    case "put":
      return { method: "PUT", url, body: laid(from["~body"] ?? {}, to.fields) };
    case "merge_patch": // RFC 7396
      return {
        method: "PATCH",
        url,
        headers: { "content-type": "application/merge-patch+json" },
        body: changed.reduce<JsonObject>((patch, { path, value }) => laid(patch, nested(path, value)), {}),
      };
    case "json_patch": // RFC 6902; the tests make it a compare-and-set where there is no entity tag
      return {
        method: "PATCH",
        url,
        headers: { "content-type": "application/json-patch+json" },
        body: changed.flatMap(({ path, value }) => patchOf(from["~body"] ?? {}, path, value)),
      };
  }
}

function patchOf(body: JsonObject, path: readonly string[], value: Json): readonly JsonObject[] {
  const pointer = path.map((step) => `/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  const now = at(body, path);
  if (now === undefined) return value === null ? [] : [{ op: "add", path: pointer, value }];
  const test = { op: "test", path: pointer, value: now };
  return value === null ? [test, { op: "remove", path: pointer }] : [test, { op: "replace", path: pointer, value }];
}

function at(value: Json | undefined, path: readonly string[]): Json | undefined {
  let found = value;
  for (const step of path) found = isObject(found) ? found[step] : undefined;
  return found;
}

function nested(path: readonly string[], value: Json): JsonObject {
  return path.reduceRight<Json>((inner, step) => ({ [step]: inner }), value) as JsonObject;
}

/** The register of the object at a URL. */
export function httpRegister(url: string, about: HttpAbout): Register & { readonly about: JsonObject } {
  const named = Object.entries(about.of?.key ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
  const key = named.length === 0 ? url : `${url}#${new URLSearchParams(named.sort())}`;
  return { kind: "http", key, about: about as unknown as JsonObject };
}

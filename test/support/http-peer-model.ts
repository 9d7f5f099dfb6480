import { createHash } from "node:crypto";
import { isObject, type Json, type JsonObject } from "../../src/core/index.ts";

/** A request as it reached the peer. */
export interface PeerRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

export interface PeerAnswer {
  readonly status: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: Json | string;
}

/** What goes wrong with one request. `executed`: it is carried out all the same. */
export type PeerFault =
  | { readonly do: "drop"; readonly executed: boolean }
  | { readonly do: "answer"; readonly answer: PeerAnswer; readonly executed?: boolean }
  | { readonly do: "delay"; readonly ms: number }
  /** The head comes at once, the body in pieces over so many ms. */
  | { readonly do: "slow"; readonly ms: number };

/** Something that was done because of a POST. */
export interface Deed {
  readonly id: number;
  readonly path: string;
  readonly key: string | undefined;
  readonly body: Json;
  /** Wall ms by the peer's clock. */
  readonly at: number;
}

export interface PeerManner {
  /** Entity tags of objects. */
  readonly etags?: "strong" | "weak" | "none";
  /** Whether a write without a condition is refused (428). */
  readonly conditional?: boolean;
  /** For how long a key is known, in ms by `now`; 0: there is no deduplication. */
  readonly dedupe?: number;
  /** Paths whose POST does something; all others are objects. */
  readonly deeds?: readonly string[];
  /** Deeds under these paths are accepted (202) and done after so many questions. */
  readonly later?: { readonly [path: string]: number };
  /** Paths of collections: objects are made by POST to them, and listed so many a page. */
  readonly collections?: { readonly [path: string]: { readonly page: number } };
  /** What a request must have as `authorization`; others are refused (401). */
  readonly authorization?: string;
  /** Clients that may have tokens, by id; then every other request needs the newest token. */
  readonly clients?: { readonly [id: string]: string };
  readonly now?: () => number;
}

/** Another machine with an HTTP API, in memory: objects with entity tags, collections, deeds that are deduplicated by their key. */
export class PeerModel {
  readonly objects = new Map<string, JsonObject>();
  readonly deeds: Deed[] = [];
  /** All requests in order, with the status of their answer (0: none). */
  readonly seen: (PeerRequest & { status: number })[] = [];
  manner: PeerManner;
  /** What becomes of a request; it counts all requests from 1. */
  fault: (request: PeerRequest, n: number) => PeerFault | undefined = () => undefined;
  /** Called before a request is carried out, as somebody else may be at work too. */
  before: (request: PeerRequest) => void = () => undefined;
  private readonly stored = new Map<string, { readonly body: string; readonly answer: PeerAnswer; readonly at: number }>();
  private readonly jobs = new Map<string, { left: number; readonly deed: Deed }>();
  private token = 0;
  private count = 0;
  private ids = 100;

  constructor(manner: PeerManner = {}) {
    this.manner = manner;
  }

  /** The requests that may change something. */
  get writes(): readonly (PeerRequest & { status: number })[] {
    return this.seen.filter(({ method }) => method !== "GET" && method !== "HEAD");
  }

  /** No key is known any more. */
  forget(): void {
    this.stored.clear();
  }

  /** The newest token is not accepted any more. */
  revokeToken(): void {
    this.token += 1;
  }

  /** Faults for the next requests that fit, one each. */
  next(fits: (request: PeerRequest) => boolean, ...faults: readonly PeerFault[]): void {
    const rest = [...faults];
    const earlier = this.fault;
    this.fault = (request, n) => earlier(request, n) ?? (fits(request) ? rest.shift() : undefined);
  }

  /** One request: what is answered, and how it is lost on the way. */
  take(request: PeerRequest): { readonly answer: PeerAnswer; readonly fault: PeerFault | undefined } {
    this.count += 1;
    const fault = this.fault(request, this.count);
    const entry = { ...request, status: 0 };
    this.seen.push(entry);
    const skips = (fault?.do === "drop" && !fault.executed) || (fault?.do === "answer" && fault.executed !== true);
    if (!skips) this.before(request);
    const own = skips ? { status: 500 } : this.carryOut(request);
    const answer = fault?.do === "answer" ? fault.answer : own;
    if (fault?.do !== "drop") entry.status = answer.status;
    return { answer, fault };
  }

  private carryOut(request: PeerRequest): PeerAnswer {
    const { pathname, searchParams } = new URL(request.target, "http://peer");
    const refused = this.refusal(request, pathname);
    if (refused) return refused;
    if (pathname === "/token") return this.newToken(request);
    if (pathname.startsWith("/jobs/")) return this.job(pathname);
    if (this.manner.deeds?.includes(pathname)) return this.deed(request, pathname, searchParams);
    const collection = this.manner.collections?.[pathname];
    if (collection) return this.collection(request, pathname, searchParams, collection.page);
    return this.object(request, pathname);
  }

  private refusal({ headers }: PeerRequest, path: string): PeerAnswer | undefined {
    const { authorization, clients } = this.manner;
    if (authorization !== undefined && headers.authorization !== authorization) return { status: 401 };
    if (clients === undefined || path === "/token" || headers.authorization === `Bearer token-${this.token}`) return undefined;
    return { status: 401, headers: { "www-authenticate": "Bearer" } };
  }

  private newToken({ headers, body }: PeerRequest): PeerAnswer {
    const [id = "", secret = ""] = Buffer.from((headers.authorization ?? "").replace(/^Basic /, ""), "base64")
      .toString()
      .split(":");
    const known = this.manner.clients?.[decodeURIComponent(id)];
    if (known === undefined || known !== decodeURIComponent(secret)) return { status: 401, body: { error: "invalid_client" } };
    if (new URLSearchParams(body).get("grant_type") !== "client_credentials") return { status: 400 };
    this.token += 1;
    return { status: 200, body: { access_token: `token-${this.token}`, token_type: "Bearer", expires_in: 3600 } };
  }

  private deed({ method, headers, body }: PeerRequest, path: string, query: URLSearchParams): PeerAnswer {
    if (method === "GET") {
      const key = query.get("key");
      return { status: 200, body: { data: this.deeds.filter((one) => one.path === path && (key === null || one.key === key)).map(shown) } };
    }
    if (method !== "POST") return { status: 405 };
    const { dedupe = 0, now = Date.now, later } = this.manner;
    const key = headers["idempotency-key"]?.replace(/^"(.*)"$/, "$1");
    const known = key === undefined ? undefined : this.stored.get(`${path} ${key}`);
    if (known !== undefined && now() - known.at < dedupe) {
      return known.body === body ? known.answer : { status: 422, body: { error: "the key was used with another payload" } };
    }
    const deed: Deed = { id: this.deeds.length + 1, path, key, body: parsed(body), at: now() };
    this.deeds.push(deed);
    let answer: PeerAnswer = { status: 201, headers: { location: `${path}/${deed.id}` }, body: shown(deed) };
    const left = later?.[path];
    if (left !== undefined) {
      this.jobs.set(`/jobs/${deed.id}`, { left, deed });
      answer = { status: 202, headers: { location: `/jobs/${deed.id}` } };
    }
    if (key !== undefined) this.stored.set(`${path} ${key}`, { body, answer, at: now() });
    return answer;
  }

  private job(path: string): PeerAnswer {
    const job = this.jobs.get(path);
    if (job === undefined) return { status: 404 };
    job.left -= 1;
    return job.left >= 0 ? { status: 202, body: { state: "pending" } } : { status: 200, body: { ...shown(job.deed), state: "done" } };
  }

  private collection(request: PeerRequest, path: string, query: URLSearchParams, page: number): PeerAnswer {
    if (request.method === "POST") {
      this.ids += 1;
      const own = `${path}/${this.ids}`;
      const made = { id: this.ids, ...(parsed(request.body) as JsonObject) };
      this.objects.set(own, made);
      return { status: 201, headers: { location: own }, body: made };
    }
    if (request.method !== "GET") return { status: 405 };
    const items = [...this.objects].filter(([one]) => one.startsWith(`${path}/`)).map(([, item]) => item);
    const number = Number(query.get("page") ?? 1);
    const more = items.length > number * page;
    const next = new URLSearchParams(query);
    next.set("page", String(number + 1));
    return {
      status: 200,
      headers: more ? { link: `<${path}?page=1>; rel="first", <${path}?${next}>; rel="next"` } : {},
      body: items.slice((number - 1) * page, number * page),
    };
  }

  private object({ method, headers, body }: PeerRequest, path: string): PeerAnswer {
    const now = this.objects.get(path);
    const etag = now === undefined ? undefined : this.etagOf(now);
    const tag: { readonly [name: string]: string } = etag === undefined ? {} : { etag };
    if (method === "GET" || method === "HEAD") {
      if (now === undefined) return { status: 404, body: { error: "there is no such object" } };
      if (etag !== undefined && headers["if-none-match"] === etag) return { status: 304, headers: tag };
      return { status: 200, headers: tag, body: now };
    }
    if (headers["if-match"] !== undefined && (etag === undefined || etag.startsWith("W/") || headers["if-match"] !== etag))
      return { status: 412, headers: tag };
    if (headers["if-none-match"] === "*" && now !== undefined) return { status: 412, headers: tag };
    if (this.manner.conditional && headers["if-match"] === undefined && headers["if-none-match"] === undefined) return { status: 428 };
    switch (method) {
      case "PUT":
        return this.put(path, parsed(body) as JsonObject, now === undefined ? 201 : 200);
      case "PATCH": {
        if (now === undefined) return { status: 404 };
        const type = headers["content-type"] ?? "";
        if (type.startsWith("application/merge-patch+json")) return this.put(path, merged(now, parsed(body)) as JsonObject, 200);
        if (!type.startsWith("application/json-patch+json")) return { status: 415 };
        const patched = jsonPatched(now, parsed(body) as unknown as readonly PatchStep[]);
        return patched === undefined ? { status: 409, body: { error: "a test of the patch failed" } } : this.put(path, patched, 200);
      }
      case "DELETE":
        if (now === undefined) return { status: 404 };
        this.objects.delete(path);
        return { status: 204 };
      default:
        return { status: 405 };
    }
  }

  private put(path: string, object: JsonObject, status: number): PeerAnswer {
    this.objects.set(path, object);
    const etag = this.etagOf(object);
    return { status, ...(etag !== undefined && { headers: { etag } }), body: object };
  }

  private etagOf(object: JsonObject): string | undefined {
    const { etags = "strong" } = this.manner;
    if (etags === "none") return undefined;
    const tag = `"${createHash("sha256").update(JSON.stringify(object)).digest("hex").slice(0, 16)}"`;
    return etags === "weak" ? `W/${tag}` : tag;
  }
}

function shown({ id, key, body }: Deed): JsonObject {
  return { id, ...(key !== undefined && { key }), state: "paid", request: body };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text; // a plain text is its own value
  }
}

/** RFC 7396. */
function merged(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: { [name: string]: Json } = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value as Json);
  }
  return result;
}

interface PatchStep {
  readonly op: "add" | "remove" | "replace" | "test";
  readonly path: string;
  readonly value?: Json;
}

/** RFC 6902 for members of objects; undefined where a test does not hold. */
function jsonPatched(object: JsonObject, steps: readonly PatchStep[]): JsonObject | undefined {
  const result = JSON.parse(JSON.stringify(object)) as JsonObject;
  for (const { op, path, value } of steps) {
    const names = path
      .split("/")
      .slice(1)
      .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = names.pop() as string;
    let place = result as { [name: string]: Json };
    for (const name of names) place = place[name] as { [name: string]: Json };
    if (op === "test" && JSON.stringify(place?.[last]) !== JSON.stringify(value)) return undefined;
    if (op === "remove") delete place[last];
    if (op === "add" || op === "replace") place[last] = value as Json;
  }
  return result;
}

import type { Exchange, HttpRequest, JsonObject, PlaceData, StoredValue, StoreSession } from "../../core/index.ts";
import { HttpStore, jsonOf, webOrigin } from "./http-store.ts";
import { loginOf } from "./place.ts";

/** etcd by the JSON gateway of its v3 API: a transaction on the key's mod_revision. */
export async function openEtcd(place: PlaceData, http: Exchange): Promise<StoreSession> {
  const store = new HttpStore(place, http);
  const { user, password, token } = loginOf(place);
  if (user === undefined) return new Etcd(store, webOrigin(place), token);
  const request = post(`${webOrigin(place)}/v3/auth/authenticate`, { name: user, password: password ?? "" });
  const answer = jsonOf(request, await store.look(request)) as JsonObject;
  return new Etcd(store, webOrigin(place), String(answer.token));
}

class Etcd implements StoreSession {
  private readonly store: HttpStore;
  private readonly origin: string;
  private readonly token: string | undefined;

  constructor(store: HttpStore, origin: string, token: string | undefined) {
    this.store = store;
    this.origin = origin;
    this.token = token;
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const { kvs } = (await this.ask("/v3/kv/range", { key: encoded(key) })) as { readonly kvs?: readonly Entry[] };
    const [entry] = kvs ?? [];
    if (entry === undefined) return undefined;
    const found = { value: Buffer.from(entry.value ?? "", "base64"), revision: entry.mod_revision };
    if (entry.lease === undefined || entry.lease === "0") return found;
    const { TTL } = (await this.ask("/v3/lease/timetolive", { ID: entry.lease })) as { readonly TTL?: string };
    return { ...found, ttl: Math.max(0, Number(TTL ?? 0)) * 1000 };
  }

  async put(key: string, { value, ttl }: Omit<StoredValue, "revision">, revision: string | undefined): Promise<boolean> {
    const lease = ttl === undefined ? undefined : await this.lease(ttl);
    return this.exchange(key, revision, {
      request_put: { key: encoded(key), value: value.toString("base64"), ...(lease !== undefined && { lease }) },
    });
  }

  remove(key: string, revision: string): Promise<boolean> {
    return this.exchange(key, revision, { request_delete_range: { key: encoded(key) } });
  }

  close = (): Promise<void> => Promise.resolve();

  private async exchange(key: string, revision: string | undefined, success: JsonObject): Promise<boolean> {
    const compare = { key: encoded(key), target: "MOD", result: "EQUAL", mod_revision: revision ?? "0" };
    const request = this.post("/v3/kv/txn", { compare: [compare], success: [success] });
    const response = await this.store.set(request);
    return response !== undefined && (jsonOf(request, response, "maybe") as JsonObject).succeeded === true;
  }

  /** A lease of its own for each value, so that none lives on with another's. */
  private async lease(ttl: number): Promise<string> {
    const answer = (await this.ask("/v3/lease/grant", { TTL: String(Math.max(1, Math.ceil(ttl / 1000))) })) as { readonly ID: string };
    return answer.ID;
  }

  private async ask(path: string, body: JsonObject): Promise<object> {
    const request = this.post(path, body);
    return jsonOf(request, await this.store.look(request)) as object;
  }

  private post(path: string, body: JsonObject): HttpRequest {
    return post(`${this.origin}${path}`, body, this.token);
  }
}

interface Entry {
  /** Left out where it is empty. */
  readonly value?: string;
  readonly mod_revision: string;
  readonly lease?: string;
}

function post(url: string, body: JsonObject, token?: string): HttpRequest {
  const headers = { "content-type": "application/json", ...(token !== undefined && { authorization: token }) };
  return { method: "POST", url, headers, body: JSON.stringify(body) };
}

function encoded(key: string): string {
  return Buffer.from(key).toString("base64");
}

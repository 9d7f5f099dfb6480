import { type Exchange, type HttpRequest, type PlaceData, type StoredValue, type StoreSession, SystemFault } from "../../core/index.ts";
import { HttpStore, jsonOf, webOrigin } from "./http-store.ts";
import { loginOf } from "./place.ts";

/** Consul's key-value store: `?cas=` with the key's ModifyIndex. */
export async function openConsul(place: PlaceData, http: Exchange): Promise<StoreSession> {
  return new Consul(new HttpStore(place, http), place);
}

class Consul implements StoreSession {
  private readonly store: HttpStore;
  private readonly place: PlaceData;

  constructor(store: HttpStore, place: PlaceData) {
    this.store = store;
    this.place = place;
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const request = this.request("GET", key, { consistent: "" });
    const response = await this.store.look(request);
    if (response.status === 404) return undefined;
    const [entry] = jsonOf(request, response) as unknown as readonly [{ readonly Value: string | null; readonly ModifyIndex: number }];
    return { value: Buffer.from(entry.Value ?? "", "base64"), revision: String(entry.ModifyIndex) };
  }

  async put(key: string, { value, ttl }: Omit<StoredValue, "revision">, revision: string | undefined): Promise<boolean> {
    if (ttl !== undefined)
      throw new SystemFault("no-ttl", "Consul has no values that go by themselves: leave `ttl` out", {
        peer: { retry: false, counts: false },
      });
    return this.exchange({ ...this.request("PUT", key, { cas: revision ?? "0" }), body: value });
  }

  remove(key: string, revision: string): Promise<boolean> {
    return this.exchange(this.request("DELETE", key, { cas: revision }));
  }

  close = (): Promise<void> => Promise.resolve();

  /** Consul answers `true` or `false`. */
  private async exchange(request: HttpRequest): Promise<boolean> {
    const response = await this.store.set(request);
    return response !== undefined && jsonOf(request, response, "maybe") === true;
  }

  private request(method: string, key: string, query: { readonly [name: string]: string }): HttpRequest {
    const { password, token = password } = loginOf(this.place);
    const url = new URL(`${webOrigin(this.place)}/v1/kv/${key.split("/").map(encodeURIComponent).join("/")}`);
    for (const [name, value] of [...new URL(this.place.url).searchParams, ...Object.entries(query)]) url.searchParams.set(name, value);
    return { method, url: url.href, headers: { ...(token !== undefined && { "x-consul-token": token }) } };
  }
}

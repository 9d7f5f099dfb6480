import { AwsV4Signer } from "aws4fetch";
import {
  type Exchange,
  type HttpRequest,
  type HttpResponse,
  type PlaceData,
  type StoredValue,
  type StoreSession,
  SystemFault,
  sha256,
} from "../../core/index.ts";
import { HttpStore, webOrigin } from "./http-store.ts";
import { loginOf } from "./place.ts";

/** Stores that speak as Amazon S3 does: conditions on the entity tag. `s3://endpoint/bucket?region=…`, or `s3+http://` without TLS. */
export async function openS3(place: PlaceData, http: Exchange): Promise<StoreSession> {
  return new S3(new HttpStore(place, http), place);
}

class S3 implements StoreSession {
  private readonly store: HttpStore;
  private readonly place: PlaceData;

  constructor(store: HttpStore, place: PlaceData) {
    this.store = store;
    this.place = place;
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const request = await this.signed("GET", key);
    const response = await this.store.look(request);
    if (response.status === 404) {
      if (/NoSuchBucket/.test(response.body.toString("utf8", 0, 2000)))
        throw new SystemFault("no-bucket", `${request.url}: there is no such bucket`, { peer: { retry: false, counts: false } });
      return undefined;
    }
    const type = response.headers["content-type"];
    return { value: response.body, revision: etagOf(request, response), ...(type !== undefined && { type }) };
  }

  async put(key: string, { value, type, ttl }: Omit<StoredValue, "revision">, revision: string | undefined): Promise<boolean> {
    if (ttl !== undefined)
      throw new SystemFault("no-ttl", "objects do not go by themselves: leave `ttl` out", { peer: { retry: false, counts: false } });
    const about = type === undefined ? {} : { "content-type": type };
    const isSet = async (condition: { readonly [name: string]: string }): Promise<boolean> =>
      (await this.store.set(await this.signed("PUT", key, { ...about, ...condition }, value))) !== undefined;
    if (revision === undefined) return isSet({ "if-none-match": "*" });
    if (await isSet({ "if-match": revision })) return true;
    // Ceph's gateway (16, at least) compares the tag without its quotes, and so refuses one that fits.
    if ((await this.get(key))?.revision !== revision) return false;
    return isSet({ "if-match": revision.replaceAll('"', "") });
  }

  async remove(key: string, revision: string): Promise<boolean> {
    return (await this.store.set(await this.signed("DELETE", key, { "if-match": revision }))) !== undefined;
  }

  close = (): Promise<void> => Promise.resolve();

  private async signed(
    method: string,
    key: string,
    more: { readonly [name: string]: string } = {},
    body?: Uint8Array,
  ): Promise<HttpRequest> {
    const { pathname, searchParams } = new URL(this.place.url);
    const url = `${webOrigin(this.place, "https")}${pathname}/${key.split("/").map(strictly).join("/")}`;
    // What is signed is what is sent: every byte of it.
    const headers = { ...more, "x-amz-content-sha256": sha256(body ?? "") };
    const { user, password, token } = loginOf(this.place);
    if (user === undefined || password === undefined) return { method, url, headers: more, ...(body && { body }) };
    const signer = new AwsV4Signer({
      method,
      url,
      headers,
      accessKeyId: user,
      secretAccessKey: password,
      ...(token !== undefined && { sessionToken: token }),
      service: "s3",
      region: searchParams.get("region") ?? "us-east-1",
      allHeaders: true,
    });
    const signed = await signer.sign();
    return { method, url, headers: Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>), ...(body && { body }) };
  }
}

/** RFC 3986: `encodeURIComponent` leaves five characters that S3's signatures do not. */
function strictly(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Without an entity tag there is no condition, and somebody's change could be lost. */
function etagOf(request: HttpRequest, { headers }: HttpResponse): string {
  if (headers.etag !== undefined) return headers.etag;
  throw new SystemFault("no-etag", `${request.method} ${request.url}: the store gives objects no entity tag`, {
    peer: { retry: false, counts: false },
  });
}

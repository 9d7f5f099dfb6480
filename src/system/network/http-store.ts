import { type Exchange, type HttpRequest, type HttpResponse, type Json, type PlaceData, SystemFault } from "../../core/index.ts";
import { judgeAnswer, judgeLook } from "./http-verdict.ts";

/** Where a store that speaks HTTP is: `etcd://host` is `http://host`, `etcd+https://host` is `https://host`. */
export function webOrigin({ url }: PlaceData, plain: "http" | "https" = "http"): string {
  const { protocol, host } = new URL(url);
  const scheme = protocol.endsWith("+https:") ? "https" : protocol.endsWith("+http:") ? "http" : plain;
  return `${scheme}://${host}`;
}

/** The requests of one store. */
export class HttpStore {
  private readonly place: PlaceData;
  private readonly http: Exchange;

  constructor(place: PlaceData, http: Exchange) {
    this.place = place;
    this.http = http;
  }

  /** A question. Throws SystemFault for anything but 2xx and 404. */
  async look(request: HttpRequest): Promise<HttpResponse> {
    const response = await this.send(request);
    judgeLook(request.method, request.url, response, Date.now());
    return response;
  }

  /** A change under a condition; undefined where the condition does not hold. Throws SystemFault. */
  async set(request: HttpRequest): Promise<HttpResponse | undefined> {
    const response = await this.send(request);
    if (response.status === 412 || response.status === 409) return undefined;
    judgeAnswer({ method: request.method, url: request.url, keyed: false, conditional: true }, response, undefined, Date.now());
    return response;
  }

  private send(request: HttpRequest): Promise<HttpResponse> {
    const { tls, timeout } = this.place;
    return this.http({ ...request, ...(tls && { tls }), ...(timeout !== undefined && { timeout }) });
  }
}

/** The body as JSON. Throws SystemFault where it is none. */
export function jsonOf(request: HttpRequest, { body }: HttpResponse, mutated: "no" | "maybe" = "no"): Json {
  try {
    return JSON.parse(body.toString("utf8")) as Json;
  } catch (thrown) {
    throw new SystemFault("not-json", `${request.method} ${request.url}: the answer is no JSON`, {
      mutated,
      peer: { retry: false, counts: false },
      cause: thrown,
    });
  }
}

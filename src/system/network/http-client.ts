import {
  type AuthData,
  type Clock,
  type HttpRequest,
  type HttpResponse,
  isObject,
  type Network,
  originOf,
  type RequestData,
  SystemFault,
  sha256,
} from "../../core/index.ts";
import { detailOf } from "./http-verdict.ts";

/** A token is not used in its last seconds: it must still hold when the request arrives. */
const TOKEN_MARGIN = 10_000;
const MOST_REDIRECTS = 5;

interface Token {
  readonly value: string;
  /** ms since boot. */
  readonly until: number;
}

/** Requests as playbooks have them, turned into exchanges: bodies, credentials, and redirects within one origin. */
export class HttpClient {
  private readonly network: Network;
  private readonly clock: Clock;
  /** ms for a request to a peer that says nothing else. */
  private readonly timeoutOf: (origin: string) => number | undefined;
  private readonly tokens = new Map<string, Token>();

  constructor(network: Network, clock: Clock, timeoutOf: (origin: string) => number | undefined) {
    this.timeoutOf = timeoutOf;
    this.network = network;
    this.clock = clock;
  }

  /** Sends it once; a token that is not accepted is renewed once. Throws SystemFault for transport faults alone. */
  async send(request: RequestData, headers: { readonly [name: string]: string } = {}): Promise<HttpResponse> {
    const response = await this.exchange(request, headers, request.url, false);
    if (response.status !== 401 || request.auth?.oauth === undefined) return response;
    return this.exchange(request, headers, request.url, true);
  }

  private async exchange(
    request: RequestData,
    headers: { readonly [name: string]: string },
    first: string,
    fresh: boolean,
  ): Promise<HttpResponse> {
    let url = first;
    for (let hops = 0; ; hops++) {
      const response = await this.network.http(await this.wire(request, headers, url, fresh));
      const { location } = response.headers;
      if (response.status < 301 || response.status > 308 || response.status === 304 || location === undefined) return response;
      const to = new URL(location, url);
      const looks = request.method === "GET" || request.method === "HEAD";
      // 301, 302 and 303 let a client turn a mutation into a GET: that would be another request than the one declared.
      const follows = looks || response.status === 307 || response.status === 308;
      if (!follows || originOf(to.href) !== originOf(first) || hops >= MOST_REDIRECTS)
        throw new SystemFault(
          "redirected",
          `${request.method} ${url}: ${response.status} sends it on to ${to.origin}${to.pathname}, which is not followed${hops >= MOST_REDIRECTS ? " any further" : ": name the new URL, if that is meant"}`,
          { peer: { retry: false, counts: false } },
        );
      url = to.href;
    }
  }

  private async wire(request: RequestData, more: { readonly [name: string]: string }, url: string, fresh: boolean): Promise<HttpRequest> {
    const { body } = request;
    const timeout = request.timeout ?? this.timeoutOf(originOf(url));
    const named = Object.fromEntries(Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
    const type = body === undefined ? {} : { "content-type": typeof body === "string" ? "text/plain; charset=utf-8" : "application/json" };
    const headers = {
      accept: "application/json, */*;q=0.5",
      "user-agent": "setpoint",
      ...type,
      ...named,
      ...(await this.credentials(request, fresh)),
      ...more,
    };
    return {
      method: request.method,
      url,
      headers,
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...(timeout !== undefined && { timeout }),
      ...(request.tls && { tls: request.tls }),
      ...(request.proxy !== undefined && { proxy: request.proxy }),
    };
  }

  private async credentials({ auth, tls, proxy, timeout }: RequestData, fresh: boolean): Promise<{ readonly authorization?: string }> {
    if (auth?.bearer !== undefined) return { authorization: `Bearer ${auth.bearer}` };
    if (auth?.basic !== undefined)
      return { authorization: `Basic ${Buffer.from(`${auth.basic.user}:${auth.basic.password}`).toString("base64")}` };
    if (auth?.oauth === undefined) return {};
    const name = sha256(JSON.stringify(auth.oauth));
    const known = this.tokens.get(name);
    if (!fresh && known !== undefined && known.until > this.clock.mono()) return { authorization: `Bearer ${known.value}` };
    const token = await this.token(auth.oauth, {
      ...(tls && { tls }),
      ...(proxy !== undefined && { proxy }),
      ...(timeout !== undefined && { timeout }),
    });
    this.tokens.set(name, token);
    return { authorization: `Bearer ${token.value}` };
  }

  /** RFC 6749 §4.4. Asking for a token changes nothing of what is declared, so any failure here means that nothing was sent. */
  private async token(oauth: NonNullable<AuthData["oauth"]>, way: Pick<HttpRequest, "tls" | "proxy" | "timeout">): Promise<Token> {
    const fields = new URLSearchParams({ grant_type: "client_credentials", ...(oauth.scope !== undefined && { scope: oauth.scope }) });
    const basic = Buffer.from(`${encodeURIComponent(oauth.client_id)}:${encodeURIComponent(oauth.client_secret)}`).toString("base64");
    const fault = (why: string, retry: boolean, cause?: unknown) =>
      new SystemFault("no-token", `${oauth.token_url}: ${why}`, { peer: { retry, counts: retry }, cause });
    let response: HttpResponse;
    try {
      response = await this.network.http({
        method: "POST",
        url: oauth.token_url,
        headers: { authorization: `Basic ${basic}`, "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
        body: fields.toString(),
        ...way,
      });
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      throw fault(thrown.message, thrown.peer?.retry === true, thrown);
    }
    if (response.status !== 200) throw fault(`${response.status}${detailOf(response)}`, response.status >= 500 || response.status === 429);
    const answer = parsed(response);
    if (!isObject(answer) || typeof answer.access_token !== "string") throw fault("the answer holds no access_token", false);
    const seconds = typeof answer.expires_in === "number" ? answer.expires_in : 300;
    return { value: answer.access_token, until: this.clock.mono() + Math.max(0, seconds * 1000 - TOKEN_MARGIN) };
  }
}

/** The body as JSON; undefined where it is none. */
export function parsed(response: HttpResponse): unknown {
  try {
    return JSON.parse(response.body.toString("utf8"));
  } catch {
    return undefined; // the caller says what it needs and did not get
  }
}

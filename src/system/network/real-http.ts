import { Agent, type Dispatcher, EnvHttpProxyAgent, ProxyAgent, request as send } from "undici";
import { errnoOf, type HttpRequest, type HttpResponse, SystemFault, type TlsOptions } from "../../core/index.ts";

/** Answers over this many bytes are refused: no state is that large, and memory is not endless. */
const LARGEST_BODY = 16 << 20;
const CONNECT_TIMEOUT = 10_000;
const TIMEOUT = 30_000;

/** What a connection fails with before anything of a request can have been sent. */
const NOT_SENT: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);
/** A certificate that is not trusted now will not be trusted a second later. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_SSL|ERR_TLS/;

/** HTTP by undici: a pool of kept connections for each way of connecting. */
export class RealHttp {
  private readonly env: NodeJS.ProcessEnv;
  private readonly agents = new Map<string, Dispatcher>();

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env;
  }

  /** One exchange. No redirect is followed. Throws SystemFault. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const timeout = request.timeout ?? TIMEOUT;
    try {
      const response = await send(request.url, {
        method: request.method as Dispatcher.HttpMethod,
        ...(request.headers && { headers: request.headers }),
        ...(request.body !== undefined && { body: request.body }),
        dispatcher: this.agentFor(request),
        signal: AbortSignal.timeout(timeout),
        headersTimeout: timeout,
        bodyTimeout: timeout,
      });
      return { status: response.statusCode, headers: joined(response.headers), body: await whole(response.body) };
    } catch (thrown) {
      throw transportFault(request, thrown, timeout);
    }
  }

  async close(): Promise<void> {
    for (const agent of this.agents.values()) await agent.destroy();
    this.agents.clear();
  }

  private agentFor({ tls, proxy }: HttpRequest): Dispatcher {
    const key = JSON.stringify([tls ?? null, proxy ?? null]);
    const known = this.agents.get(key);
    if (known !== undefined) return known;
    const connect = { timeout: CONNECT_TIMEOUT, ...tlsOf(tls) };
    const made =
      proxy !== undefined
        ? new ProxyAgent({ uri: proxy, requestTls: connect })
        : this.env.HTTP_PROXY || this.env.HTTPS_PROXY || this.env.http_proxy || this.env.https_proxy
          ? new EnvHttpProxyAgent({ connect, requestTls: connect })
          : new Agent({ connect });
    this.agents.set(key, made);
    return made;
  }
}

function tlsOf(tls: TlsOptions | undefined): object {
  if (tls === undefined) return {};
  return {
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(tls.server_name !== undefined && { servername: tls.server_name }),
    ...(tls.verify === false && { rejectUnauthorized: false }),
  };
}

function joined(headers: { readonly [name: string]: string | string[] | undefined }): { readonly [name: string]: string } {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(", ") : value]],
    ),
  );
}

async function whole(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw Object.assign(new Error(`the answer is longer than ${LARGEST_BODY} bytes`), { code: "too-long" });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** reliability.md §8.1: what failed before anything was sent did not happen; of all else nobody knows. */
function transportFault({ method, url }: HttpRequest, thrown: unknown, timeout: number): SystemFault {
  const cause = thrown as Error & { cause?: unknown };
  const code = errnoOf(thrown) ?? errnoOf(cause.cause) ?? "EIO";
  const looks = method === "GET" || method === "HEAD" || method === "OPTIONS";
  const notSent = NOT_SENT.has(code) || CERTIFICATE.test(code);
  const timedOut = cause.name === "TimeoutError" || cause.name === "AbortError" || /TIMEOUT/.test(code);
  const why = timedOut ? `there was no answer in ${timeout} ms` : code === "ECONNREFUSED" ? "the connection is refused" : cause.message;
  return new SystemFault(timedOut ? "timeout" : code, `${method} ${url}: ${why}`, {
    mutated: looks || notSent ? "no" : "maybe",
    peer: { retry: !CERTIFICATE.test(code) && code !== "too-long" && code !== "UND_ERR_INVALID_ARG", counts: code !== "too-long" },
    cause: thrown,
  });
}

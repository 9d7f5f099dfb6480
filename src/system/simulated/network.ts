import { type HttpRequest, type HttpResponse, type Network, originOf, SystemFault } from "../../core/index.ts";

/** How a request is lost: before the peer saw it, or its answer after the peer did it. */
export type Loss = "none" | "before" | "after";

/** A peer: answers a request, at once. */
export type Peer = (request: HttpRequest) => HttpResponse;

/** The other machines of a simulation, by origin. They live on when a process or the power of ours goes. */
export class SimulatedNetwork implements Network {
  readonly peers = new Map<string, Peer>();
  /** Decides what becomes of each request. */
  loss: (request: HttpRequest) => Loss = () => "none";
  /** Requests that reached a peer, in order. */
  readonly seen: HttpRequest[] = [];

  async http(request: HttpRequest): Promise<HttpResponse> {
    const peer = this.peers.get(originOf(request.url));
    const loss = this.loss(request);
    if (peer === undefined || loss === "before")
      throw new SystemFault("ECONNREFUSED", `${request.method} ${request.url}: the connection is refused`, {
        peer: { retry: true, counts: true },
      });
    this.seen.push(request);
    const response = peer(request);
    if (loss === "after")
      throw new SystemFault("ECONNRESET", `${request.method} ${request.url}: the connection was reset`, {
        mutated: request.method === "GET" || request.method === "HEAD" ? "no" : "maybe",
        peer: { retry: true, counts: true },
      });
    return response;
  }

  sql = (): Promise<never> => none("database");
  broker = (): Promise<never> => none("broker");
  store = (): Promise<never> => none("store");
  mail = (): Promise<never> => none("mail server");

  async close(): Promise<void> {}
}

function none(what: string): Promise<never> {
  return Promise.reject(new SystemFault("ECONNREFUSED", `there is no ${what} here`, { peer: { retry: false, counts: true } }));
}

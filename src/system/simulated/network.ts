import {
  type BrokerSession,
  type HttpRequest,
  type HttpResponse,
  type Json,
  type Network,
  originOf,
  type PlaceData,
  type SqlOptions,
  type SqlSession,
  SystemFault,
  sqlPlace,
} from "../../core/index.ts";

/** How a request is lost: before the peer saw it, or its answer after the peer did it. */
export type Loss = "none" | "before" | "after";

/** A peer: answers a request, at once. */
export type Peer = (request: HttpRequest) => HttpResponse;

/** What is on its way to another machine: an HTTP request, a statement, a message. */
export interface Sent {
  readonly url: string;
  /** The method, the statement, or what is asked of the broker. */
  readonly method: string;
}

/** Databases and brokers give a session to each who connects. */
export type Database = (options: SqlOptions) => SqlSession;
export type Broker = () => BrokerSession;

/** The other machines of a simulation, by origin. They live on when a process or the power of ours goes. */
export class SimulatedNetwork implements Network {
  readonly peers = new Map<string, Peer>();
  readonly databases = new Map<string, Database>();
  readonly brokers = new Map<string, Broker>();
  /** Decides what becomes of each request. */
  loss: (sent: Sent) => Loss = () => "none";
  /** Requests that reached a peer, in order. */
  readonly seen: HttpRequest[] = [];

  async http(request: HttpRequest): Promise<HttpResponse> {
    const { method, url } = request;
    const peer = this.peers.get(originOf(url));
    return this.exchange({ method, url }, method !== "GET" && method !== "HEAD", () => {
      if (peer === undefined) throw refused(`${method} ${url}`);
      this.seen.push(request);
      return peer(request);
    });
  }

  async sql(url: string, options: SqlOptions = {}): Promise<SqlSession> {
    const place = sqlPlace(url);
    const database = this.databases.get(place?.name ?? "");
    if (place === undefined || database === undefined) throw refused(`the database ${place?.name ?? ""}`);
    const session = database(options);
    let broken = false;
    const query = (text: string, values?: readonly Json[]) => {
      if (broken) return Promise.reject(reset(`${place.name}: ${text}`, false));
      // Who lost one exchange lost the connection: its transaction is rolled back, and nothing more goes through it.
      return this.exchange({ method: text, url: place.origin }, true, () => session.query(text, values), "sent").catch(
        (thrown: unknown) => {
          broken = thrown instanceof SystemFault && thrown.code === "ECONNRESET";
          if (broken) return session.close().then(() => Promise.reject(thrown));
          throw thrown;
        },
      );
    };
    return { dialect: session.dialect, query, close: () => session.close() };
  }

  async broker({ url }: PlaceData): Promise<BrokerSession> {
    const broker = this.brokers.get(originOf(url));
    if (broker === undefined) throw refused(`the broker ${originOf(url)}`);
    const session = broker();
    const ask = <T>(method: string, changes: boolean, act: () => Promise<T>) => this.exchange({ method, url }, changes, act);
    return {
      mark: (message) => ask("mark", false, () => session.mark(message)),
      publish: (message) => ask("publish", true, () => session.publish(message)),
      find: (message, sought) => ask("find", false, () => session.find(message, sought)),
      close: () => session.close(),
    };
  }

  store = (): Promise<never> => Promise.reject(refused("a store"));
  mail = (): Promise<never> => Promise.reject(refused("a mail server"));

  async close(): Promise<void> {}

  /** One exchange and what befalls it. `lostAs` sent: on a connection that stood, so that nobody knows whether what is lost arrived. */
  private async exchange<T>(sent: Sent, changes: boolean, act: () => T | Promise<T>, lostAs: "unsent" | "sent" = "unsent"): Promise<T> {
    const loss = this.loss(sent);
    const what = `${sent.method} ${sent.url}`;
    if (loss === "before") throw lostAs === "sent" ? reset(what, changes) : refused(what);
    const answer = await act();
    if (loss === "after") throw reset(what, changes);
    return answer;
  }
}

function refused(what: string): SystemFault {
  return new SystemFault("ECONNREFUSED", `${what}: the connection is refused`, { peer: { retry: true, counts: true } });
}

function reset(what: string, changes: boolean): SystemFault {
  return new SystemFault("ECONNRESET", `${what}: the connection was reset`, {
    mutated: changes ? "maybe" : "no",
    peer: { retry: true, counts: true },
  });
}

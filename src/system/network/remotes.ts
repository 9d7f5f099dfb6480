import {
  type BreakerState,
  type BrokerSession,
  type Finding,
  type HttpResponse,
  type KeyedMessage,
  originOf,
  type PlaceData,
  type Remote,
  type RequestData,
  type Sought,
  type SqlQuestion,
  type SqlResult,
  type StoredValue,
  type StoreSession,
  type System,
  SystemFault,
  sqlPlace,
} from "../../core/index.ts";
import { Breakers } from "./breakers.ts";
import { HttpClient } from "./http-client.ts";
import { judgeLook } from "./http-verdict.ts";
import { Peers } from "./peers.ts";
import { Sessions } from "./sessions.ts";
import { SqlClient } from "./sql-client.ts";

export interface RemoteParts {
  readonly system: System;
  /** As the ledger has them. */
  readonly breakers: Iterable<readonly [string, BreakerState]>;
  stopped(): boolean;
}

/** All other machines: what may only look at them is the reader's, what changes them the performers'. */
export class Remotes implements Remote {
  readonly peers: Peers;
  readonly client: HttpClient;
  readonly databases: SqlClient;
  readonly brokers: Sessions<BrokerSession>;
  readonly stores: Sessions<StoreSession>;
  readonly system: System;

  constructor({ system, breakers, stopped }: RemoteParts) {
    const { clock, chance } = system;
    this.system = system;
    this.peers = new Peers({ clock, chance, breakers: new Breakers(clock, breakers), stopped });
    this.client = new HttpClient(system.network, clock, (origin) => this.peers.policyOf(origin).timeout);
    this.databases = new SqlClient(system.network);
    this.brokers = new Sessions((place) => system.network.broker(place));
    this.stores = new Sessions((place) => system.network.store(place));
  }

  http(request: RequestData & { readonly method: "GET" | "HEAD" | "OPTIONS" }): Promise<HttpResponse> {
    return this.peers.look(originOf(request.url), () => this.asked(request));
  }

  /** Asked once, without retries and breakers: the probe of a half-open breaker. */
  async asked(request: RequestData): Promise<HttpResponse> {
    const response = await this.client.send(request);
    judgeLook(request.method, request.url, response, this.system.clock.now());
    return response;
  }

  message(broker: PlaceData, message: KeyedMessage, sought: Sought): Promise<Finding> {
    return this.peers.look(originOf(broker.url), () => this.brokers.use(broker, (session) => session.find(message, sought)));
  }

  stored(store: PlaceData, key: string): Promise<StoredValue | undefined> {
    return this.peers.look(originOf(store.url), () => this.stores.use(store, (session) => session.get(key)));
  }

  sql(question: SqlQuestion): Promise<SqlResult["rows"] | undefined> {
    return this.peers.look(sqlOrigin(question.url), () => this.databases.ask(question));
  }
}

/** The server of a database. */
export function sqlOrigin(url: string): string {
  const place = sqlPlace(url);
  if (place === undefined) throw new SystemFault("not-a-url", "this is no URL of a database", { peer: { retry: false, counts: false } });
  return place.origin;
}

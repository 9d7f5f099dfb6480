import {
  type BreakerState,
  type HttpResponse,
  originOf,
  type PeerPolicy,
  type Remote,
  type RequestData,
  type System,
} from "../../core/index.ts";
import { Breakers } from "./breakers.ts";
import { HttpClient } from "./http-client.ts";
import { judgeLook } from "./http-verdict.ts";
import { Peers } from "./peers.ts";

export interface RemoteParts {
  readonly system: System;
  /** As the ledger has them. */
  readonly breakers: Iterable<readonly [string, BreakerState]>;
  policy(origin: string): PeerPolicy;
  stopped(): boolean;
}

/** All other machines: what may only look at them is the reader's, what changes them the performers'. */
export class Remotes implements Remote {
  readonly peers: Peers;
  readonly client: HttpClient;
  readonly system: System;

  constructor({ system, breakers, policy, stopped }: RemoteParts) {
    const { clock, chance } = system;
    this.system = system;
    this.peers = new Peers({ clock, chance, breakers: new Breakers(clock, breakers), policy, stopped });
    this.client = new HttpClient(system.network, clock);
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
}

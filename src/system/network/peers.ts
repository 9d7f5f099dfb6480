import { type Chance, type Clock, type PeerPolicy, SystemFault } from "../../core/index.ts";
import type { Breakers } from "./breakers.ts";

/** How often a request is sent in all. */
const ATTEMPTS = 5;
const BASE = 500;
const CAP = 30_000;
/** A wait is cut into pieces of so many ms, so that whoever asks to stop is heard. */
const SLICE = 500;
/** Retries of one process over all peers: a world that fails everywhere is not hammered. */
const BUDGET = 200;
const DEFAULT_CONCURRENCY = 8;

export interface PeerParts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly breakers: Breakers;
  /** Whether somebody asked to stop: no more waiting then. */
  stopped(): boolean;
}

/** What stands between setpoint and every other machine: bulkhead, rate limit, circuit breaker and retries. */
export class Peers {
  private readonly parts: PeerParts;
  private readonly lanes = new Map<string, Lane>();
  private budget = BUDGET;
  private policies: { readonly [origin: string]: PeerPolicy } = {};

  constructor(parts: PeerParts) {
    this.parts = parts;
  }

  /** Told of each change of a breaker. */
  set onBreaker(changed: Breakers["changed"]) {
    this.parts.breakers.changed = changed;
  }

  /** From now on these hold; a peer that is left out is treated as all are by default. */
  treat(policies: { readonly [origin: string]: PeerPolicy } = {}): void {
    this.policies = policies;
    this.lanes.clear();
  }

  policyOf(origin: string): PeerPolicy {
    return this.policies[origin] ?? {};
  }

  /** A question that changes nothing: sent again, with full-jitter backoff, while that may help. Throws SystemFault. */
  async look<T>(origin: string, ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(origin, ask, true);
      } catch (thrown) {
        if (!(thrown instanceof SystemFault) || thrown.peer?.retry !== true || attempt >= ATTEMPTS) throw thrown;
        // That it wants to be left alone for a while (429) opens its breaker for just that while.
        const opened = this.parts.breakers.gate(origin) === "open" && thrown.peer.after === undefined;
        if (opened || !(await this.pause(attempt, thrown.peer.after))) throw thrown;
      }
    }
  }

  /**
   * One effect, sent once. `probe` is a question that tells whether the peer is there: asked first where its breaker is
   * half open, for the effect itself must not be the probe. Throws SystemFault.
   */
  async tell<T>(origin: string, send: () => Promise<T>, probe: () => Promise<unknown>): Promise<T> {
    if (this.parts.breakers.gate(origin) === "probe") await this.once(origin, probe, true);
    return this.once(origin, send, false);
  }

  /** Why nothing may be sent to a peer now; undefined where it may. */
  blocked(origin: string): string | undefined {
    if (this.parts.breakers.gate(origin) !== "open") return undefined;
    const seconds = Math.ceil(this.parts.breakers.wait(origin) / 1000);
    return `${origin} failed several times in a row: nothing is sent to it for another ${seconds} s (circuit breaker open)`;
  }

  /** ms until a peer whose breaker is open is tried again; 0 where it may be asked. */
  waitOf(origin: string): number {
    return this.parts.breakers.gate(origin) === "open" ? this.parts.breakers.wait(origin) : 0;
  }

  /** Waits before a further attempt; false where there is to be none: the budget is used up, or somebody asked to stop. */
  async pause(attempt: number, after?: number): Promise<boolean> {
    const { clock, chance } = this.parts;
    if (this.budget <= 0 || attempt >= ATTEMPTS || this.parts.stopped()) return false;
    this.budget -= 1;
    const until = clock.mono() + (after ?? jitter(attempt, chance));
    for (let now = clock.mono(); now < until; now = clock.mono()) {
      if (this.parts.stopped()) return false;
      await clock.sleep(Math.min(SLICE, Math.ceil(until - now)));
    }
    return !this.parts.stopped();
  }

  private async once<T>(origin: string, body: () => Promise<T>, isLook: boolean): Promise<T> {
    const { breakers } = this.parts;
    const lane = this.lane(origin);
    await lane.enter();
    // Asked here, as it may have opened while this one waited for its turn.
    const refused = this.refusal(origin, isLook);
    if (refused !== undefined) {
      lane.leave();
      throw refused;
    }
    try {
      const result = await body();
      breakers.succeeded(origin);
      return result;
    } catch (thrown) {
      const peer = thrown instanceof SystemFault ? thrown.peer : undefined;
      if (peer?.counts === true) breakers.failed(origin);
      else if (peer?.after !== undefined && thrown instanceof SystemFault && thrown.code === "HTTP 429")
        breakers.failed(origin, peer.after);
      else if (peer !== undefined) breakers.succeeded(origin);
      else breakers.released(origin);
      throw thrown;
    } finally {
      lane.leave();
    }
  }

  /** Why a request may not go out now. Where it may and is a probe, the place of the probe is taken. */
  private refusal(origin: string, isLook: boolean): SystemFault | undefined {
    const { breakers } = this.parts;
    const why = this.blocked(origin);
    if (why !== undefined) return new SystemFault("breaker-open", why, { peer: { retry: false, counts: false } });
    if (breakers.gate(origin) !== "probe" || (isLook && breakers.takeProbe(origin))) return undefined;
    return new SystemFault("breaker-open", `${origin} is being asked whether it is there again`, { peer: { retry: true, counts: false } });
  }

  private lane(origin: string): Lane {
    const known = this.lanes.get(origin);
    if (known !== undefined) return known;
    const made = new Lane(this.policyOf(origin), this.parts.clock);
    this.lanes.set(origin, made);
    return made;
  }
}

/** Full jitter: anything up to a doubling limit, so that many clients do not come back at once. In ms. */
function jitter(attempt: number, chance: Chance): number {
  const limit = Math.min(CAP, BASE * 2 ** (attempt - 1));
  const [a = 0, b = 0] = chance.bytes(2);
  return Math.round((limit * (a * 256 + b)) / 65_535);
}

/** The bulkhead and rate limit of one peer. */
class Lane {
  private readonly policy: PeerPolicy;
  private readonly clock: Clock;
  private readonly waiting: (() => void)[] = [];
  private inside = 0;
  private next = Number.NEGATIVE_INFINITY;

  constructor(policy: PeerPolicy, clock: Clock) {
    this.policy = policy;
    this.clock = clock;
  }

  async enter(): Promise<void> {
    if (this.inside >= (this.policy.concurrency ?? DEFAULT_CONCURRENCY)) await new Promise<void>((go) => this.waiting.push(go));
    else this.inside += 1;
    if (this.policy.interval === undefined) return;
    // Each takes the next place in time, so that those who wait keep their distance too.
    const now = this.clock.mono();
    const turn = Math.max(now, this.next);
    this.next = turn + this.policy.interval;
    if (turn > now) await this.clock.sleep(turn - now);
  }

  leave(): void {
    const go = this.waiting.shift();
    if (go === undefined) this.inside -= 1;
    else go();
  }
}

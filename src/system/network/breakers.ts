import type { BreakerState, Clock } from "../../core/index.ts";

/** Failures in a row that open a breaker. */
const FAILURES = 5;
const FIRST_COOLDOWN = 30_000;
const LONGEST_COOLDOWN = 600_000;

/** Whether a request may go out: `probe` means one that only looks, to find out. */
export type Gate = "open" | "probe" | "closed";

/**
 * A circuit breaker for each peer (reliability.md §8, Breaker): closed –(5 failures in a row)→ open –(cooldown)→ half-open –
 * one look → closed or open again, for twice as long.
 */
export class Breakers {
  private readonly clock: Clock;
  private readonly states: Map<string, BreakerState>;
  private readonly probing = new Set<string>();
  /** Told of each change, so that it can be journalled. */
  changed: (origin: string, state: BreakerState) => void = () => undefined;

  constructor(clock: Clock, states: Iterable<readonly [string, BreakerState]> = []) {
    this.clock = clock;
    this.states = new Map(states);
  }

  /** `closed` is the good state: requests pass. */
  gate(origin: string): Gate {
    const state = this.states.get(origin);
    if (state?.until === undefined) return "closed";
    return this.isOver(state.until) ? "probe" : "open";
  }

  /** A cooldown that is measured over a reboot, or by a clock that was set back, is over: a probe does no harm. */
  private isOver(until: NonNullable<BreakerState["until"]>): boolean {
    if (until.boot !== this.clock.bootId()) return true;
    const mono = this.clock.mono();
    return mono >= until.mono || mono < until.since;
  }

  /** ms until a probe may go out. */
  wait(origin: string): number {
    const until = this.states.get(origin)?.until;
    return until === undefined ? 0 : Math.max(0, until.mono - this.clock.mono());
  }

  /** Takes the one place of a probe; false where another is on its way. */
  takeProbe(origin: string): boolean {
    if (this.probing.has(origin)) return false;
    this.probing.add(origin);
    return true;
  }

  succeeded(origin: string): void {
    this.probing.delete(origin);
    const state = this.states.get(origin);
    if (state === undefined) return;
    this.states.delete(origin);
    if (state.until !== undefined) this.changed(origin, { failures: 0, cooldown: 0 });
  }

  /** A failure that counts. `after`: ms that the other side asked to be left alone (429). */
  failed(origin: string, after?: number): void {
    const wasProbe = this.probing.delete(origin);
    const known = this.states.get(origin) ?? { failures: 0, cooldown: 0 };
    const failures = known.failures + 1;
    // What was under way when it opened tells nothing new.
    if (known.until !== undefined && !wasProbe && after === undefined) return;
    if (after === undefined && failures < FAILURES && !wasProbe) {
      this.states.set(origin, { ...known, failures });
      return;
    }
    const cooldown = after ?? (known.cooldown === 0 ? FIRST_COOLDOWN : Math.min(known.cooldown * 2, LONGEST_COOLDOWN));
    const since = this.clock.mono();
    const state: BreakerState = {
      failures,
      cooldown: after === undefined ? cooldown : known.cooldown,
      until: { boot: this.clock.bootId(), since, mono: since + cooldown, wall: this.clock.now() + cooldown },
    };
    this.states.set(origin, state);
    this.changed(origin, state);
  }

  /** A probe that came to no answer about the peer: its place is free again. */
  released(origin: string): void {
    this.probing.delete(origin);
  }
}

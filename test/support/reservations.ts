import type { PeerAnswer, PeerRequest } from "./http-peer-model.ts";

/** Something that a peer was asked to keep free. */
export interface Reservation {
  readonly id: string;
  readonly key: string;
  is: "prepared" | "confirmed" | "cancelled";
  /** How often it took effect. */
  effects: number;
  /** How often what it did was given back. */
  refunds: number;
}

/**
 * A peer that speaks Try-Confirm/Cancel. The same key is the same reservation; a key that was cancelled is known for good, and
 * what comes late for it is refused.
 *
 *     POST /bookings   PUT /bookings/ID   DELETE /bookings/ID
 *     POST /holds      POST /holds/confirm {key}   POST /holds/cancel {key}
 *     GET /all?key=KEY POST /refunds
 */
export class Reservations {
  readonly all: Reservation[] = [];
  /** Keys that were cancelled before anything came under them. */
  private readonly refused = new Set<string>();
  readonly seen: string[] = [];
  /** Answered to what fits, in place of what would be. */
  instead: (request: PeerRequest) => PeerAnswer | undefined = () => undefined;

  take(request: PeerRequest): PeerAnswer {
    this.seen.push(`${request.method} ${request.target}`);
    return this.instead(request) ?? this.carryOut(request);
  }

  /** What it had prepared is gone, as after a timeout. */
  expire(): void {
    for (const one of this.all) if (one.is === "prepared") one.is = "cancelled";
  }

  get prepared(): number {
    return this.all.filter(({ is }) => is === "prepared").length;
  }

  /** How often something took effect, less what was given back. */
  get effects(): number {
    return this.all.reduce((sum, { effects, refunds }) => sum + effects - refunds, 0);
  }

  private carryOut({ method, target, headers, body }: PeerRequest): PeerAnswer {
    const { pathname, searchParams } = new URL(target, "http://peer");
    if (method === "HEAD") return { status: 405 };
    const key = headers["idempotency-key"] ?? "";
    if (method === "POST" && (pathname === "/bookings" || pathname === "/holds")) return this.prepare(pathname, key);
    if (method === "GET" && pathname === "/all") {
      const data = this.all.filter((one) => one.key === searchParams.get("key")).map(({ is }) => ({ is }));
      return { status: 200, body: { data } };
    }
    if (method === "POST" && pathname === "/refunds") return this.refund();
    const named = pathname.startsWith("/holds/") ? (JSON.parse(body) as { readonly key: string }).key : undefined;
    const one = this.all.find(({ id, key: own }) => (named === undefined ? pathname === `/bookings/${id}` : own === named));
    if (named !== undefined && one === undefined && pathname === "/holds/cancel") this.refused.add(named);
    if (one === undefined) return { status: 404 };
    return method === "PUT" || pathname === "/holds/confirm" ? this.confirm(one) : this.cancel(one);
  }

  private prepare(path: string, key: string): PeerAnswer {
    if (this.refused.has(key)) return { status: 410 };
    const known = this.all.find((one) => one.key === key);
    const one = known ?? { id: `r${this.all.length + 1}`, key, is: "prepared", effects: 0, refunds: 0 };
    if (known === undefined) this.all.push(one);
    return {
      status: 201,
      headers: { location: `${path}/${one.id}` },
      body: { id: one.id, is: one.is, links: [{ self: `${path}/${one.id}` }] },
    };
  }

  private confirm(one: Reservation): PeerAnswer {
    if (one.is === "cancelled") return { status: 409, body: { error: "it expired" } };
    if (one.is === "prepared") one.effects += 1;
    one.is = "confirmed";
    return { status: 200, body: { is: one.is } };
  }

  private cancel(one: Reservation): PeerAnswer {
    if (one.is === "confirmed") return { status: 409, body: { error: "it is confirmed" } };
    one.is = "cancelled";
    return { status: 204 };
  }

  private refund(): PeerAnswer {
    const last = this.all.findLast(({ effects, refunds }) => effects > refunds);
    if (last !== undefined) last.refunds += 1;
    return { status: 200 };
  }
}

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BreakerState, Clock } from "../../src/core/index.ts";
import { Breakers } from "../../src/system/network/breakers.ts";
import { HttpPeer } from "../support/http-peer.ts";
import { RemoteStage } from "../support/remote-stage.ts";

const ORIGIN = "http://peer";

/** A clock that is set by hand. */
function handClock() {
  const hand = { mono: 1000, boot: "a", wall: 1_000_000 };
  const clock: Clock = { now: () => hand.wall, mono: () => hand.mono, bootId: () => hand.boot, sleep: async () => undefined };
  return { hand, clock };
}

function opened() {
  const { hand, clock } = handClock();
  const told: [string, BreakerState][] = [];
  const breakers = new Breakers(clock);
  breakers.changed = (origin, state) => told.push([origin, state]);
  for (let time = 0; time < 5; time++) breakers.failed(ORIGIN);
  return { hand, clock, breakers, told };
}

describe("a circuit breaker", () => {
  test("opens at the 5th failure in a row, and tells so once", () => {
    const { clock } = handClock();
    const breakers = new Breakers(clock);
    for (let time = 0; time < 4; time++) breakers.failed(ORIGIN);
    expect(breakers.gate(ORIGIN)).toBe("closed");
    breakers.succeeded(ORIGIN);
    for (let time = 0; time < 4; time++) breakers.failed(ORIGIN);
    expect(breakers.gate(ORIGIN)).toBe("closed");
    const { told, breakers: other } = opened();
    expect(other.gate(ORIGIN)).toBe("open");
    expect(told).toHaveLength(1);
  });

  test("what was under way when it opened does not make it stay open for longer", () => {
    const { breakers, hand, told } = opened();
    for (let time = 0; time < 3; time++) breakers.failed(ORIGIN);
    expect(told).toHaveLength(1);
    hand.mono += 30_000;
    expect(breakers.gate(ORIGIN)).toBe("probe");
  });

  test("waits 30 s, then twice as long after each probe that fails, up to 10 minutes", () => {
    const { breakers, hand } = opened();
    for (const seconds of [30, 60, 120, 240, 480, 600, 600]) {
      hand.mono += seconds * 1000 - 1;
      expect(breakers.gate(ORIGIN), `${seconds} s`).toBe("open");
      hand.mono += 1;
      expect(breakers.gate(ORIGIN), `${seconds} s`).toBe("probe");
      expect(breakers.takeProbe(ORIGIN)).toBe(true);
      expect(breakers.takeProbe(ORIGIN)).toBe(false);
      breakers.failed(ORIGIN);
    }
  });

  test("closes with a probe that succeeds, and then begins anew", () => {
    const { breakers, hand, told } = opened();
    hand.mono += 30_000;
    breakers.takeProbe(ORIGIN);
    breakers.succeeded(ORIGIN);
    expect(breakers.gate(ORIGIN)).toBe("closed");
    expect(told.at(-1)).toEqual([ORIGIN, { failures: 0, cooldown: 0 }]);
    breakers.failed(ORIGIN);
    expect(breakers.gate(ORIGIN)).toBe("closed");
  });

  test("429 opens it for as long as the other side asks", () => {
    const { clock, hand } = handClock();
    const breakers = new Breakers(clock);
    breakers.failed(ORIGIN, 7000);
    expect(breakers.gate(ORIGIN)).toBe("open");
    hand.mono += 7000;
    expect(breakers.gate(ORIGIN)).toBe("probe");
  });

  test.each([
    ["a reboot", { boot: "b", mono: 10 }],
    ["a clock that went back", { boot: "a", mono: 10 }],
  ])("over %s a cool-down is over, and a probe goes out", (_, after) => {
    const { told, clock, hand } = opened();
    const again = new Breakers(clock, told);
    expect(again.gate(ORIGIN)).toBe("open");
    Object.assign(hand, after);
    expect(again.gate(ORIGIN)).toBe("probe");
  });
});

describe("a peer that is down", () => {
  let stage: RemoteStage;
  let peer: HttpPeer;

  beforeEach(async () => {
    stage = new RemoteStage();
    peer = await HttpPeer.start({ deeds: ["/charges", "/refunds"], dedupe: 86_400_000 });
  });

  afterEach(async () => {
    await peer.stop();
    await stage.close();
  });

  const down = () => {
    peer.model.fault = () => ({ do: "drop", executed: false });
  };
  const up = () => {
    peer.model.fault = () => undefined;
  };
  const charge = (more = "") =>
    `  - call: charge\n    url: ${peer.origin}/charges\n    body: { amount: 5 }\n    dedupe: 24h\n    undo: { url: "${peer.origin}/refunds" }\n${more}`;

  test("costs 5 requests, then nothing until the cool-down is over, over resume and apply too", async () => {
    down();
    stage.book(`${charge()}  - file: beside\n    content: x\n`);
    // The others go on.
    expect(await stage.json("apply")).toMatchObject({ exit: 6, status: "halted", actions: [{ status: "failed" }, { status: "set" }] });
    expect(peer.model.seen).toHaveLength(5);
    for (const command of ["resume", "resume", "apply"] as const)
      expect(await stage.json(command), command).toMatchObject({ exit: 6, actions: [{ status: "blocked" }] });
    expect(peer.model.seen).toHaveLength(5);
    const { breakers } = await stage.json<{ breakers: { origin: string; until: number }[] }>("status");
    expect(breakers).toMatchObject([{ origin: peer.origin, failures: 5 }]);
    expect(breakers[0]?.until).toBeGreaterThan(stage.system.clock.now());
    expect((await stage.run("status")).out).toMatch(new RegExp(`not asked +${peer.origin} +5 failures in a row; tried again from `));
  });

  test("is asked by one read when the cool-down is over, and never by the mutation; twice as long where that fails", async () => {
    down();
    stage.book(charge());
    await stage.json("apply");
    peer.model.seen.length = 0;
    stage.offset += 30_000;
    await stage.json("resume");
    expect(peer.model.seen.map(({ method }) => method)).toEqual(["HEAD"]);
    stage.offset += 59_000;
    await stage.json("resume");
    expect(peer.model.seen).toHaveLength(1);
    stage.offset += 1000;
    up();
    expect(await stage.json("resume")).toMatchObject({ exit: 0, status: "applied" });
    expect(peer.model.seen.map(({ method }) => method)).toEqual(["HEAD", "HEAD", "POST"]);
    expect(peer.model.deeds).toHaveLength(1);
    expect(await stage.json("status")).toMatchObject({ breakers: [] });
  });

  test("a probe that is answered by 503 leaves it open", async () => {
    down();
    stage.book(charge());
    await stage.json("apply");
    peer.model.seen.length = 0;
    peer.model.fault = () => ({ do: "answer", answer: { status: 503 } });
    stage.offset += 30_000;
    expect(await stage.json("resume")).toMatchObject({ exit: 6, actions: [{ status: "blocked" }] });
    expect(peer.model.seen.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("has the run reverted where the resource says so", async () => {
    stage.book(`  - file: before\n    content: x\n${charge("    on_failure: revert\n")}`);
    await peer.stop();
    // It was certainly not sent, so nothing is taken back.
    expect(await stage.json("apply")).toMatchObject({
      exit: 7,
      status: "reverted",
      actions: [{ status: "restored" }, { status: "already" }],
    });
    // Now the breaker is open before the first request.
    const report = await stage.json("apply");
    expect(report).toMatchObject({ exit: 7, status: "reverted" });
    expect(report.problems[0]?.detail).toMatch(/circuit breaker open/);
  });

  test("a request waits for its turn where the playbook says how many are let through, and a plan keeps that", async () => {
    for (let id = 0; id < 6; id++) peer.model.objects.set(`/users/${id}`, { id });
    let inside = 0;
    let most = 0;
    peer.model.before = () => {
      inside += 1;
      most = Math.max(most, inside);
    };
    peer.model.fault = () => {
      setTimeout(() => {
        inside -= 1;
      }, 15);
      return { do: "delay", ms: 20 };
    };
    const users = Array.from({ length: 6 }, (_, id) => `  - http: ${peer.origin}/users/${id}\n    body: { state: on }\n`).join("");
    stage.book(users);
    expect((await stage.run("plan")).exit).toBe(2);
    expect(most).toBeGreaterThan(2);
    most = 0;
    stage.book(users, `peers:\n  ${peer.origin}: { concurrency: 1, rate: 2/s, timeout: 5s }\n`);
    stage.waits.length = 0;
    const planned = await stage.json<{ peers: unknown }>("plan");
    expect(planned.peers).toEqual({ [peer.origin]: { concurrency: 1, interval: 500, timeout: 5000 } });
    expect(most).toBe(1);
    expect(stage.waited).toBeGreaterThan(1500);
  });
});

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StackEvent } from "../../src/core/index.ts";
import { openEventLog } from "../../src/system/events/open-log.ts";
import { realSystem } from "../../src/system/index.ts";
import { story } from "../stories/story.ts";
import { EventStacks } from "../support/event-stacks.ts";
import { tally } from "../support/figures.ts";
import { type EventServer, eventServers, PASSWORD } from "../support/servers/event-servers.ts";
import { until } from "../support/servers/port.ts";
import { shareOf } from "../support/share.ts";
import { run } from "./machine.ts";

const system = realSystem();

/** An event like those of a run. */
function event(n: number | string): StackEvent {
  return { id: `event-${n}`, name: "ready", stack: "a", run: `run-${n}`, correlation: "a/1", at: 1, data: { changed: [`file:/${n}`] } };
}

async function ended(child: ReturnType<EventStacks["daemon"]>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

describe.each(["nats", "postgresql"] as const)("events over %s", (kind) => {
  const lacks = eventServers[kind].lacks();
  let server: EventServer;
  beforeAll(async () => {
    if (lacks === undefined) server = await eventServers[kind].start();
  });
  afterAll(() => server?.stop());

  /** Each test has a log of its own. */
  let logs = 0;
  const newLog = () => {
    logs += 1;
    return server.log(`log${logs}`);
  };

  const check = (name: string, body: () => Promise<void> | void) =>
    test(name, async (context) => {
      if (lacks !== undefined) {
        if (process.env.CI === "true") throw new Error(lacks);
        context.skip(lacks);
      }
      await body();
    }, 600_000);

  check("what several append at once is read once each, in one order, by who reads meanwhile", async () => {
    const url = newLog().url();
    const [writers, each] = [6, 30];
    const logs = await Promise.all(Array.from({ length: writers }, () => openEventLog(system, url)));
    const reader = await openEventLog(system, url);
    try {
      let writing = true;
      const written = Promise.all(
        logs.map(async (log, writer) => {
          for (let n = 0; n < each; n++) await log.append([event(`${writer}-${n}`), event(`shared-${n}`)]);
        }),
      ).finally(() => {
        writing = false;
      });
      const read: StackEvent[] = [];
      let place: string | undefined;
      for (let last = false; !last; ) {
        last = !writing;
        const { arrived, end, lost } = await reader.read(place);
        expect(lost).toBeUndefined();
        read.push(...arrived.map((one) => one.event));
        place = end;
      }
      await written;
      const ids = read.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.length).toBe(writers * each + each);
      for (let writer = 0; writer < writers; writer++)
        expect(ids.filter((id) => id.startsWith(`event-${writer}-`))).toEqual(
          Array.from({ length: each }, (_, n) => event(`${writer}-${n}`).id),
        );
      // A place in the middle: all behind it and nothing else.
      const { arrived } = await reader.read(undefined);
      expect(arrived.map((one) => one.event)).toEqual(read);
      const from = arrived[99]?.next as string;
      expect((await reader.read(from)).arrived).toEqual(arrived.slice(100));
    } finally {
      for (const log of [...logs, reader]) await log.close();
    }
  });

  check("who waits is told at once of what another one appends, and that the server went away", async () => {
    const url = newLog().url();
    const [teller, listener] = [await openEventLog(system, url), await openEventLog(system, url)];
    try {
      await teller.append([event(0)]);
      await until("the first event", async () => (await listener.read(undefined)).arrived.length === 1);
      // What announced that one may still be on its way.
      await until("silence", async () => {
        await listener.read(undefined);
        return !(await listener.wait(300));
      });
      const told = listener.wait(60_000);
      await sleep(50);
      const from = performance.now();
      await teller.append([event(1)]);
      expect(await told).toBe(true);
      expect(performance.now() - from).toBeLessThan(listener.interval);
      await until("the second event", async () => (await listener.read(undefined)).arrived.length === 2);
      await until("silence", async () => {
        await listener.read(undefined);
        return !(await listener.wait(300));
      });
      const gone = listener.wait(60_000);
      await server.down();
      expect(await gone).toBe(true);
      await expect(listener.read(undefined)).rejects.toMatchObject({ peer: { retry: true } });
    } finally {
      await teller.close();
      await listener.close();
      await server.up();
    }
  });

  check("stacks converge over it, and its password is in no output and in no file", async () => {
    const log = newLog();
    const stacks = new EventStacks(story(), log);
    stacks.settle("one");
    const outputs = [
      stacks.wish("two"),
      stacks.try("a", ["plan", "a.yaml"]),
      stacks.try("a", ["plan", "a.yaml", "--json"]),
      stacks.try("a", ["history", "--json"]),
      stacks.try("b", ["watch", "b.yaml", "--once"]),
    ].map(({ all }) => all);
    await server.down();
    outputs.push(stacks.wish("three").all, stacks.try("b", ["watch", "b.yaml", "--once", "--json"]).all);
    await server.up();
    expect(outputs.at(-1)).toContain("127.0.0.1");
    expect(outputs.join("\n")).not.toContain(PASSWORD);
    stacks.settle("four");
    expect(run(["grep", "-rlaF", "--", PASSWORD, stacks.story.folder]).out).toBe("");
  });

  check("a server that is away: an apply ends and its events wait, a watch says so once and goes on when it is back", async () => {
    const log = newLog();
    const stacks = new EventStacks(story(), log);
    stacks.settle("before");
    const daemon = stacks.daemon("b");
    try {
      await server.down();
      await until("the watch says it", () => stacks.said.b.includes("is waited for"));
      const held = stacks.wish("away");
      expect(held.exit).toBe(0);
      expect(held.stderr).toContain("wait to be sent");
      const once = stacks.watchOnce("a");
      expect(once.exit).toBe(1);
      // Long enough for several tries.
      await sleep(4000);
      expect(stacks.said.b.match(/is waited for/g)).toHaveLength(1);
      expect(daemon.exitCode).toBeNull();
      await server.up();
      expect(stacks.watchOnce("a").exit).toBe(0);
      await until("the watch goes on", () => stacks.story.read("b") === "away");
      await until("it says so", () => stacks.said.b.includes("the event log is back"));
    } finally {
      await ended(daemon, "SIGTERM");
    }
    expect(daemon.exitCode).toBe(0);
    stacks.settle("after");
  });

  check("what the log drops before it was read is an error, and passed over only when that is asked for", async () => {
    const log = newLog();
    const stacks = new EventStacks(story(), log);
    stacks.settle("before");
    expect(stacks.wish("dropped").exit).toBe(0);
    log.drop();
    const refused = stacks.watchOnce("b");
    expect(refused.exit).toBe(1);
    expect(refused.all).toContain("events-lost");
    expect(refused.all).toContain("--skip-lost");
    expect(stacks.try("b", ["watch", "b.yaml", "--once", "--skip-lost"])).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining("goes on behind them"),
    });
    // It is behind them now, and those that were read before were nobody's loss.
    expect(stacks.watchOnce("b").exit).toBe(0);
    log.drop();
    expect(stacks.watchOnce("b")).toMatchObject({ exit: 0, stderr: "" });
    expect(stacks.story.read("b")).toBe("before");
  });

  check(
    "I22: two stacks whose watchers are killed at random, and the server too, converge; no event is applied twice or lost",
    async () => {
      const log = newLog();
      const stacks = new EventStacks(story(), log);
      const kills = shareOf(60);
      let daemons = { a: stacks.daemon("a"), b: stacks.daemon("b") };
      try {
        for (let n = 0; n < kills; n++) {
          stacks.wish(`wish ${n}`);
          await sleep(Math.random() * 2500);
          const victim = (["a", "b", "server"] as const)[n % 3] ?? "a";
          if (victim === "server") {
            await server.down();
            await sleep(Math.random() * 1000);
            await server.up();
          } else {
            await ended(daemons[victim], "SIGKILL");
            daemons = { ...daemons, [victim]: stacks.daemon(victim) };
          }
        }
      } finally {
        for (const daemon of Object.values(daemons)) await ended(daemon, "SIGTERM");
      }
      stacks.settle("the end");
      tally({ invariants: ["I22"], what: "kills", count: kills });
    },
  );
});

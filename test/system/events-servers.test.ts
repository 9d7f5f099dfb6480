import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type NatsConnection, nanos, RetentionPolicy, type StreamAPI } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventLog, StackEvent, SystemFault } from "../../src/core/index.ts";
import { openEventLog } from "../../src/system/events/open-log.ts";
import { realSystem } from "../../src/system/index.ts";
import { story } from "../stories/story.ts";
import { EventStacks } from "../support/event-stacks.ts";
import { tally } from "../support/figures.ts";
import { type EventServer, eventServers, PASSWORD } from "../support/servers/event-servers.ts";
import { until } from "../support/servers/port.ts";
import { Postgres } from "../support/servers/postgres.ts";
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
      // Awaited below, when all was read.
      written.catch(() => undefined);
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
    try {
      await server.down();
      outputs.push(stacks.wish("three").all, stacks.try("b", ["watch", "b.yaml", "--once", "--json"]).all);
    } finally {
      await server.up();
    }
    expect(outputs.at(-1)).toContain("127.0.0.1");
    expect(outputs.join("\n")).not.toContain(PASSWORD);
    stacks.settle("four");
    expect(run(["grep", "-rlaF", "--", PASSWORD, stacks.story.folder]).out).toBe("");
  });

  check("a watch handles what comes when it comes, not when it looks next", async () => {
    const log = newLog();
    const stacks = new EventStacks(story(), log);
    const daemon = stacks.daemon("b");
    try {
      const times: number[] = [];
      for (let n = 0; n < 5; n++) {
        // It looked just now: by itself it would look again in 5 s.
        await sleep(500);
        expect(stacks.wish(`wish ${n}`).exit).toBe(0);
        const from = performance.now();
        await until("b follows", () => stacks.story.read("b") === `wish ${n}`);
        times.push(performance.now() - from);
      }
      // The least of several, as a busy machine may be slow.
      expect(Math.min(...times.slice(1))).toBeLessThan(1500);
    } finally {
      await ended(daemon, "SIGTERM");
    }
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
      await server.up();
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
        await server.up();
      }
      stacks.settle("the end");
      tally({ invariants: ["I22"], what: "kills", count: kills });
    },
  );
});

describe("a stream of NATS", () => {
  const lacks = eventServers.nats.lacks();
  let server: EventServer;
  let client: NatsConnection;
  let streams: StreamAPI;
  beforeAll(async () => {
    if (lacks !== undefined) return;
    server = await eventServers.nats.start();
    client = await connect({ servers: `127.0.0.1:${server.port}`, user: "events", pass: PASSWORD });
    streams = (await client.jetstreamManager()).streams;
  });
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  const check = (name: string, body: () => Promise<void>) => test.skipIf(lacks !== undefined && process.env.CI !== "true")(name, body);
  const within = async <T>(name: string, body: (log: EventLog) => Promise<T>): Promise<T> => {
    const log = await openEventLog(system, server.log(name).url());
    try {
      return await body(log);
    } finally {
      await log.close();
    }
  };

  check("an event that is sent again beyond the window of duplicates stands in it once", async () => {
    await streams.add({ name: "short", subjects: ["stacks.short.>"], duplicate_window: nanos(100) });
    await within("short", async (log) => {
      await log.append([event(1), event(2)]);
      await sleep(400);
      await log.append([event(1), event(2), event(3)]);
      expect((await log.read(undefined)).arrived.map((one) => one.event.id)).toEqual(["event-1", "event-2", "event-3"]);
    });
  });

  check("a reader that lags behind what a stream of limited size keeps is told; one that does not is not", async () => {
    await streams.add({ name: "small", subjects: ["stacks.small.>"], max_msgs: 3 });
    await within("small", async (log) => {
      await log.append([event(1), event(2)]);
      const { end } = await log.read(undefined);
      await log.append([event(3), event(4), event(5)]);
      const { lost, arrived, end: later } = await log.read(end);
      expect([lost, arrived.length]).toEqual([undefined, 3]);
      await log.append([event(6)]);
      expect((await log.read(end)).lost).toContain("dropped what stood in it from 3 to 3");
      expect((await log.read(later)).lost).toBeUndefined();
      await streams.purge("small");
      expect((await log.read(later)).lost).toContain("from 6 to 6");
    });
  });

  check("a stream that is made anew is read from its start, and that is told", async () => {
    await within("anew", async (log) => {
      await log.append([event(1), event(2)]);
      const { end } = await log.read(undefined);
      await streams.delete("anew");
      await expect(log.read(end)).rejects.toThrow("is not there any more");
      expect(await log.read(undefined)).toEqual({ arrived: [], end: undefined });
      await log.append([event(3)]);
      const { arrived, lost } = await log.read(end);
      expect(arrived.map((one) => one.event.id)).toEqual(["event-3"]);
      expect(lost).toContain("made anew");
    });
  });

  check("streams that cannot be such a log are refused, and it is said why", async () => {
    await streams.add({ name: "queue", subjects: ["stacks.queue.>"], retention: RetentionPolicy.Workqueue });
    await streams.add({ name: "other", subjects: ["stacks.taken.>"] });
    await streams.add({ name: "apart", subjects: ["something.else"] });
    await within("queue", (log) => expect(log.read(undefined)).rejects.toThrow("its retention is workqueue"));
    await within("taken", (log) => expect(log.append([event(1)])).rejects.toThrow("the stream other takes stacks.taken.>"));
    await within("apart", (log) => expect(log.append([event(1)])).rejects.toThrow("does not take stacks.apart.>: add that"));
    const wrong = server.log("any").url().replace(PASSWORD, "wr0ngpass");
    await expect(openEventLog(system, wrong)).rejects.toMatchObject({ peer: { retry: false } });
    await expect(openEventLog(system, wrong)).rejects.not.toThrow("wr0ngpass");
  });
});

describe("a table of PostgreSQL", () => {
  const lacks = eventServers.postgresql.lacks();

  test.skipIf(lacks !== undefined && process.env.CI !== "true")("who may not make it is told what to run, and that makes it", async () => {
    const server = await Postgres.start();
    try {
      server.sql("CREATE ROLE reader LOGIN; REVOKE CREATE ON SCHEMA public FROM public");
      const url = server.url().replace("postgres:t0ps3cret", "reader");
      const log = await openEventLog(system, url);
      const refused = await log.append([event(1)]).catch((thrown: SystemFault) => thrown);
      expect(refused).toMatchObject({ code: "42501" });
      await log.close();
      const statements = /run `(.*)`$/s.exec((refused as SystemFault).message)?.[1] as string;
      server.sql(`${statements}; GRANT SELECT, INSERT, UPDATE ON setpoint_events, setpoint_events_head TO reader`);
      const again = await openEventLog(system, url);
      await again.append([event(1)]);
      const { end } = await again.read(undefined);
      await again.append([event(2), event(3)]);
      server.sql("DELETE FROM setpoint_events WHERE id = 'event-2'");
      const { arrived, lost } = await again.read(end);
      expect(arrived.map((one) => one.event.id)).toEqual(["event-3"]);
      expect(lost).toContain("1 of the events 2 to 3 were deleted");
      server.sql("UPDATE setpoint_events_head SET last = 0");
      expect((await again.read(end)).lost).toContain("was read up to 1 and now ends at 0");
      await again.close();
    } finally {
      await server.stop();
    }
  });
});

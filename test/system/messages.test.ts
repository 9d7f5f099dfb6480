import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tally } from "../support/figures.ts";
import { RemoteRuns, type Stack } from "../support/remote-runs.ts";
import { startNats } from "../support/servers/nats.ts";
import { startRedis } from "../support/servers/redis.ts";
import { needing } from "./servers.ts";

/** A broker that can be asked: what a test needs of it. */
interface Asked {
  readonly port: number;
  readonly resource: (name: string, port: number) => string;
  /** Bodies of the messages that stand there. */
  readonly bodies: () => Promise<readonly string[]>;
  stop(): Promise<void>;
}

const brokers: { readonly [name: string]: { readonly program: string; start(): Promise<Asked> } } = {
  "NATS JetStream": {
    program: "nats-server",
    async start() {
      const nats = await startNats();
      await nats.stream({ name: "ORDERS", subjects: ["orders.>"] });
      return {
        port: nats.server.port,
        resource: (name, port) =>
          `  - message: order\n    broker: nats://127.0.0.1:${port}\n    subject: orders.placed\n    body: ${name}\n    undo: { subject: orders.cancelled, body: not ${name} }`,
        bodies: async () => (await nats.messages("ORDERS")).map(({ body }) => body),
        stop: () => nats.stop(),
      };
    },
  },
  "Redis streams": {
    program: "redis-server",
    async start() {
      const redis = await startRedis();
      return {
        port: redis.server.port,
        resource: (name, port) =>
          `  - message: order\n    broker: redis://127.0.0.1:${port}\n    topic: orders\n    body: ${name}\n    undo: { topic: orders, body: not ${name} }`,
        bodies: async () => ((await redis.call("XRANGE", "orders", "-", "+")) as [string, string[]][]).map(([, fields]) => fields[1] ?? ""),
        stop: () => redis.stop(),
      };
    },
  },
};

for (const [name, { program, start }] of Object.entries(brokers)) {
  describe(name, () => {
    let broker: Asked;
    let runs: RemoteRuns;
    const { lacks, skip } = needing(program);

    beforeAll(async () => {
      if (lacks) return;
      broker = await start();
      runs = await RemoteRuns.before(broker.port);
    });
    afterAll(async () => {
      await runs?.close();
      await broker?.stop();
    });

    const fresh = (): Stack => runs.stack((stack) => broker.resource(stack, runs.gate.port));
    const count = async (body: string): Promise<number> => (await broker.bodies()).filter((one) => one === body).length;

    test("a message is sent once, not again, and taken back by another", async (context) => {
      skip(context);
      const stack = fresh();
      expect(await stack.apply()).toMatchObject({ code: 0, json: { status: "applied", summary: { changed: 1 } } });
      expect(await stack.apply()).toMatchObject({ code: 0, json: { summary: { changed: 0 } } });
      expect(await count(stack.name)).toBe(1);
      expect(await stack.run(["revert", "--yes"])).toMatchObject({ code: 0, json: { status: "reverted" } });
      expect(await count(`not ${stack.name}`)).toBe(1);
      expect(await stack.apply()).toMatchObject({ code: 0, json: { summary: { changed: 1 } } });
      expect(await count(stack.name)).toBe(2);
      stack.end();
    });

    test("I22: killed at each step of an apply, it is there exactly once when the stack is applied", async (context) => {
      skip(context);
      const deaths = await runs.deaths(fresh, ["apply"]);
      let kills = 0;
      for (const [turn, death] of deaths.entries()) {
        const stack = fresh();
        if (await stack.killed(["apply"], death)) kills += 1;
        if (turn % 2 === 0) expect([0, 1], death.name).toContain((await stack.run(["resume"])).code);
        const ended = await stack.apply();
        expect(ended, `${death.name}\n${ended.err}`).toMatchObject({ code: 0 });
        expect(await count(stack.name), death.name).toBe(1);
        stack.end();
      }
      expect(kills).toBeGreaterThan(0);
      tally({ invariants: ["I22"], what: "kills", count: kills });
    }, 3_600_000);

    test("I22: with the connection cut at each step, it is there exactly once", async (context) => {
      skip(context);
      const cuts = (await runs.deaths(fresh, ["apply"])).filter(({ piece }) => piece !== undefined);
      for (const cut of cuts) {
        const stack = fresh();
        const first = await stack.run(stack.applying, { ...cut, cuts: true });
        expect([0, 1, 6], `${cut.name}\n${first.err}`).toContain(first.code);
        const ended = await stack.apply();
        expect(ended, `${cut.name}\n${ended.err}`).toMatchObject({ code: 0 });
        expect(await count(stack.name), cut.name).toBe(1);
        stack.end();
      }
      tally({ invariants: ["I22"], what: "cut connections", count: cuts.length });
    }, 3_600_000);

    test("I22: killed at each step of a revert, it is taken back exactly once", async (context) => {
      skip(context);
      const applied = async (): Promise<Stack> => {
        const stack = fresh();
        expect((await stack.apply()).code).toBe(0);
        return stack;
      };
      const deaths = await runs.deaths(applied, ["revert"]);
      let kills = 0;
      for (const death of deaths) {
        const stack = await applied();
        if (await stack.killed(["revert"], death)) kills += 1;
        const ended = await stack.run(["revert", "--yes"]);
        expect(ended, `${death.name}\n${ended.err}`).toMatchObject({ code: 0 });
        expect([await count(stack.name), await count(`not ${stack.name}`)], death.name).toEqual([1, 1]);
        stack.end();
      }
      expect(kills).toBeGreaterThan(0);
      tally({ invariants: ["I22"], what: "kills", count: kills });
    }, 3_600_000);
  });
}

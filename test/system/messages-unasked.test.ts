import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tally } from "../support/figures.ts";
import { type Ran, RemoteRuns, type Stack } from "../support/remote-runs.ts";
import { startMosquitto } from "../support/servers/mosquitto.ts";
import { startRabbit } from "../support/servers/rabbitmq.ts";
import { startSmtp } from "../support/servers/smtp.ts";
import { needing } from "./servers.ts";

/** Somebody who keeps messages and cannot be asked for them by setpoint: what a test needs of it. */
interface Unasked {
  readonly port: number;
  readonly resource: (name: string, port: number, more?: string) => string;
  readonly address: string;
  /** How many messages of a stack arrived, once all that is on its way has. */
  readonly count: (name: string) => Promise<number>;
  stop(): Promise<void>;
}

const peers: { readonly [name: string]: { readonly program: string; start(): Promise<Unasked> } } = {
  RabbitMQ: {
    program: "rabbitmq-server",
    async start() {
      const rabbit = await startRabbit();
      await rabbit.queue("jobs");
      const taken: string[] = [];
      return {
        port: rabbit.server.port,
        address: "message:job",
        resource: (name, port, more = "") =>
          `  - message: job\n    broker: amqp://127.0.0.1:${port}\n    queue: jobs\n    body: ${name}\n    undo: none\n${more}`,
        async count(name) {
          await sleep(50); // a message of a killed process is on its way from a socket to the queue
          for (const { body, persistent } of await rabbit.take("jobs")) {
            expect(persistent).toBe(true);
            taken.push(body);
          }
          return taken.filter((one) => one === name).length;
        },
        stop: () => rabbit.stop(),
      };
    },
  },
  MQTT: {
    program: "mosquitto",
    async start() {
      const mosquitto = await startMosquitto();
      return {
        port: mosquitto.server.port,
        address: "message:job",
        resource: (name, port, more = "") =>
          `  - message: job\n    broker: mqtt://127.0.0.1:${port}\n    topic: jobs\n    body: ${name}\n    undo: none\n${more}`,
        async count(name) {
          await sleep(50); // a message of a killed process is on its way from a socket to who listens
          return mosquitto.heard.filter(({ body }) => body === name).length;
        },
        stop: () => mosquitto.stop(),
      };
    },
  },
  SMTP: {
    program: "node",
    async start() {
      const smtp = await startSmtp();
      return {
        port: Number(new URL(smtp.url).port),
        address: "notify:owner",
        resource: (name, port, more = "") =>
          `  - notify: owner\n    smtp: smtp://127.0.0.1:${port}\n    from: a@example.com\n    to: b@example.com\n    subject: done\n    text: ${name}.\n    undo: none\n${more}`,
        async count(name) {
          await sleep(50); // a mail of a killed process is on its way from a socket to the server
          return smtp.mails.filter(({ text }) => text.split("\n").includes(`${name}.`)).length;
        },
        stop: () => smtp.stop(),
      };
    },
  },
};

for (const [name, { program, start }] of Object.entries(peers)) {
  describe(name, () => {
    let peer: Unasked;
    let runs: RemoteRuns;
    const { lacks, skip } = needing(program);

    beforeAll(async () => {
      if (lacks) return;
      peer = await start();
      runs = await RemoteRuns.before(peer.port);
    }, 300_000);
    afterAll(async () => {
      await runs?.close();
      await peer?.stop();
    });

    const fresh = (more?: string): Stack => runs.stack((stack) => peer.resource(stack, runs.gate.port, more));
    const inDoubt = ({ code, json }: Ran): boolean => code === 6 && (json.summary as { readonly in_doubt?: number }).in_doubt === 1;

    test("a message is sent once, and not again", async (context) => {
      skip(context);
      const stack = fresh();
      const first = await stack.apply();
      expect(first, first.err).toMatchObject({ code: 0, json: { status: "applied", summary: { changed: 1 } } });
      expect(await stack.apply()).toMatchObject({ code: 0, json: { summary: { changed: 0 } } });
      expect(await peer.count(stack.name)).toBe(1);
      stack.end();
    });

    test("I23: with the connection cut at each step it is there once, or in doubt and not sent again", async (context) => {
      skip(context);
      const cuts = (await runs.deaths(fresh, ["apply"])).filter(({ piece }) => piece !== undefined);
      for (const cut of cuts) {
        const stack = fresh();
        let ended = await stack.run(stack.applying, { ...cut, cuts: true });
        const arrived = await peer.count(stack.name);
        expect(arrived, cut.name).toBeLessThanOrEqual(1);
        if (ended.code !== 0) ended = await stack.apply();
        if (inDoubt(ended)) expect(await peer.count(stack.name), cut.name).toBe(arrived);
        else {
          expect(ended, `${cut.name}\n${ended.err}`).toMatchObject({ code: 0 });
          expect(await peer.count(stack.name), cut.name).toBe(1);
        }
        stack.end();
      }
      tally({ invariants: ["I23"], what: "cut connections", count: cuts.length });
    }, 3_600_000);

    test("I23: killed at each step, what is in doubt is not sent before that is answered, and then as the answer says", async (context) => {
      skip(context);
      const deaths = await runs.deaths(fresh, ["apply"]);
      let kills = 0;
      let doubts = 0;
      for (const [turn, death] of deaths.entries()) {
        const stack = fresh();
        if (await stack.killed(["apply"], death)) kills += 1;
        const arrived = await peer.count(stack.name);
        expect(arrived, death.name).toBeLessThanOrEqual(1);
        if (turn % 2 === 0) await stack.run(["resume"]);
        let ended = await stack.apply();
        if (inDoubt(ended)) {
          doubts += 1;
          ended = await stack.apply();
          expect(inDoubt(ended), death.name).toBe(true);
          expect(await peer.count(stack.name), death.name).toBe(arrived);
          const answer = await stack.run(["answer", peer.address, arrived === 1 ? "happened" : "not"]);
          expect(answer.code, answer.err).toBe(0);
          ended = await stack.apply();
        }
        expect(ended, `${death.name}\n${ended.err}`).toMatchObject({ code: 0 });
        expect(await peer.count(stack.name), death.name).toBe(1);
        stack.end();
      }
      expect(kills).toBeGreaterThan(0);
      tally({ invariants: ["I23"], what: "kills", count: kills });
      if (deaths.length > 60) expect(doubts).toBeGreaterThan(0);
    }, 3_600_000);
  });
}

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { seeded } from "../../src/system/simulated/index.ts";
import { story } from "../stories/story.ts";
import { EventStacks } from "../support/event-stacks.ts";
import { tally } from "../support/figures.ts";
import { Namespaces } from "../support/namespaces.ts";
import { eventServers } from "../support/servers/event-servers.ts";
import { until } from "../support/servers/port.ts";
import { shareOf } from "../support/share.ts";
import { onMachine } from "./machine.ts";

/** In how many ms all must be well after the last harm: a connection that was cut is given up after 15 s, and pauses are 10 s. */
const PATIENCE = 180_000;
const BOUND = 20 * 60_000;

describe.each(["nats", "postgresql"] as const)("two stacks in network namespaces of their own, over %s", (kind) => {
  onMachine(
    "I22: killed and cut off at random, both converge; no event is applied twice or lost",
    ["root", "ip"],
    async () => {
      const lacks = eventServers[kind].lacks();
      if (lacks !== undefined) throw new Error(lacks);
      const seed = Number(process.env.SETPOINT_SEED ?? Date.now() % 1_000_000);
      process.stderr.write(`events over ${kind}: SETPOINT_SEED=${seed}\n`);
      const choose = seeded(seed);
      const server = await eventServers[kind].start();
      let net: Namespaces | undefined;
      const daemons: { a?: ReturnType<EventStacks["daemon"]>; b?: ReturnType<EventStacks["daemon"]> } = {};
      try {
        net = new Namespaces(["a", "b"]);
        const through = { a: net.through("a"), b: net.through("b") };
        const stacks = new EventStacks(story(), server.log("netns", await net.forward(server.port)));
        const begin = (stack: "a" | "b") => {
          daemons[stack] = stacks.daemon(stack, through[stack]);
        };
        const kill = async (stack: "a" | "b") => {
          const daemon = daemons[stack];
          if (daemon === undefined) return;
          daemon.kill("SIGKILL");
          if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, "exit");
        };
        /** Applies at `a`; false where its watch was in the way. */
        const wish = async (text: string) => {
          stacks.story.file("wish", text);
          const apply = stacks.start("a", stacks.wishing, through.a);
          const [exit] = (await once(apply, "exit")) as [number | null];
          expect([0, 8]).toContain(exit);
          return exit === 0;
        };
        begin("a");
        begin("b");
        await until("the first wish", () => wish("first"));
        await until("b hears of it, from another namespace", () => stacks.story.read("b") === "first", PATIENCE);

        // Cut off for as long as it takes to be noticed, with something to tell.
        net.cut("a");
        await until("an apply whose events wait", () => wish("cut off"));
        await until("the watch notices", () => stacks.said.a.includes("is waited for"), PATIENCE);
        expect(stacks.said.a).toContain("wait to be sent");
        expect(stacks.story.read("b")).toBe("first");
        net.mend("a");
        await until("b hears of it later", () => stacks.story.read("b") === "cut off", PATIENCE);

        const harms = { kill: 0, cut: 0 };
        const rounds = shareOf(60);
        const bound = performance.now() + BOUND;
        for (let n = 0; n < rounds && performance.now() < bound; n++) {
          const wished = wish(`wish ${n}`);
          const victim = choose(2) === 0 ? "a" : "b";
          await sleep(choose(2500));
          const isCut = choose(10) < 6;
          if (isCut) net.cut(victim);
          await sleep(choose(1000));
          if (!isCut || choose(2) === 0) {
            await kill(victim);
            begin(victim);
            harms.kill += 1;
          }
          if (isCut) {
            await sleep(choose(4000));
            net.mend(victim);
            harms.cut += 1;
          }
          await wished;
        }
        await until("the last wish", () => wish("the end"));
        await until("both converge", () => ["a", "b", "answer"].every((name) => stacks.story.read(name) === "the end"), PATIENCE);
        for (const stack of ["a", "b"] as const) {
          daemons[stack]?.kill("SIGTERM");
          if (daemons[stack]?.exitCode === null) await once(daemons[stack], "exit");
        }
        stacks.settle("and after");
        tally({ invariants: ["I22"], what: "real kills", count: harms.kill });
        tally({ invariants: ["I22"], what: "cuts of a network", count: harms.cut + 1 });
      } finally {
        for (const daemon of [daemons.a, daemons.b]) daemon?.kill("SIGKILL");
        net?.remove();
        await server.stop();
      }
    },
    BOUND + 600_000,
  );
});

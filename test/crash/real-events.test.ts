import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { story } from "../stories/story.ts";
import { EventStacks } from "../support/event-stacks.ts";
import { tally } from "../support/figures.ts";
import { share, shareOf } from "../support/share.ts";

describe("choreographed stacks", () => {
  test("I22: a stack that is killed at any step of sending or handling an event loses none and applies none twice", {
    timeout: 3_600_000,
  }, () => {
    const stacks = new EventStacks(story());
    stacks.settle("start");
    let kills = 0;
    let edited = 0;
    for (const [victim, act] of [
      ["a", (env: { readonly [name: string]: string }) => stacks.wish(`wish ${kills}`, env)],
      ["b", (env: { readonly [name: string]: string }) => stacks.watchOnce("b", env)],
    ] as const) {
      const counted = join(stacks.story.folder, "counted");
      if (victim === "b") stacks.wish(`for ${victim}`);
      expect(act({ SETPOINT_DIE_AT: `count:${counted}` }).exit).toBe(0);
      const { calls } = JSON.parse(readFileSync(counted, "utf8")) as { calls: readonly string[] };
      expect(calls.length).toBeGreaterThan(30);
      const step = Math.min(12, Math.max(1, Math.round(1 / share)));
      for (let n = 1 + Math.floor(step / 2); n <= calls.length; n += step) {
        if (victim === "b") stacks.wish(`${victim} ${n}`);
        const killed = act({ SETPOINT_DIE_AT: `call:${n}` });
        if (killed.exit === null || killed.exit === 137) kills += 1;
        const last = stacks.events().findLast(({ name }) => name === "ready")?.id as string;
        if (victim === "b" && stacks.runsByEvent("b").get(last)?.includes("applied")) {
          // Applied and perhaps not noted: who applied it again would take back what somebody set since.
          stacks.story.file("b", "edited");
          expect(stacks.watchOnce("b").exit).toBe(0);
          expect(stacks.story.read("b"), `killed at call ${n}`).toBe("edited");
          edited += 1;
        }
        stacks.settle(`${stacks.story.read("wish")} again`);
      }
    }
    expect(kills).toBeGreaterThan(2);
    expect(edited).toBeGreaterThan(0);
    tally({ invariants: ["I22"], what: "real kills", count: kills });
  });

  test("I22: two stacks whose watchers are killed at random converge, and no event is applied twice", { timeout: 3_600_000 }, async () => {
    const stacks = new EventStacks(story());
    const kills = shareOf(40);
    let daemons = { a: stacks.daemon("a"), b: stacks.daemon("b") };
    try {
      for (let n = 0; n < kills; n++) {
        // Where the lock is held the wish waits for the next round.
        stacks.wish(`wish ${n}`);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 2500));
        const victim = Math.random() < 0.5 ? "a" : "b";
        daemons[victim].kill("SIGKILL");
        if (daemons[victim].exitCode === null && daemons[victim].signalCode === null) await once(daemons[victim], "exit");
        daemons = { ...daemons, [victim]: stacks.daemon(victim) };
      }
    } finally {
      const ended = Object.values(daemons).map(async (daemon) => {
        daemon.kill("SIGTERM");
        if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, "exit");
        return daemon.exitCode;
      });
      // One that had not come to listen for signals yet is ended by it.
      for (const code of await Promise.all(ended)) expect([0, null]).toContain(code);
    }
    stacks.settle("the end");
    tally({ invariants: ["I22"], what: "real kills", count: kills });
  });
});

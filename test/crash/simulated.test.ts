import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { shareOf } from "../support/share.ts";
import { Scenario } from "../support/simulated-scenario.ts";

/** Images tried for each moment of each story. */
const IMAGES = shareOf(20);

async function whole() {
  const scenario = new Scenario(1);
  const initial = scenario.snapshot();
  const life = await scenario.run(apply, ["book.yaml"]);
  expect(life.exit, life.said).toBe(0);
  return { initial, final: scenario.snapshot(), calls: life.calls };
}

describe("simulated power cuts", () => {
  test("an apply is seen whole, and a revert gives back what was there", async () => {
    const { initial, final } = await whole();
    expect(final).not.toEqual(initial);
    const scenario = new Scenario(1);
    await scenario.run(apply, ["book.yaml"]);
    const life = await scenario.run(revert);
    expect(life.exit, life.said).toBe(0);
    expect(scenario.snapshot()).toEqual(initial);
  });

  test("I9: exit 0 survives an immediate power cut", async () => {
    const { initial, final } = await whole();
    for (let seed = 1; seed <= IMAGES * 5; seed++) {
      const scenario = new Scenario(seed);
      await scenario.run(apply, ["book.yaml"]);
      scenario.machine.powerCut("random", seeded(seed));
      expect(scenario.snapshot(), `seed ${seed}`).toEqual(final);
      await scenario.run(revert);
      scenario.machine.powerCut("random", seeded(seed + 1));
      expect(scenario.snapshot(), `seed ${seed}, reverted`).toEqual(initial);
    }
  });

  for (const [promise, module] of [
    ["I3: a power cut at any moment, then resume: the final state", resume],
    ["I4: a power cut at any moment, then revert: the state before", revert],
  ] as const) {
    test(promise, async () => {
      const { initial, final, calls } = await whole();
      for (let at = 1; at <= calls; at++) {
        for (let seed = 1; seed <= IMAGES; seed++) {
          const scenario = new Scenario(seed);
          const killed = await scenario.run(apply, ["book.yaml"], at, seed % 2 === 0 ? "before" : "after");
          scenario.machine.powerCut(seed === 1 ? "nothing" : seed === 2 ? "everything" : "random", seeded(seed * 1000 + at));
          const story = `at call ${at} (${killed.last}), seed ${seed}`;
          const begun = scenario.begun();
          if (begun) {
            const life = await scenario.run(module);
            expect(life.exit, `${story}\n${life.said}`).toBe(0);
          } else if (module === resume) {
            const life = await scenario.run(apply, ["book.yaml"]);
            expect(life.exit, `${story}\n${life.said}`).toBe(0);
          }
          expect(scenario.snapshot(), story).toEqual(module === resume ? final : initial);
        }
      }
    }, 1_200_000);
  }

  test("I6: killed, recovered, and then a power cut", async () => {
    const { initial, final, calls } = await whole();
    for (let at = 1; at <= calls; at++) {
      for (const module of [resume, revert]) {
        for (let seed = 1; seed <= Math.max(1, IMAGES / 4); seed++) {
          const scenario = new Scenario(seed);
          const killed = await scenario.run(apply, ["book.yaml"], at, "after");
          if (!scenario.begun()) break;
          const life = await scenario.run(module);
          const story = `after call ${at} (${killed.last}), seed ${seed}`;
          expect(life.exit, `${story}\n${life.said}`).toBe(0);
          scenario.machine.powerCut("random", seeded(seed * 7919 + at));
          expect(scenario.snapshot(), story).toEqual(module === resume ? final : initial);
        }
      }
    }
  }, 1_200_000);

  test("I5: a power cut inside a resume or revert, and again", async () => {
    const { initial, final, calls } = await whole();
    const choose = seeded(42);
    for (let round = 0; round < shareOf(1000); round++) {
      const module = round % 2 === 0 ? resume : revert;
      const scenario = new Scenario(round);
      await scenario.run(apply, ["book.yaml"], 1 + choose(calls), "after");
      scenario.machine.powerCut("random", seeded(round));
      if (!scenario.begun()) continue;
      const at = 1 + choose(60);
      const second = await scenario.run(module, [], at, "before");
      scenario.machine.powerCut("random", seeded(round + 500_000));
      const life = await scenario.run(module);
      expect(life.exit, `round ${round}, second death at ${at} (${second.last})\n${life.said}`).toBe(0);
      expect(scenario.snapshot(), `round ${round}`).toEqual(module === resume ? final : initial);
    }
  }, 1_200_000);
});

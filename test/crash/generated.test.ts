import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Choice, Images, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { type Ends, reached, recovers } from "../support/recovery.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";
import { generatedWorld } from "../support/simulated-generator.ts";
import { Scenario } from "../support/simulated-scenario.ts";

/** Of each moment of each playbook; what a moment has no room for, another playbook has. */
const choice = (seed: number): Choice => ({ exhaustive: 8, samples: 6, seed });

/** The ends of a world; every generated playbook can be applied. */
async function endsOf(scenario: Scenario): Promise<Ends> {
  const initial = scenario.snapshot();
  const life = await scenario.run(apply, ["book.yaml"]);
  expect(life.exit, `${life.said}\n${scenario.world.playbook}`).toBe(0);
  return { initial, final: scenario.snapshot() };
}

describe("generated playbooks", () => {
  for (const [promise, invariant, module] of [
    ["I3: a crash at any moment of any playbook, then resume: the final state", "I3", resume],
    ["I4: a crash at any moment of any playbook, then revert: the state before", "I4", revert],
  ] as const) {
    test(promise, async () => {
      let tried = 0;
      for (const seed of seedsUpTo(1500)) {
        await withSeed(seed, async () => {
          const world = generatedWorld(seed);
          const ends = await endsOf(new Scenario(seed, world));
          const images = new Images();
          const whole = await moments(new Scenario(seed, world), apply, ["book.yaml"]);
          for (const moment of whole.moments) for (const image of images.of(moment, choice(seed))) await recovers(image, module, ends);
          tried += images.tried;
        });
      }
      tally({ invariants: [invariant, "I8", "I10"], what: "crash images", count: tried });
    }, 36_000_000);
  }

  test("I2: a second apply of any playbook changes nothing and writes nothing outside the state directory", async () => {
    const seeds = seedsUpTo(10_000);
    for (const seed of seeds) {
      await withSeed(seed, async () => {
        const scenario = new Scenario(seed, generatedWorld(seed));
        const { final } = await endsOf(scenario);
        const again = await scenario.run(apply, ["book.yaml"]);
        expect([again.exit, again.outside], again.said).toEqual([0, 0]);
        reached(scenario, final, "a second apply");
      });
    }
    tally({ invariants: ["I2"], what: "playbooks", count: seeds.length });
  }, 3_600_000);

  test("I7: of any playbook a revert gives back what was there, a second one nothing, and neither does a resume of what is applied", async () => {
    const seeds = seedsUpTo(5_000);
    for (const seed of seeds) {
      await withSeed(seed, async () => {
        const scenario = new Scenario(seed, generatedWorld(seed));
        const { initial, final } = await endsOf(scenario);
        const changed = JSON.stringify(initial) !== JSON.stringify(final);
        if (!changed) return;
        const resumed = await scenario.run(resume);
        expect([resumed.exit, resumed.outside], resumed.said).toEqual([0, 0]);
        reached(scenario, final, "a resume of an applied run");
        const reverted = await scenario.run(revert);
        expect(reverted.exit, reverted.said).toBe(0);
        reached(scenario, initial, "a revert", reverted.said);
        const again = await scenario.run(revert);
        expect([again.exit, again.outside], again.said).toEqual([0, 0]);
        reached(scenario, initial, "a second revert");
      });
    }
    tally({ invariants: ["I7"], what: "playbooks", count: seeds.length });
  }, 3_600_000);
});

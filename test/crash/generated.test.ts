import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { tally } from "../support/figures.ts";
import { generatedEnds } from "../support/generated.ts";
import { reached } from "../support/recovery.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";
import { generatedWorld } from "../support/simulated-generator.ts";
import { Scenario } from "../support/simulated-scenario.ts";

describe("generated playbooks", () => {
  test("I2: a second apply of any playbook changes nothing and writes nothing outside the state directory", async () => {
    const seeds = seedsUpTo(10_000);
    for (const seed of seeds) {
      await withSeed(seed, async () => {
        const scenario = new Scenario(seed, generatedWorld(seed));
        const { final } = await generatedEnds(scenario);
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
        const { initial, final } = await generatedEnds(scenario);
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

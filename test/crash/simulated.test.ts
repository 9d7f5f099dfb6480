import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Choice, Images } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { endsOf, reached, recoversAnywhere } from "../support/recovery.ts";
import { shareOf } from "../support/share.ts";
import { Scenario } from "../support/simulated-scenario.ts";
import { STANDARD } from "../support/simulated-world.ts";

/** Of each moment: all legal images where they are few, else some of them. */
const choice: Choice = { exhaustive: shareOf(256), samples: shareOf(200), seed: 1 };

describe("simulated power cuts", () => {
  test("I7: a revert gives back what was there; again, and a resume of an applied run, change nothing", async () => {
    const { initial, final } = await endsOf(STANDARD);
    expect(final).not.toEqual(initial);
    const scenario = new Scenario(1);
    await scenario.run(apply, ["book.yaml"]);
    const resumed = await scenario.run(resume);
    expect([resumed.exit, resumed.outside], resumed.said).toEqual([0, 0]);
    reached(scenario, final, "resume of an applied run");
    for (const time of ["first", "second"]) {
      const life = await scenario.run(revert);
      expect(life.exit, life.said).toBe(0);
      if (time === "second") expect(life.outside).toBe(0);
      reached(scenario, initial, `${time} revert`);
    }
    tally({ invariants: ["I7"], what: "simulated runs", count: 4 });
  });

  test("I9: exit 0 survives an immediate power cut", async () => {
    const ends = await endsOf(STANDARD);
    const images = new Images();
    const applied = new Scenario(1);
    await applied.run(apply, ["book.yaml"]);
    for (const image of images.powerCuts({ scenario: applied, story: "after the apply" }, { ...choice, seed: 2 })) {
      reached(image.scenario, ends.final, image.story);
      await image.scenario.run(revert);
      for (const cut of images.powerCuts({ scenario: image.scenario, story: "after the revert" }, { ...choice, seed: 3 }))
        reached(cut.scenario, ends.initial, `${image.story}, ${cut.story}`);
    }
    tally({ invariants: ["I9"], what: "crash images", count: images.tried });
  });

  for (const [promise, invariant, module] of [
    ["I3: a crash at any moment, then resume: the final state", "I3", resume],
    ["I4: a crash at any moment, then revert: the state before", "I4", revert],
  ] as const) {
    test(promise, async () => {
      const { tried } = await recoversAnywhere(new Scenario(1), module, await endsOf(STANDARD), choice);
      tally({ invariants: [invariant, "I8", "I10"], what: "crash images", count: tried });
    }, 3_600_000);
  }
});

import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { share } from "../support/share.ts";
import { Scenario } from "../support/simulated-scenario.ts";

/** Every n-th call is tried; a whole run tries each. */
const STEP = Math.max(1, Math.round(0.3 / share));
const FAULTS = ["ENOSPC", "EIO", "EROFS", "EMFILE"];
/** How an apply may end that met a fault: as if there had been none, failed with nothing changed, or with something left. */
const ENDS = [0, 1, 6];

describe("I16: a fault at any call", () => {
  for (const fault of FAULTS) {
    test(`${fault}: a clear end, then resume or apply reach the final state, and a revert the one before`, async () => {
      const whole = new Scenario(1);
      const initial = whole.snapshot();
      const { calls } = await whole.run(apply, ["book.yaml"]);
      const final = whole.snapshot();
      for (let at = 1; at <= calls; at += STEP) {
        for (const module of [resume, revert]) {
          const scenario = new Scenario(at);
          const life = await scenario.runFaulty(apply, ["book.yaml"], at, fault);
          const story = `${fault} at call ${at} (${life.last})`;
          expect(ENDS, `${story}: exit ${life.exit}\n${life.said}`).toContain(life.exit);
          // I17: a failed sync is never tried again, and nothing is set after it.
          expect(
            life.afterFailedSync.filter((call) => /^(rename|link|makeDirectory|symlink) .*\/site/.test(call)),
            story,
          ).toEqual([]);
          const begun = scenario.begun();
          if (module === resume) {
            const after = life.exit === 0 ? life : begun ? await scenario.run(resume) : await scenario.run(apply, ["book.yaml"]);
            expect(after.exit, `${story}\n${life.said}\n${after.said}`).toBe(0);
            expect(scenario.snapshot(), story).toEqual(final);
          } else {
            const after = begun ? await scenario.run(revert) : life;
            if (begun) expect(after.exit, `${story}\n${life.said}\n${after.said}`).toBe(0);
            expect(scenario.snapshot(), story).toEqual(initial);
          }
        }
      }
    }, 600_000);
  }
});

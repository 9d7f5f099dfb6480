import { describe, test } from "vitest";
import { resume } from "../../src/cli/commands/resume.ts";
import { tally } from "../support/figures.ts";
import { generatedCrashes } from "../support/generated.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";

describe("generated playbooks", () => {
  test("I3: a crash at any moment of any playbook, then resume: the final state", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(1500)) tried += await withSeed(seed, () => generatedCrashes(seed, resume));
    tally({ invariants: ["I3", "I8", "I10"], what: "crash images", count: tried });
  }, 36_000_000);
});

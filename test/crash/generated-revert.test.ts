import { describe, test } from "vitest";
import { revert } from "../../src/cli/commands/revert.ts";
import { tally } from "../support/figures.ts";
import { generatedCrashes } from "../support/generated.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";

describe("generated playbooks", () => {
  test("I4: a crash at any moment of any playbook, then revert: the state before", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(1500)) tried += await withSeed(seed, () => generatedCrashes(seed, revert));
    tally({ invariants: ["I4", "I8", "I10"], what: "crash images", count: tried });
  }, 36_000_000);
});

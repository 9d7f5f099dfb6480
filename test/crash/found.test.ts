import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import type { Choice } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { endsOf, reached, recoversAnywhere } from "../support/recovery.ts";
import { Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

const choice: Choice = { exhaustive: 4, samples: 2, seed: 1 };

/** Worlds in which a long run of generated playbooks once found a broken promise, made as small as they go. */
const worlds: { readonly [found: string]: World } = {
  "the file that a content is copied from is another file's name by then": {
    playbook: `
setpoint: 1
name: found
resources:
  - link: site/second
    hard: site/first
    replace: true
  - file: site/place
    content: ""
    write: in-place
`,
    folders: ["w/site"],
    files: { "w/site/first": "another's", "w/site/second": "", "w/site/place": "before" },
  },
  "what is private stands still, and another file gets the same content": {
    playbook: `
setpoint: 1
name: found
resources:
  - file: site/place
    content: ""
    write: in-place
  - file: site/steady
    mode: "0640"
`,
    folders: ["w/site"],
    files: { "w/site/place": "to be had again", "w/site/steady": "" },
    modes: { "w/site/steady": 0o640 },
  },
  "attributes alone part a name from the file that it shares": {
    playbook: `
setpoint: 1
name: found
resources:
  - file: site/parted
    owner: 7
    mode: "0600"
    hardlinks: break
`,
    folders: ["w/site"],
    files: { "w/site/shared": "of both" },
    hardlinks: { "w/site/parted": "w/site/shared" },
  },
};

for (const [found, world] of Object.entries(worlds)) {
  describe(found, () => {
    test("I7: a revert gives back what was there", async () => {
      const { initial, final } = await endsOf(world);
      expect(final).not.toEqual(initial);
      const scenario = new Scenario(1, world);
      await scenario.run(apply, ["book.yaml"]);
      expect((await scenario.run(revert)).exit).toBe(0);
      reached(scenario, initial, "a revert");
      tally({ invariants: ["I7"], what: "simulated runs", count: 2 });
    });

    for (const [promise, invariant, module] of [
      ["I3: a crash at any moment, then resume: the final state", "I3", resume],
      ["I4: a crash at any moment, then revert: the state before", "I4", revert],
    ] as const) {
      test(promise, async () => {
        const { tried } = await recoversAnywhere(new Scenario(1, world), module, await endsOf(world), choice);
        tally({ invariants: [invariant, "I8", "I10"], what: "crash images", count: tried });
      });
    }
  });
}

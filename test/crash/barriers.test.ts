import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Lies, seeded } from "../../src/system/simulated/index.ts";
import { shareOf } from "../support/share.ts";
import { Scenario } from "../support/simulated-scenario.ts";

const RUN = /\/state\/runs\/[^/.]+$/;
const TEMP = /\/\.[a-z2-7]{16}-/;

/** The ordering barriers of the protocol: each with the syncs that make it, and where it is needed. */
const barriers: readonly { readonly name: string; readonly lies: Lies; readonly during: "apply" | "recovery" }[] = [
  { name: "the journal's records (W1)", lies: (path) => /\/journal(\.new)?$/.test(path), during: "apply" },
  { name: "the names in a run's folder (W1)", lies: (path) => RUN.test(path), during: "apply" },
  { name: "the run's name (W1)", lies: (path) => path.endsWith("/state/runs"), during: "apply" },
  { name: "the contents that a run sets", lies: (path) => path.endsWith("/after.pack"), during: "apply" },
  { name: "the contents that a run replaced (W1)", lies: (path) => path.endsWith("/before.pack"), during: "apply" },
  { name: "the frozen plan", lies: (path) => /plan\.json(\.new)?$/.test(path), during: "apply" },
  { name: "the state directory's keys and its own name", lies: (path) => /\/keys\.new$|^\/w$/.test(path), during: "apply" },
  { name: "temp files before their rename", lies: (path) => TEMP.test(path), during: "apply" },
  { name: "the folders of what was set (W2, W3)", lies: (path) => path.startsWith("/w/site") && !TEMP.test(path), during: "apply" },
  { name: "the journal that recovery goes on from (W4)", lies: (path) => /\/journal$/.test(path), during: "recovery" },
  {
    name: "the folders of what recovery set or found (W3, W4)",
    lies: (path) => path.startsWith("/w/site") && !TEMP.test(path),
    during: "recovery",
  },
];

/** Looks for a moment and an image at which the promise breaks without the barrier. */
async function violation(lies: Lies, during: "apply" | "recovery", seeds = 12): Promise<string | undefined> {
  const scenario = new Scenario(1);
  const initial = JSON.stringify(scenario.snapshot());
  const life = await scenario.run(apply, ["book.yaml"]);
  const final = JSON.stringify(scenario.snapshot());
  for (let seed = 1; seed <= seeds; seed++) {
    for (let at = 1 + (seed % 3); at <= life.calls + 1; at += 3) {
      for (const module of [revert, resume]) {
        const one = new Scenario(seed);
        // One call more than there are: it lives to its end, and exit 0 must survive.
        const killed = await one.run(apply, ["book.yaml"], at > life.calls ? 0 : at, "after", during === "apply" ? lies : undefined);
        if (during === "recovery") {
          if (!one.begun()) continue;
          await one.run(module, [], 0, "before", lies);
        }
        one.machine.powerCut("random", seeded(seed * 100 + at));
        const wanted = during === "recovery" ? (module === resume ? final : initial) : at > life.calls ? final : undefined;
        if (wanted !== undefined && JSON.stringify(one.snapshot()) !== wanted)
          return `at ${at} (${killed.last}), seed ${seed}: an ended command did not survive`;
        if (one.begun()) {
          const after = await one.run(module);
          if (after.exit !== 0 && !(module === resume && /is reverted/.test(after.said)))
            return `at ${at} (${killed.last}), seed ${seed}: exit ${after.exit}`;
          if (during === "apply" && JSON.stringify(one.snapshot()) !== (module === resume ? final : initial))
            return `at ${at} (${killed.last}), seed ${seed}: another state`;
        } else if (JSON.stringify(one.snapshot()) !== initial)
          return `at ${at} (${killed.last}), seed ${seed}: changed, and no run knows of it`;
      }
    }
  }
  return undefined;
}

describe("every barrier is needed: without it a power cut breaks a promise", () => {
  for (const { name, lies, during } of barriers) {
    test(`${during}: ${name}`, async () => {
      expect(await violation(lies, during)).toBeDefined();
    }, 600_000);
  }

  test("with all of them there is no such moment", async () => {
    expect(await violation(() => false, "apply", shareOf(12))).toBeUndefined();
    expect(await violation(() => false, "recovery", shareOf(12))).toBeUndefined();
  }, 1_200_000);
});

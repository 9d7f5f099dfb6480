import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import type { Lies } from "../../src/system/simulated/index.ts";
import { type Choice, Images, type Moment, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { endsOf, reached, recovers, WAYS } from "../support/recovery.ts";
import { shareOf } from "../support/share.ts";
import { type Fate, Scenario } from "../support/simulated-scenario.ts";
import { STANDARD } from "../support/simulated-world.ts";

const RUN = /\/state\/runs\/[^/.]+$/;
const TEMP = /\/\.[a-z2-7]{16}-/;

/** Of each moment: all legal images where they are few, else some of them. */
const choice: Choice = { exhaustive: shareOf(64), samples: 2 + shareOf(30), seed: 1 };

/** What is shown is the broken promise itself, not that the trace checker sees it coming. */
const UNCHECKED: Fate = { checked: false };

interface Barrier {
  readonly name: string;
  readonly lies: Lies;
  /** When the syncs are left out: in the apply, or in what comes after it was killed: a recovery, or an apply where nothing was begun. */
  readonly during: "apply" | "recovery" | "second apply";
}

/** The ordering barriers of the protocol: each with the syncs that make it, and where it is needed. */
const barriers: readonly Barrier[] = [
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
  { name: "the state directory that a killed process made (W4)", lies: (path) => /^\/w(\/state)?$/.test(path), during: "second apply" },
  { name: "the folders of blobs that a killed process made (W4)", lies: (path) => path.endsWith("/state/blobs"), during: "recovery" },
];

/** Looks for a moment and an image at which the promise breaks without the barrier; tells what it tried where there is none. */
async function violation({ lies, during }: Pick<Barrier, "lies" | "during">): Promise<string | { readonly tried: number }> {
  const ends = await endsOf(STANDARD);
  const whole = await moments(new Scenario(1), apply, ["book.yaml"], during === "apply" ? { lies } : {});
  let tried = 0;
  try {
    for (const way of WAYS) {
      const images = new Images();
      for (const moment of whole.moments) {
        if (during === "apply") {
          for (const image of images.powerCuts(moment, choice)) await recovers(image, way, ends, UNCHECKED);
          continue;
        }
        const scenario = moment.scenario.fork(1);
        if (scenario.begun() !== (during === "recovery")) continue;
        const story = `${moment.story}, killed and gone on with`;
        const life = await recovers({ scenario, story }, way, ends, { lies });
        if (life === undefined) continue;
        for (const image of images.powerCuts({ scenario, story }, choice)) {
          reached(image.scenario, way === revert ? ends.initial : ends.final, image.story);
          await recovers(image, way, ends, UNCHECKED);
          if (way !== revert) await recovers(image, revert, ends, UNCHECKED);
        }
      }
      tried += images.tried;
    }
    // It lived to its end, and exit 0 must survive.
    for (const image of new Images().powerCuts(whole.moments.at(-1) as Moment, choice)) reached(image.scenario, ends.final, image.story);
  } catch (thrown) {
    return (thrown as Error).message;
  }
  return { tried };
}

describe("every barrier is needed: without it a power cut breaks a promise", () => {
  for (const { name, lies, during } of barriers) {
    test(`${during}: ${name}`, async () => {
      expect(await violation({ lies, during })).toEqual(expect.any(String));
    }, 600_000);
  }

  test("I6: killed, recovered, and then a power cut: with all of them there is no such moment", async () => {
    for (const during of ["recovery", "second apply"] as const) {
      const held = await violation({ lies: () => false, during });
      expect(held).toEqual({ tried: expect.any(Number) });
      if (typeof held !== "string") tally({ invariants: ["I6"], what: "crash images", count: held.tried });
    }
  }, 1_200_000);
});

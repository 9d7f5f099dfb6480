import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { type Moment, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { type Ends, endsOf, recovers, WAYS } from "../support/recovery.ts";
import { share, shareOf } from "../support/share.ts";
import { type Fate, type Life, Scenario } from "../support/simulated-scenario.ts";
import { STANDARD } from "../support/simulated-world.ts";

/** Every n-th call is tried; a whole run tries each. */
const STEP = Math.max(1, Math.round(0.3 / share));

/** How an apply, resume or revert may end that met a fault: as if there had been none, failed with nothing changed, or with something left. */
const ENDS = [0, 1, 6];

/** A kernel that takes half of what it is given, and then another answer. */
function halfThen(answer: number | string | "the rest"): () => NonNullable<Fate["appetite"]> {
  return () => {
    let first = true;
    return (length) => {
      if (first) {
        first = false;
        return Math.floor(length / 2) || 1;
      }
      return answer === "the rest" ? length : answer;
    };
  };
}

const FAULTS: { readonly [name: string]: () => Omit<Fate, "at"> } = {
  ...Object.fromEntries(["ENOSPC", "EIO", "EROFS", "EMFILE", "EINTR"].map((fault) => [fault, () => ({ fault })])),
  "a short write": () => ({ appetite: halfThen("the rest")() }),
  "a short write and then a full disk": () => ({ appetite: halfThen("ENOSPC")() }),
  "a short write and then none": () => ({ appetite: halfThen(0)() }),
};

/** The moments at which a run was left that a resume or a revert then meets a fault in: some of an apply's, and its end. */
async function leftRuns(): Promise<readonly Moment[]> {
  const { moments: all } = await moments(new Scenario(1), apply, ["book.yaml"]);
  const begun = all.filter(({ scenario }) => scenario.begun());
  const every = Math.max(1, Math.floor(begun.length / shareOf(20)));
  return begun.filter((_, index) => index % every === every - 1 || index === begun.length - 1);
}

interface Case {
  readonly from: Moment;
  readonly module: CommandModule;
  readonly args: readonly string[];
  readonly ways: readonly CommandModule[];
}

/** The fault at each call of a command; from there both ways on, and the same after a power cut. Gives the number of faults. */
async function meets({ from, module, args, ways }: Case, name: string, fate: () => Omit<Fate, "at">, ends: Ends): Promise<number> {
  const { calls } = await from.scenario.fork(1).run(module, args);
  let tried = 0;
  for (let at = 1; at <= calls; at += STEP) {
    const faulty = from.scenario.fork(at);
    const story = `${from.story}: ${name} at call ${at} of what came then`;
    const life = await faulty.run(module, args, { at, ...fate() }).catch((thrown: unknown) => {
      throw new Error(`${story}: ${(thrown as Error).message}`, { cause: thrown });
    });
    judged(life, story);
    for (const way of ways) {
      for (const cut of [false, true]) {
        const scenario = faulty.fork(at);
        if (cut) scenario.machine.powerCut("random", seeded(at));
        await recovers({ scenario, story: `${story} (${life.last})${cut ? ", power cut" : ""}\n${life.said}` }, way, ends);
      }
    }
    tried += 1;
  }
  return tried;
}

function judged(life: Life, story: string): void {
  expect(life.bug, story).toBeUndefined();
  expect(ENDS, `${story} (${life.last}): exit ${life.exit}\n${life.said}`).toContain(life.exit);
}

describe("a fault at any call", () => {
  for (const [name, fate] of Object.entries(FAULTS)) {
    test(`I16: ${name}: a clear end, then resume or apply reach the final state, and a revert the one before`, async () => {
      const ends = await endsOf(STANDARD);
      const start: Moment = { scenario: new Scenario(1), story: "apply" };
      let tried = await meets({ from: start, module: apply, args: ["book.yaml"], ways: WAYS }, name, fate, ends);
      for (const from of await leftRuns()) {
        tried += await meets({ from, module: resume, args: [], ways: WAYS }, name, fate, ends);
        tried += await meets({ from, module: revert, args: [], ways: [revert] }, name, fate, ends);
      }
      tally({ invariants: ["I16", "I17"], what: "faults", count: tried });
    }, 3_600_000);
  }
});

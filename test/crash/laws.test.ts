import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { startReading, vaultFor } from "../../src/cli/stack.ts";
import { locked, toolsFor, viewFor } from "../../src/cli/tools.ts";
import type { RunId } from "../../src/core/index.ts";
import { openRun } from "../../src/engine/begin.ts";
import { recover } from "../../src/engine/recover.ts";
import { type JournalRecord, parseJournal, runState, StateDirectory, take } from "../../src/journal/index.ts";
import { Images, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { contextFor } from "../support/in-process.ts";
import { endsOf, recovers, WAYS } from "../support/recovery.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";
import { generatedWorld } from "../support/simulated-generator.ts";
import { Scenario } from "../support/simulated-scenario.ts";

/** What recovery does, and no more than that: what every command that goes on with a run does first. */
async function recoverOnly(scenario: Scenario): Promise<void> {
  const { system, end } = scenario.machine.process("/w");
  const context = contextFor(system, "/w", { out: "", err: "" });
  await locked(context, {}, async (state) => {
    const reading = startReading(context, state, { commands: true });
    for (const run of state.runs()) {
      const folder = state.runFolder(run);
      const plan = folder.plan();
      const work = openRun(toolsFor(context, state, reading, vaultFor(context, reading, []), viewFor(context)), folder, plan);
      recover(work);
      work.journal.close();
      folder.close();
    }
    return 0;
  });
  end();
}

/** The records of each journal of a machine, by run. */
function journals(scenario: Scenario): readonly (readonly [RunId, readonly JournalRecord[]])[] {
  const { files } = scenario.machine.process("/w");
  return new StateDirectory(scenario.machine.process("/w").system, "/w/state").runs().map((run) => {
    const fd = files.openRead(`/w/state/runs/${run}/journal`);
    const { data } = files.at(fd);
    files.close(fd);
    return [run, parseJournal(data, run).records] as const;
  });
}

/** The ledger in its file says what the journals say, and each of them folds to the same from any place on. */
function foldsHold(scenario: Scenario, story: string): number {
  const state = new StateDirectory(scenario.machine.process("/w").system, "/w/state");
  expect(state.ledger().toText(), story).toBe(state.rebuiltLedger().toText());
  let records = 0;
  for (const [, all] of journals(scenario)) {
    const whole = runState(all);
    const cut = Math.ceil(all.length / 2);
    const rest = runState(all.slice(0, cut));
    for (const record of all.slice(cut)) if (rest) take(rest, record);
    expect(rest, story).toEqual(whole);
    records += all.length;
  }
  return records;
}

describe("laws of recovery", () => {
  test("I14: recovering twice is as recovering once, and the ledger and state of a run are the fold of its records", async () => {
    let images = 0;
    let records = 0;
    for (const seed of seedsUpTo(300)) {
      await withSeed(seed, async () => {
        const world = generatedWorld(seed);
        const ends = await endsOf(world);
        const { moments: all } = await moments(new Scenario(seed, world), apply, ["book.yaml"]);
        const found = new Images();
        for (const [index, moment] of all.entries()) {
          for (const image of found.of(moment, { exhaustive: 2, samples: 2, seed })) {
            if (!image.scenario.begun()) continue;
            await recoverOnly(image.scenario);
            const once = image.scenario.machine.disk.digest();
            await recoverOnly(image.scenario);
            expect(image.scenario.machine.disk.digest(), image.story).toBe(once);
            await recovers(image, WAYS[index % 2] as CommandModule, ends);
            records += foldsHold(image.scenario, image.story);
          }
        }
        images += found.tried;
      });
    }
    tally({ invariants: ["I14", "I30"], what: "crash images", count: images });
    tally({ invariants: ["I14"], what: "records", count: records });
  }, 36_000_000);
});

const STATUSES = ["pending", "intended", "done", "failed", "conflict", "unknown", "undoing", "undone", "kept"] as const;
type Status = (typeof STATUSES)[number];

/** The tables of reliability.md §4 for an action: from where each record may come. */
const EVENTS: { readonly [event: string]: { readonly record: object; readonly from: readonly Status[]; readonly to: Status | "same" } } = {
  intent: {
    record: { t: "intent", n: [1, 1] },
    from: ["pending", "failed", "conflict", "intended", "unknown", "done", "undone"],
    to: "intended",
  },
  done: { record: { t: "done", n: [1, 1], outcome: "set" }, from: ["pending", "intended", "failed", "conflict", "unknown"], to: "done" },
  fail: {
    record: { t: "fail", action: 1, class: "EIO", message: "", mutated: "no" },
    from: ["pending", "intended", "failed", "conflict", "unknown", "undoing", "done", "kept"],
    to: "failed",
  },
  unknown: { record: { t: "unknown", action: 1, why: "" }, from: ["pending", "intended", "unknown", "failed", "undoing"], to: "unknown" },
  answered: { record: { t: "answer", action: 1, happened: true }, from: ["unknown", "intended"], to: "done" },
  denied: { record: { t: "answer", action: 1, happened: false }, from: ["unknown", "intended"], to: "pending" },
  conflict: {
    record: { t: "conflict", action: 1, found: { is: "absent" }, phase: "forward" },
    from: ["pending", "intended", "failed", "conflict", "unknown", "done", "undone"],
    to: "conflict",
  },
  kept: {
    record: { t: "conflict", action: 1, found: { is: "absent" }, phase: "back" },
    from: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict"],
    to: "kept",
  },
  refold: {
    record: { t: "refold", action: 1, found: { is: "absent" }, after: { is: "absent" } },
    from: ["pending", "intended", "failed", "conflict", "unknown", "done", "undone"],
    to: "same",
  },
  undo: { record: { t: "undo", n: [1, 1] }, from: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict"], to: "undoing" },
  clr: {
    record: { t: "clr", n: [1, 1], outcome: "restored" },
    from: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict", "pending"],
    to: "undone",
  },
  sent: { record: { t: "sent", action: 1 }, from: ["intended", "undoing"], to: "same" },
};

const begin = {
  t: "begin",
  run: "r",
  plan: "",
  stack: "",
  setpoint: "",
  boot: "",
  at: 0,
  mono: 0,
  seq: 0,
  v: 1,
  d: -1,
} as unknown as JournalRecord;

const RUNS = ["interrupted", "halted", "applied", "superseded", "abandoned", "reverted", "revert-halted"] as const;

/** The same for a run: what may take it up, and how it may end. */
const COMMANDS: { readonly [event: string]: { readonly record: object; readonly from: readonly string[] } } = {
  resume: { record: { t: "resume", boot: "" }, from: ["interrupted", "halted"] },
  revert: {
    record: { t: "revert", boot: "" },
    from: ["interrupted", "halted", "applied", "superseded", "reverted", "revert-halted", "interrupted back"],
  },
  ...Object.fromEntries(
    RUNS.filter((state) => state !== "interrupted").map((state) => [
      `end as ${state}`,
      {
        record: { t: "end", state, exit: 0, counts: {} },
        from: [
          ...(["applied", "halted", "superseded", "abandoned"].includes(state) ? RUNS.filter((run) => !isBack(run)) : []),
          ...(["reverted", "revert-halted", "abandoned"].includes(state) ? [...RUNS.filter(isBack), "interrupted back"] : []),
        ],
      },
    ]),
  ),
};

function isBack(status: string): boolean {
  return status === "reverted" || status === "revert-halted" || status.endsWith(" back");
}

describe("transitions", () => {
  test("I30: an action moves by the tables, and by nothing else", () => {
    let tried = 0;
    for (const [event, { record, from, to }] of Object.entries(EVENTS)) {
      for (const status of STATUSES) {
        const state = runState([begin]);
        if (!state) throw new Error("no state");
        if (status !== "pending") state.steps.set(1, { status, attempt: 1 });
        const move = () => take(state, { ...record, at: 1, mono: 1, seq: 1, v: 1, d: 0 } as unknown as JournalRecord);
        tried += 1;
        if (from.includes(status)) {
          move();
          expect(state.steps.get(1)?.status, `${event} of ${status}`).toBe(to === "same" ? status : to);
        } else expect(move, `${event} of ${status}`).toThrow(/cannot go from|without an intent/);
      }
    }
    tally({ invariants: ["I30"], what: "transitions", count: tried });
  });

  test("I30: a run moves by the tables, and by nothing else", () => {
    let tried = 0;
    for (const [event, { record, from }] of Object.entries(COMMANDS)) {
      for (const status of [...RUNS, "interrupted back"]) {
        const state = runState([begin]);
        if (!state) throw new Error("no state");
        state.status = status.replace(" back", "") as typeof state.status;
        state.back = isBack(status);
        const move = () => take(state, { ...record, at: 1, mono: 1, seq: 1, v: 1, d: 0 } as unknown as JournalRecord);
        tried += 1;
        if (from.includes(status)) expect(move, `${event} of ${status}`).not.toThrow();
        else expect(move, `${event} of ${status}`).toThrow(/can begin|cannot end/);
      }
    }
    tally({ invariants: ["I30"], what: "transitions", count: tried });
  });
});

import { beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { doctor } from "../../src/cli/commands/doctor.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { show } from "../../src/cli/commands/show.ts";
import type { RunId } from "../../src/core/index.ts";
import { parseJournal } from "../../src/journal/index.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { share, shareOf } from "../support/share.ts";
import { type Entry, SmallMachine, spoiled } from "../support/small-machine.ts";

const BOOK = `
setpoint: 1
name: web
resources:
  - file: site/changed
    content: after
    mode: '0600'
  - directory: site/new
  - file: site/new/one
    content: one
  - file: site/gone
    state: absent
  - command: a message
    run: [ send, log ]
    once: true
    undo: none
  - line: site/list
    text: added
`;

const START: readonly Entry[] = [
  { path: "/w", type: "directory", mode: 0o755, text: "" },
  { path: "/w/book.yaml", type: "file", mode: 0o644, text: BOOK },
  { path: "/w/other.yaml", type: "file", mode: 0o644, text: "setpoint: 1\nname: other\nresources:\n  - file: other\n    content: other\n" },
  { path: "/w/site", type: "directory", mode: 0o755, text: "" },
  { path: "/w/site/changed", type: "file", mode: 0o644, text: "before" },
  { path: "/w/site/gone", type: "file", mode: 0o644, text: "going" },
  { path: "/w/site/list", type: "file", mode: 0o644, text: "one\n" },
];

/** What a machine holds after a story, with the run and its journal. */
interface Told {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly run: string;
  readonly journal: string;
  readonly path: string;
}

/** The world before and after the playbook, as `SmallMachine.world` tells it. */
let initial = "";
let final = "";
/** After the message was sent and all else undone: it has no undo. */
let undone = "";
const told: Told[] = [];

async function tell(name: string, kills: { readonly apply?: number; readonly revert?: number }, drop?: string, seed = 1): Promise<Told> {
  const machine = new SmallMachine(START, seed);
  await machine.run(apply, ["book.yaml"], {}, kills.apply ?? 0);
  if (kills.revert !== undefined) await machine.run(revert, [], {}, kills.revert);
  const [run = ""] = machine.runs();
  const path = `/w/state/runs/${run}/journal`;
  const entries = drop === undefined ? machine.entries() : spoiled(machine.entries(), drop, () => undefined);
  return { name, entries, run, path, journal: machine.text(path) };
}

beforeAll(async () => {
  const machine = new SmallMachine(START);
  initial = machine.world();
  const whole = await machine.run(apply, ["book.yaml"]);
  expect(whole.exit, whole.said).toBe(0);
  final = machine.world();
  const back = await machine.run(revert);
  expect(back.exit, back.said).toBe(0);
  undone = machine.world();
  told.push(await tell("applied", {}));
  told.push(await tell("applied, without a ledger", {}, "/w/state/ledger"));
  // Late enough that most is done, early enough that there is no end.
  told.push(await tell("killed", { apply: whole.calls - 12 }));
  told.push(await tell("killed half-way back", { revert: back.calls - 16 }));
});

const COMMANDS: readonly { readonly name: string; readonly module: CommandModule; args(run: string): readonly string[] }[] = [
  { name: "resume RUN", module: resume, args: (run) => [run] },
  { name: "resume", module: resume, args: () => [] },
  { name: "revert RUN", module: revert, args: (run) => [run] },
  { name: "revert", module: revert, args: () => [] },
  { name: "apply", module: apply, args: () => ["book.yaml"] },
];

const sentTimes = (machine: SmallMachine) => (machine.has("/w/log") ? machine.text("/w/log").split("sent").length - 1 : 0);

/** What a refusal says: by what name, and where. */
const REFUSED =
  /^(damaged-journal: \/w\/state\/runs\/\S+\/journal is damaged at byte \d+|newer-journal: \/w\/state\/runs\/\S+ holds a record `\w+`)/;

/** The world without what the message wrote. */
const unsent = (world: string) => world.replace(/^\/w\/log .*\n/m, "");

let turn = 0;

/**
 * Runs so many commands, in turn, on a machine whose journal is another one: each refuses it by name and touches nothing, or goes on from
 * what was never damaged and reaches the state that it promises. `cutAt`: the journal only ends early there.
 */
async function judge(one: Told, journal: string, story: string, count: number, cutAt?: number): Promise<number> {
  const entries = spoiled(one.entries, one.path, () => journal);
  const parsed = parseJournal(Buffer.from(journal, "latin1"), one.run as RunId);
  let tried = 0;
  while (tried < count) {
    turn += 1;
    const { name, module, args } = COMMANDS[turn % COMMANDS.length] as (typeof COMMANDS)[number];
    const machine = new SmallMachine(entries, tried + 1);
    const before = machine.world();
    const ended = await machine.run(module, args(one.run));
    const what = `${one.name}, ${story}, ${name}: exit ${ended.exit}\n${ended.said}`;
    tried += 1;
    expect(ended.exit, what).not.toBe(70);
    expect(ended.exit, what).not.toBe(64);
    // The message is never sent again: but a journal that ends before it, where no ledger knows better, tells of none.
    if (cutAt === undefined || one.name === "applied") expect(sentTimes(machine), what).toBeLessThanOrEqual(1);
    if (ended.exit === 1) {
      expect(ended.said, what).toMatch(REFUSED);
      expect(machine.world(), what).toBe(before);
      expect(machine.text(one.path), what).toBe(journal);
      const salvaged = await machine.run(show, [one.run], { salvage: true });
      expect(salvaged.exit, what).toBe(0);
      expect(salvaged.said.trimEnd().split("\n"), what).toHaveLength(1 + parsed.records.length + parsed.salvage.length);
      continue;
    }
    // An apply passes over a run of which the ledger knows that it ended; whatever opens a journal goes on from no damage.
    if (module !== apply || one.name !== "applied") expect(parsed.rest, what).not.toBe("damaged");
    const aside = `/w/state/runs/${one.run}/journal.torn-0`;
    if (parsed.rest === "torn" && (module !== apply || machine.has(aside)))
      expect(machine.text(aside), what).toBe(journal.slice(parsed.length));
    // Cut behind its first end it is the journal of a run that ended, and that an undoing began is told nowhere any more.
    if (cutAt !== undefined && one.name === "killed half-way back" && parsed.records.at(-1)?.t === "end") continue;
    if (ended.exit === 0) {
      const now = machine.world();
      if (cutAt === undefined) expect(module === revert ? [initial, undone] : [final], what).toContain(now);
      else if (module !== revert) expect(unsent(now), what).toBe(unsent(final));
      // A journal that ends early is one of a run that was killed there: of what came later a revert knows nothing, and leaves it.
      else expect([initial, undone, final].join("\n").split("\n"), what).toEqual(expect.arrayContaining(now.split("\n")));
    } else {
      expect([4, 6], what).toContain(ended.exit);
    }
  }
  return tried;
}

/** So many of the numbers below a limit, spread over all of it; all where that many are asked for. */
function some(limit: number, wanted: number): readonly number[] {
  if (wanted >= limit) return Array.from({ length: limit }, (_, n) => n);
  const choose = seeded(wanted);
  const step = limit / wanted;
  return Array.from({ length: wanted }, (_, n) => Math.min(limit - 1, Math.floor(n * step) + choose(Math.ceil(step))));
}

describe("a journal that is not as it was written", () => {
  test("I13: cut at any byte it is whole, torn or damaged, and no command takes it for more than it is", async () => {
    let tried = 0;
    for (const one of told)
      for (const at of some(one.journal.length, shareOf(one.journal.length)))
        tried += await judge(one, one.journal.slice(0, at), `cut at ${at}`, 2, at);
    tally({ invariants: ["I13"], what: "journals cut", count: tried });
  }, 1_200_000);

  test("I13: any flipped bit is refused by name, or was in what was never durable", async () => {
    let tried = 0;
    for (const one of told) {
      const bits = one.journal.length * 8;
      for (const bit of some(bits, share < 1 ? shareOf(bits / 2) : bits)) {
        const bytes = Buffer.from(one.journal, "latin1");
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        tried += await judge(one, bytes.toString("latin1"), `byte ${bit >> 3} bit ${bit & 7} flipped`, 1);
      }
    }
    tally({ invariants: ["I13"], what: "bits flipped in journals", count: tried });
  }, 2_400_000);

  test("I13: records in another order, twice, left out, or of another run do not pass", async () => {
    const another = await tell("another", {}, undefined, 2);
    let tried = 0;
    for (const one of told) {
      const lines = one.journal.trimEnd().split("\n");
      const foreign = another.journal.trimEnd().split("\n");
      for (let at = 0; at < lines.length; at++) {
        const line = lines[at] as string;
        const swapped = [...lines];
        [swapped[at], swapped[(at + 1) % lines.length]] = [swapped[(at + 1) % lines.length] as string, line];
        const changed = [
          { how: "swapped", lines: swapped },
          { how: "twice", lines: lines.toSpliced(at, 0, line) },
          { how: "left out", lines: lines.toSpliced(at, 1) },
          { how: "foreign", lines: lines.toSpliced(at, 1, foreign[at % foreign.length] as string) },
          { how: "foreign, added", lines: lines.toSpliced(at, 0, foreign[at % foreign.length] as string) },
        ];
        for (const { how, lines: other } of changed) {
          // The last one left out is a journal that ends early.
          const cut = how === "left out" && at === lines.length - 1 ? at : undefined;
          tried += await judge(one, `${other.join("\n")}\n`, `record ${at} ${how}`, 2, cut);
        }
      }
    }
    tally({ invariants: ["I13"], what: "journals with moved records", count: tried });
  }, 1_200_000);

  test("I13: with the ledger of a run that ended, no cut of its journal goes unseen", async () => {
    const [one] = told as [Told];
    let tried = 0;
    for (const at of some(one.journal.length, shareOf(200))) {
      const machine = new SmallMachine(spoiled(one.entries, one.path, (text) => text.slice(0, at)));
      for (const [module, args] of [
        [revert, []],
        [resume, [one.run]],
        [apply, ["book.yaml"]],
      ] as const) {
        const ended = await machine.run(module, args);
        expect([at, ended.exit, ended.said]).toEqual([at, 1, expect.stringMatching(REFUSED)]);
        tried += 1;
      }
      expect(machine.world()).toBe(final);
    }
    tally({ invariants: ["I13"], what: "journals cut", count: tried });
  });

  test("I13: doctor names each damage, and --fix touches no journal", async () => {
    let tried = 0;
    for (const one of told) {
      for (const at of some(one.journal.length, shareOf(60))) {
        const bytes = Buffer.from(one.journal, "latin1");
        bytes[at] = (bytes[at] as number) ^ 1;
        const journal = bytes.toString("latin1");
        const machine = new SmallMachine(spoiled(one.entries, one.path, () => journal));
        const looked = await machine.run(doctor);
        const fixed = await machine.run(doctor, [], { fix: true });
        // The simulated machine has no flock, which is a failed check of its own.
        for (const { said } of [looked, fixed])
          expect(said, `${one.name}, byte ${at}`).toMatch(new RegExp(`(fail|warn)  run ${one.run}: its journal`));
        expect(machine.text(one.path)).toBe(journal);
        tried += 1;
      }
    }
    tally({ invariants: ["I13"], what: "damaged journals shown to doctor", count: tried });
  });
});

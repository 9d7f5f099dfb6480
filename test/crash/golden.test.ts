import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import pkg from "../../package.json" with { type: "json" };
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { doctor } from "../../src/cli/commands/doctor.ts";
import { history } from "../../src/cli/commands/history.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { show } from "../../src/cli/commands/show.ts";
import { status } from "../../src/cli/commands/status.ts";
import { tally } from "../support/figures.ts";
import { stories } from "../support/golden-stories.ts";
import { type Entry, SmallMachine } from "../support/small-machine.ts";

const CORPUS = resolve(import.meta.dirname, "../golden-journals");

/** How a command must end on such a machine, and what stands there then. */
interface Expected {
  readonly exit: number;
  readonly world: readonly string[];
}

/** A line each: the entries of a machine, and last how commands end on it. */
interface Kept {
  readonly entries: readonly Entry[];
  readonly ends: { readonly [command: string]: Expected };
}

/** Each with what it is given; a run stands for the newest. */
const COMMANDS: { readonly [command: string]: readonly [CommandModule, string] } = {
  resume: [resume, "run"],
  revert: [revert, "run"],
  apply: [apply, "book.yaml"],
};

/** A megabyte of zeros, which a run sets aside, takes a line of a few bytes. */
function packed(entry: Entry): object {
  return /^\0{100,}$/.test(entry.text) ? { ...entry, text: "", zeros: entry.text.length } : entry;
}

function unpacked({ zeros, ...entry }: Entry & { readonly zeros?: number }): Entry {
  return zeros === undefined ? entry : { ...entry, text: "\0".repeat(zeros) };
}

async function endOf(entries: readonly Entry[], command: string): Promise<Expected & { readonly said: string }> {
  const [module, given] = COMMANDS[command] as (typeof COMMANDS)[string];
  const machine = new SmallMachine(entries, 9);
  // Days later.
  machine.machine.wall += 3 * 24 * 60 * 60 * 1000;
  const { exit, said } = await machine.run(module, [given === "run" ? (machine.runs().at(-1) ?? "") : given]);
  return { exit, world: machine.world().split("\n"), said };
}

function read(path: string): Kept {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const { ends } = JSON.parse(lines.pop() as string) as { readonly ends: Kept["ends"] };
  return { entries: lines.map((line) => unpacked(JSON.parse(line) as Entry)), ends };
}

/** `node scripts/golden.mjs`: what this version leaves is kept, for all later ones to read. */
async function make(): Promise<void> {
  const folder = join(CORPUS, pkg.version);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, story] of Object.entries(stories)) {
    const entries = (await story()).entries();
    const ends: Record<string, Expected> = {};
    for (const command of Object.keys(COMMANDS)) {
      const { exit, world } = await endOf(entries, command);
      ends[command] = { exit, world };
    }
    const lines = [...entries.map((entry) => JSON.stringify(packed(entry))), JSON.stringify({ ends })];
    writeFileSync(join(folder, `${name.replaceAll(/[^a-z]+/g, "-")}.jsonl`), `${lines.join("\n")}\n`);
  }
}

if (process.env.SETPOINT_GOLDEN === "make") test("the corpus is made", make);
else
  describe("I26: state directories of released versions", () => {
    for (const version of readdirSync(CORPUS).sort()) {
      for (const name of readdirSync(join(CORPUS, version)).sort()) {
        test(`${version}, ${name.replace(".jsonl", "").replaceAll("-", " ")}: they are shown, resumed, reverted and applied over as they were then`, async () => {
          const { entries, ends } = read(join(CORPUS, version, name));
          const machine = new SmallMachine(entries, 9);
          const before = machine.entries();
          for (const run of machine.runs()) {
            expect((await machine.run(show, [run])).exit).toBe(0);
            expect((await machine.run(show, [run], { salvage: true })).exit).toBe(0);
          }
          for (const module of [status, history]) expect((await machine.run(module)).exit).toBe(0);
          // The simulated machine lacks flock(1); nothing of the state directory may fail.
          expect((await machine.run(doctor, [], { deep: true })).said).not.toMatch(/^fail {2}(?!flock)/m);
          expect(machine.entries()).toEqual(before);
          for (const [command, expected] of Object.entries(ends)) {
            const { said, ...ended } = await endOf(entries, command);
            expect(ended, `${command}: ${said}`).toEqual(expected);
          }
          tally({ invariants: ["I26"], what: "old state directories gone on with", count: Object.keys(ends).length });
        });
      }
    }
  });

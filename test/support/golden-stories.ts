import { apply } from "../../src/cli/commands/apply.ts";
import { gc } from "../../src/cli/commands/gc.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Entry, SmallMachine, spoiled } from "./small-machine.ts";

const BOOK = `
setpoint: 1
name: web
resources:
  - directory: site
    exact: true
  - directory: site/new/deep
    mode: '0750'
  - file: site/changed
    content: after
    mode: '0644'
  - file: site/key
    content: hush hush
    mode: '0600'
  - file: site/gone
    state: absent
  - link: site/link
    to: changed
  - file: site/shared
    content: its own
    hardlinks: break
  - command: a message
    run: [ send, log ]
    once: true
    undo: none
  - line: site/list
    text: added
  - config: site/app.toml
    set: { server.workers: 4 }
  - command: a reload
    run: [ send, reloads ]
    run_when: [ 'config:site/app.toml' ]
`;

const file = (path: string, text: string, mode = 0o644): Entry => ({ path, type: "file", mode, text });
const directory = (path: string): Entry => ({ path, type: "directory", mode: 0o755, text: "" });

const START: readonly Entry[] = [
  directory("/w"),
  file("/w/book.yaml", BOOK),
  file(
    "/w/fails.yaml",
    "setpoint: 1\nname: fails\nresources:\n  - file: made\n    content: made\n  - command: [ missing ]\n    creates: never\n    undo: [ missing ]\n",
  ),
  file("/w/other.yaml", "setpoint: 1\nname: other\nresources:\n  - file: other\n    content: one\n"),
  directory("/w/site"),
  directory("/w/site/stray"),
  file("/w/site/stray/file", "stray\n"),
  file("/w/site/changed", "before"),
  file("/w/site/key", "an old secret", 0o600),
  file("/w/site/gone", "going"),
  file("/w/site/shared", "one of two"),
  file("/w/site/list", "one\ntwo\n"),
  file("/w/site/app.toml", "[server]\nworkers = 1 # few\n"),
  { path: "/w/site/link", type: "symlink", mode: 0o777, text: "gone" },
];

async function applied(): Promise<SmallMachine> {
  const machine = new SmallMachine(START);
  await machine.run(apply, ["book.yaml"]);
  return machine;
}

/** Killed at a part of the calls that a whole apply makes. */
async function killed(part: number): Promise<SmallMachine> {
  const { calls } = await new SmallMachine(START).run(apply, ["book.yaml"]);
  const machine = new SmallMachine(START);
  await machine.run(apply, ["book.yaml"], {}, Math.round(calls * part));
  return machine;
}

/** Killed at the first call after which the run has its journal. */
async function killedAsItBegan(): Promise<SmallMachine> {
  for (let at = 1; ; at++) {
    const machine = new SmallMachine(START);
    await machine.run(apply, ["book.yaml"], {}, at);
    if (machine.has(`/w/state/runs/${machine.runs()[0]}/journal`)) return machine;
  }
}

async function killedBack(): Promise<SmallMachine> {
  const { calls } = await (await applied()).run(revert);
  const machine = await applied();
  await machine.run(revert, [], {}, Math.round(calls * 0.6));
  return machine;
}

/** What stands in the state directories of the corpus: each story leaves one, which every later version must be able to go on with. */
export const stories: { readonly [name: string]: () => Promise<SmallMachine> } = {
  applied,
  "killed as it began": killedAsItBegan,
  "killed half-way": () => killed(0.6),
  "killed before its end": () => killed(0.9),
  "killed half-way back": killedBack,
  "killed, with a torn tail": async () => {
    const machine = await killed(0.6);
    const path = `/w/state/runs/${machine.runs()[0]}/journal`;
    return new SmallMachine(spoiled(machine.entries(), path, (text) => `${text}000001`));
  },
  "killed, and somebody changed a file": async () => {
    const machine = await killedAsItBegan();
    const edited = new SmallMachine(
      spoiled(machine.entries(), "/w/site/changed", () => "somebody's\n"),
      2,
    );
    await edited.run(resume);
    return edited;
  },
  reverted: async () => {
    const machine = await applied();
    await machine.run(revert);
    return machine;
  },
  halted: async () => {
    const machine = new SmallMachine(START);
    await machine.run(apply, ["fails.yaml"]);
    return machine;
  },
  "many runs, and a gc": async () => {
    let machine = await applied();
    for (const text of ["two", "three"]) {
      await machine.run(apply, ["other.yaml"]);
      const next = spoiled(machine.entries(), "/w/other.yaml", (book) => book.replace(/content: .*/, `content: ${text}`));
      machine = new SmallMachine(next, text.length);
      // Each in a second of its own, as the clock of a new machine begins again.
      machine.machine.wall += text.length * 60_000;
    }
    await machine.run(apply, ["other.yaml"]);
    await machine.run(gc, [], { keep: "0", days: "0" });
    return machine;
  },
};

import { existsSync } from "node:fs";
import { expect } from "vitest";
import { onMachine, type Place, run } from "./machine.ts";
import { changesIn, tracing } from "./syscalls.ts";
import { differences, treeOf } from "./tree.ts";

const BOOK = `
  - file: live/a
    content: one
  - directory: live/exact
    exact: true
  - line: live/b
    text: two
    create: true
  - config: live/c.json
    set: { a: 1 }
    create: true
  - link: live/d
    to: a
  - command: made
    run: [ touch, live/made ]
    creates: live/made
    unless: [ test, -e, live/never ]
    undo: [ rm, -f, live/made ]
`;

/** A machine with a finished run, drift, a second stack, and an interrupted run. */
function used(place: Place): { readonly book: string; readonly run: string } {
  place.write("live/exact/stray", "x");
  const book = place.playbook(BOOK);
  const applied = place.apply(book);
  expect(applied.json).toMatchObject({ exit: 0 });
  place.write("live/b", "two\nand drift\n");
  place.write("live/exact/new", "y");
  place.write("live/a", "somebody else's");
  const failing = place.playbook(
    "  - file: live/e\n    content: e\n  - command: fails\n    run: [ 'false' ]\n    once: true\n    undo: none\n",
    "other.yaml",
  );
  expect(place.apply(failing).code).toBe(6);
  return { book, run: applied.json.run ?? "" };
}

onMachine("I1: every command that only looks changes nothing, under strace", ["strace"], (place) => {
  const { book, run: applied } = used(place);
  const saved = place.at("saved.plan");
  expect(place.setpoint(["plan", book, "-o", saved]).code).toBe(2);
  const looks: readonly (readonly string[])[] = [
    ["plan", book],
    ["plan", book, "--no-commands"],
    ["plan", book, "--prune", "--only", "file:*"],
    ["plan", "--rebase", saved],
    ["verify", book],
    ["lint", book],
    ["show", applied],
    ["show", saved],
    ["status"],
    ["history"],
    ["why", "path:live/a"],
    ["facts"],
    ["schema"],
    ["doctor"],
    ["completion", "bash"],
    ["--help"],
    ["help", "plan"],
  ];
  const before = treeOf(place.folder);
  const known = run([process.execPath, "bin/setpoint.js", "--help"]).out;
  for (const words of looks) {
    if (!words[0]?.startsWith("-") && !new RegExp(`^ +${words[0]}\\b`, "m").test(known)) continue;
    const ran = place.setpoint(words, { through: tracing(place.trace) });
    expect([0, 2, 6, 64], `${words.join(" ")}: ${ran.err}`).toContain(ran.code);
    expect(changesIn(place.trace), words.join(" ")).toEqual([]);
  }
  expect(differences(before, treeOf(place.folder), () => true)).toEqual([]);
});

onMachine("I1: looking at a machine without a state directory makes none", ["strace"], (place) => {
  const book = place.playbook(BOOK);
  for (const words of [["plan", book], ["lint", book], ["verify", book], ["status"], ["history"]]) {
    place.setpoint(words, { through: tracing(place.trace) });
    expect(changesIn(place.trace), words.join(" ")).toEqual([]);
  }
  expect(existsSync(place.state)).toBe(false);
});

onMachine("I1: plan -o writes its file, and nothing else", ["strace"], (place) => {
  const { book } = used(place);
  const saved = place.at("saved.plan");
  expect(place.setpoint(["plan", book, "-o", saved], { through: tracing(place.trace) }).code).toBe(2);
  const others = changesIn(place.trace, (line) => line.includes(saved));
  expect(others).toEqual([]);
});

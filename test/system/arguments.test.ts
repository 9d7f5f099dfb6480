import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { BIN, must, onMachine, type Place, run } from "./machine.ts";
import { differences, treeOf } from "./tree.ts";

/** Names that a program could take for something else than a name, and that a terminal or a runner could obey. */
const NAMES = [
  "-rf",
  "--help",
  "--reuid=0",
  "-",
  "a\nb",
  "tab\tand\\backslash",
  "%s%n%d",
  "a;touch hacked",
  "$(touch hacked)",
  "`touch hacked`",
  "${HOME}",
  "*?[a-z]",
  "quote'and\"quote",
  " blank ",
  "&& touch hacked #",
  "# file: other",
  "user.name=0x41",
  "\u001b[2J\u001b]0;title\u0007",
  "\u202egnp.exe",
  "\u009b31m",
  "\r\nhidden",
  "::set-output name=x::y",
  "##[error]no",
  "emoji 🎉 and ü",
];

/** A share of a list, spread over all of it: each takes a process of its own. */
function sample<T>(list: readonly T[]): readonly T[] {
  const wanted = Math.min(list.length, shareOf(4 * list.length));
  return list.filter((_, index) => Math.floor((index * wanted) / list.length) !== Math.floor(((index + 1) * wanted) / list.length));
}

/** What moves a cursor, rings, or turns text; colours are ours and are taken out before. */
const RAW = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const withoutColours = (text: string) => text.replaceAll(/\u001b\[[0-9;]*m/g, "");

/** Runs setpoint as a person does, in colour. */
function shown(place: Place, ...argv: readonly string[]): { readonly code: number | null; readonly text: string } {
  const env = { SETPOINT_STATE_DIR: place.state, NO_COLOR: "" };
  const { code, out, err } = run([process.execPath, BIN, ...argv, "--color", "always"], { env, cwd: place.folder });
  return { code, text: withoutColours(out + err) };
}

describe("names that could be taken for something else", () => {
  onMachine("I10: reach every program as they are, and no terminal obeys them", ["root", "setfattr", "getfattr"], (place) => {
    mkdirSync(place.at("live"));
    for (const [index, name] of NAMES.entries()) {
      place.write(`live/old ${name}`, `old ${index} ${name}\n`);
      must("setfattr", "-n", "user.kept", "-v", name, "--", place.at(`live/old ${name}`));
    }
    const told = place.write("tell.cjs", 'require("fs").writeFileSync(process.argv[2], JSON.stringify(process.argv.slice(3)));');
    const text = JSON.stringify;
    const book = place.playbook(
      [
        ...NAMES.map(
          (name) => `  - file: ${text(`live/${name}`)}\n    content: ${text(`new ${name}\n`)}\n    validate: [ test, -f, '%s' ]\n`,
        ),
        ...NAMES.map((name) => `  - line: ${text(`live/old ${name}`)}\n    text: ${text(name.replaceAll(/[\r\n]/g, ""))}\n`),
        `  - command: ${text(`tells ${NAMES[17]}`)}\n    run: ${text(["node", told, place.at("told"), ...NAMES])}\n    creates: told\n    undo: [ rm, -f, -- , told ]\n`,
      ].join(""),
    );
    const before = treeOf(place.at("live"));
    const texts: string[] = [];
    const say = (code: number, ...argv: readonly string[]) => {
      const ended = shown(place, ...argv);
      expect([argv[0], ended.code], ended.text).toEqual([argv[0], code]);
      expect(ended.text, argv.join(" ")).not.toMatch(RAW);
      texts.push(ended.text);
    };
    say(2, "plan", book, "-o", "saved.plan");
    say(0, "show", "saved.plan");
    say(0, "apply", "saved.plan");
    for (const name of NAMES) expect(readFileSync(place.at(`live/${name}`), "utf8")).toBe(`new ${name}\n`);
    for (const name of NAMES) {
      const value = must("getfattr", "--only-values", "-n", "user.kept", "--absolute-names", "--", place.at(`live/old ${name}`));
      expect(value).toBe(name);
    }
    expect(JSON.parse(readFileSync(place.at("told"), "utf8"))).toEqual(NAMES);
    say(0, "apply", book, "--yes");
    say(0, "status", book);
    say(0, "history");
    const [newest = ""] = readdirSync(`${place.state}/runs`);
    say(0, "show", newest);
    say(0, "show", newest, "--salvage");
    say(0, "verify", book);
    for (const name of sample(NAMES)) say(0, "why", `path:${place.at(`live/${name}`)}`);
    say(0, "doctor");
    for (const words of [["plan", book], ["status", book], ["history"], ["show", newest], ["why", `path:${place.at("live/-rf")}`]]) {
      const { code, out } = place.setpoint(words);
      expect(code, words.join(" ")).toBe(0);
      expect(out, words.join(" ")).not.toMatch(RAW);
      expect(() => JSON.parse(out)).not.toThrow();
    }
    say(0, "revert", "--yes");
    expect(differences(before, treeOf(place.at("live")))).toEqual([]);
    expect(existsSync(place.at("hacked")) || existsSync(place.at("live/hacked"))).toBe(false);
    tally({ invariants: ["I10"], what: "names of strangers", count: 2 * NAMES.length });
  });

  onMachine("I10: a conflict and an error that are about them are shown, and obeyed by nobody", ["root"], (place) => {
    mkdirSync(place.at("live"));
    const text = JSON.stringify;
    const files = NAMES.map((name) => `  - file: ${text(`live/${name}`)}\n    content: new\n    on_failure: continue\n`).join("");
    const book = place.playbook(files);
    expect(place.apply(book).code).toBe(0);
    for (const name of NAMES) place.write(`live/${name}`, `${name} is somebody's\n`);
    const conflicts = shown(place, "revert", "--yes");
    expect([conflicts.code, RAW.test(conflicts.text)], conflicts.text).toEqual([6, false]);
    for (const name of NAMES) expect(readFileSync(place.at(`live/${name}`), "utf8")).toBe(`${name} is somebody's\n`);
    for (const [index, name] of sample(NAMES).entries()) {
      const wrong = place.playbook(`  - ${text(name)}: ${text(name)}\n    ${text(name)}: ${text(name)}\n`, `wrong${index}.yaml`);
      const refused = shown(place, "lint", wrong);
      expect([name, refused.code, RAW.test(refused.text)], refused.text).toEqual([name, 3, false]);
      const usage = shown(place, "show", name);
      expect(RAW.test(usage.text), usage.text).toBe(false);
    }
  });

  onMachine("I10: an owner or account that looks like an option is none", ["root"], (place) => {
    for (const [index, name] of sample(["--help", "-s", "--service=files", "-i", "root;id", "$(id)", "%s", "root\nroot"]).entries()) {
      for (const field of ["owner", "group"]) {
        const book = place.playbook(`  - file: live/a\n    content: x\n    ${field}: ${JSON.stringify(name)}\n`, `${field}${index}.yaml`);
        const refused = place.apply(book);
        expect([1, 3, 6], `${field} ${name}: ${refused.out}${refused.err}`).toContain(refused.code);
        expect(existsSync(place.at("live/a"))).toBe(false);
      }
      const book = place.playbook(
        `  - command: as\n    run: [ touch, ${place.at("made")} ]\n    user: ${JSON.stringify(name)}\n    creates: made\n    undo: [ rm, -f, made ]\n`,
        `user${index}.yaml`,
      );
      const refused = place.apply(book);
      expect([1, 3, 6], `user ${name}: ${refused.out}${refused.err}`).toContain(refused.code);
      expect(existsSync(place.at("made"))).toBe(false);
    }
  });
});

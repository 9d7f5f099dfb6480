import { chmodSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { nobody, story } from "./story.ts";

/** A playbook that is refused: its text, the code of a problem, the place. */
const playbooks: readonly (readonly [name: string, text: string, code: string, line: number, column: number])[] = [
  ["an unknown key", "setpoint: 1\nname: s\nresources:\n  - file: f\n    contnet: x\n", "unknown-key", 5, 5],
  ["an unknown type", "setpoint: 1\nname: s\nresources:\n  - fiel: f\n", "unknown-type", 4, 5],
  ["a wrong type", "setpoint: 1\nname: s\nresources:\n  - file: f\n    content: [x]\n", "wrong-type", 5, 14],
  ["a bare mode", "setpoint: 1\nname: s\nresources:\n  - file: f\n    mode: 0644\n", "a-mode-must-be-quoted", 5, 11],
  ["a key twice", "setpoint: 1\nname: s\nresources:\n  - file: f\n    mode: '0644'\n    mode: '0600'\n", "duplicate-key", 6, 5],
  ["a resource twice", "setpoint: 1\nname: s\nresources:\n  - file: f\n  - file: f\n", "duplicate-address", 5, 5],
  ["no YAML", "setpoint: 1\nname: s\nresources: [\n", "yaml-syntax", 4, 1],
  ["an undefined variable", "setpoint: 1\nname: s\nvars: { root: r }\nresources:\n  - file: ${{ vars.rot }}\n", "unknown-name", 5, 20],
  [
    "needs in a circle",
    "setpoint: 1\nname: s\nresources:\n  - file: a\n    needs: file:b\n  - file: b\n    needs: file:a\n",
    "circular-needs",
    5,
    12,
  ],
  ["a missing source", "setpoint: 1\nname: s\nresources:\n  - file: f\n    source: nowhere.txt\n", "missing-source", 5, 13],
  ["a missing input", "setpoint: 1\nname: s\ninputs:\n  domain: { type: string }\nresources: []\n", "missing-input", 4, 3],
  ["a command without a guard", "setpoint: 1\nname: s\nresources:\n  - command: [ 'true' ]\n", "unguarded-command", 4, 5],
  ["a parent that does not exist", "setpoint: 1\nname: s\nresources:\n  - file: no/where\n", "misfit", 4, 5],
  ["a file below a file", "setpoint: 1\nname: s\nresources:\n  - file: afile/x\n", "misfit", 4, 5],
  ["a directory where a file should be", "setpoint: 1\nname: s\nresources:\n  - file: afolder\n    content: x\n", "refused-change", 4, 5],
  ["a file where a directory should be", "setpoint: 1\nname: s\nresources:\n  - directory: afile\n", "refused-change", 4, 5],
  ["a line in a folder", "setpoint: 1\nname: s\nresources:\n  - line: afolder\n    text: x\n", "cannot-converge", 4, 5],
  ["a line in a file that is not there", "setpoint: 1\nname: s\nresources:\n  - line: nofile\n    text: x\n", "cannot-converge", 4, 5],
  [
    "a config file that is no JSON",
    "setpoint: 1\nname: s\nresources:\n  - config: broken.json\n    set: { a: 1 }\n",
    "cannot-converge",
    4,
    5,
  ],
  ["a pattern that is none", "setpoint: 1\nname: s\nresources:\n  - line: l\n    match: '('\n    text: x\n", "line-refused", 5, 12],
  [
    "two that fight",
    "setpoint: 1\nname: s\nresources:\n  - file: f\n    content: x\n  - line: f\n    match: x\n    text: xx\n",
    "fight",
    4,
    5,
  ],
];

function machine() {
  return story().file("afile", "a\n").directory("afolder").file("afolder/kept", "k\n").file("broken.json", "{ nonsense\n");
}

describe("a playbook with a mistake", () => {
  test.each(playbooks)(
    "%s: exit 3 with its place, as text and as JSON, and nothing is changed",
    async (_name, text, code, line, column) => {
      const at = machine().playbook(text);
      const batch = at.batch();
      const before = at.snapshot({ times: true });
      const book = `${at.book}/site.yaml`;
      const json = await batch.run("apply", book, "--yes", "--json");
      expect([json.exit, json.stderr]).toEqual([3, ""]);
      const problem = json.json().problems.find((one) => one.code === code);
      expect([code, problem?.at, json.json().problems.map((one) => one.code)]).toEqual([
        code,
        { file: book, line, column },
        expect.any(Array),
      ]);

      for (const command of ["plan", "apply"]) {
        const shown = await batch.run(command, book);
        expect(shown.exit).toBe(3);
        expect(shown.all).toContain(`error[${code}]: ${problem?.summary}`);
        expect(shown.all).toContain(`${book}:${line}:${column}`);
        expect(shown.all).not.toMatch(/\n\s+at .*\.(?:ts|js|cjs):\d+/);
      }
      expect(at.snapshot({ times: true })).toEqual(before);
    },
  );
});

test("all mistakes are told at once", () => {
  const at = story().playbook("  - file: a\n    contnet: x\n  - file: b\n    mode: 644\n  - line: ${{ vars.none }}\n    text: x\n");
  expect(at.problems(3, "plan", "site.yaml").map(({ at: place }) => place?.line)).toEqual([5, 7, 8]);
});

test("an alias bomb is refused at once", () => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x]",
    ..."bcdefghi".split("").map((name, index) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[index]}`).join(",")}]`),
  ];
  const at = story().playbook(`setpoint: 1\nname: s\nvars:\n  ${bomb.join("\n  ")}\nresources: []\n`);
  const ran = at.run(3, "plan", "site.yaml", "--json", { timeout: 10_000 });
  expect(ran.json().problems[0]?.at?.line).toBeGreaterThan(3);
});

test("what cannot be read is told with the resource's place, and nothing is changed", () => {
  const at = story()
    .file("open/f", "f\n")
    .file("closed/f", "f\n")
    .file("secret", "x\n")
    .playbook("  - file: open/f\n    content: new\n  - file: closed/f\n    content: new\n  - line: secret\n    text: more\n")
    .giveTo(65534);
  chmodSync(at.at("closed"), 0o000);
  chmodSync(at.at("secret"), 0o000);
  const ran = at.run(3, "apply", "site.yaml", "--yes", "--json", nobody);
  expect(ran.json().problems.map(({ code, at: place }) => [code, place?.line])).toEqual([
    ["cannot-read", 6],
    ["cannot-read", 8],
  ]);
  expect(ran.all).toContain("permission denied");
  expect(at.read("open/f")).toBe("f\n");
});

test("a folder that cannot be written to: exit 1, nothing is changed, and the reason is told", () => {
  const at = story()
    .file("locked/f", "f\n")
    .file("open/f", "f\n")
    .playbook("  - file: open/f\n    content: new\n  - file: locked/f\n    content: new\n")
    .giveTo(65534);
  chmodSync(at.at("locked"), 0o555);
  const before = at.snapshot({ times: true });
  const ran = at.run(1, "apply", "site.yaml", "--yes", nobody);
  expect(ran.all).toContain("permission denied");
  const { open: _, ...after } = at.snapshot({ times: true });
  const { open: __, ...were } = before;
  expect(after).toEqual(were);
});

test("a command line with a mistake: exit 64 and how to mend it", async () => {
  const at = story().playbook("  []");
  const batch = at.batch();
  for (const argv of [
    ["plan"],
    ["plan", "nowhere.yaml"],
    ["apply", "--frobnicate"],
    ["frobnicate"],
    ["plan", `${at.book}/site.yaml`, "--var", "novalue"],
  ]) {
    const { exit, all } = await batch.run(...argv);
    expect([argv.join(" "), exit]).toEqual([argv.join(" "), 64]);
    expect(all).not.toMatch(/\n\s+at /);
  }
});

test("apply without a terminal and without --yes changes nothing: exit 5", () => {
  const at = story().playbook("  - file: f\n    content: x\n");
  expect(at.run(5, "apply", "site.yaml").all).toContain("--yes");
  expect(at.snapshot()).toEqual({});
});

test("a command that cannot be undone must be allowed: exit 5", () => {
  const at = story().playbook("  - command: c\n    run: [ touch, made ]\n    creates: made\n");
  expect(at.problems(5, "apply", "site.yaml", "--yes")).toMatchObject([{ code: "irreversible", at: { line: 4, column: 5 } }]);
  expect(at.snapshot()).toEqual({});
  at.apply("--allow-irreversible");
  expect(Object.keys(at.snapshot())).toEqual(["made"]);
});

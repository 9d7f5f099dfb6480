import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { story } from "./story.ts";

const example = fileURLToPath(new URL("../../playbooks/release.yaml", import.meta.url));

const members = (check: string) => `
  - file: outside
    content: stays
  - transaction: release
    mode: saga
    resources:
      - file: one
        content: one
      - file: two
        content: two
    check: ${check}
  - file: behind
    content: behind
`;

test("the example playbook of a saga is applied, found in sync, and reverted", () => {
  const at = story();
  cpSync(example, join(at.book, "release.yaml"));
  at.run(0, "apply", "release.yaml", "--yes");
  expect(at.read("app/settings.json")).toContain('"release": "42"');
  expect(at.run(0, "apply", "release.yaml", "--yes").all).toContain("Nothing to do");
  at.revert();
  expect(at.snapshot()).toEqual({});
});

test("a saga whose check fails is taken back whole, and what is outside of it is not; a resume does it anew", () => {
  const at = story().file("good", "no\n").playbook(members("[ grep, -q, 'yes', good ]"));
  const applied = at.run(6, "apply", "site.yaml", "--yes");
  expect(applied.all).toContain("does not pass its check");
  expect(Object.keys(at.snapshot())).toEqual(["good", "outside"]);
  at.file("good", "yes\n");
  at.run(0, "resume");
  expect(Object.keys(at.snapshot())).toEqual(["behind", "good", "one", "outside", "two"]);
});

test("a two-phase transaction of files is made whole, and what cannot be prepared is refused before anything is touched", () => {
  const at = story().file("one", "before\n");
  at.playbook(
    "  - transaction: move\n    mode: two_phase\n    resources:\n      - file: one\n        content: after\n      - file: two\n        content: new\n",
  );
  at.apply();
  expect([at.read("one"), at.read("two")]).toEqual(["after", "new"]);
  at.revert();
  expect([at.read("one"), Object.keys(at.snapshot())]).toEqual(["before\n", ["one"]]);
  at.playbook(
    "  - transaction: move\n    mode: two_phase\n    resources:\n      - file: one\n        content: after\n      - directory: made\n",
  );
  expect(at.problems(3, "apply", "site.yaml", "--yes").map(({ code }) => code)).toEqual(["cannot-prepare"]);
  expect(at.read("one")).toBe("before\n");
});

const participant = (mode: string, more: string) => `
  - transaction: move
    mode: ${mode}
    resources:
      - file: one
        content: after
      - call: room
        url: https://hotel.example/bookings
        undo: none
${more}`;
const ends = (confirm: string, cancel: string) =>
  `        two_phase: { confirm: { method: PUT, url: "${confirm}" }, cancel: { url: "${cancel}" } }\n`;

test("a call that cannot be prepared, or is not ended as a participant is, is refused before anything is touched", () => {
  const at = story().file("one", "before\n");
  const codes = (exit: number, resources: string) => {
    at.playbook(resources);
    return at.problems(exit, "apply", "site.yaml", "--yes").map(({ code, detail }) => `${code}: ${detail}`);
  };
  const there = ends("{location}", "https://hotel.example/bookings/{answer.id}");
  expect(codes(3, participant("two_phase", "")).join()).toContain("with `two_phase`");
  expect(codes(3, participant("saga", there)).join()).toContain("two-phase-alone");
  expect(codes(3, participant("two_phase", `${there}        dedupe: 24h\n`)).join()).toContain("leave `dedupe` out");
  expect(codes(3, participant("two_phase", `${there}        key_format: none\n`)).join()).toContain("known again by its key");
  expect(codes(3, participant("two_phase", ends("https://other.example/x", "{location}"))).join()).toContain(
    "confirmed and cancelled there",
  );
  expect(codes(3, participant("two_phase", ends("{key}", "{location}"))).join()).toContain("not-a-url");
  expect(at.read("one")).toBe("before\n");
});

test("a two-phase transaction whose check fails is taken back", () => {
  const at = story().file("one", "before\n");
  at.playbook(
    "  - transaction: move\n    mode: two_phase\n    resources:\n      - file: one\n        content: after\n    check: [ 'false' ]\n",
  );
  expect(at.run(6, "apply", "site.yaml", "--yes").all).toContain("its check ended with exit code 1");
  expect(at.read("one")).toBe("before\n");
});

test("a transaction within another, an unknown mode and two of one name are errors with their places", () => {
  const at = story().playbook(`
  - transaction: outer
    mode: sage
    resources:
      - transaction: inner
        mode: saga
        resources: []
  - transaction: outer
    mode: saga
    resources: []
`);
  const problems = at.problems(3, "apply", "site.yaml", "--yes");
  expect(problems.map(({ code }) => code).sort()).toEqual([
    "a-transaction-within-a-transaction",
    "duplicate-transaction",
    "not-one-of-the-choices",
  ]);
  for (const { at: place } of problems) expect(place?.line).toBeGreaterThan(1);
});

test("the plan names the pivot of a saga, and warns of one that is not the last", () => {
  const step = (name: string, undo: string) => `
      - command: ${name}
        run: [ touch, ${name} ]
        creates: ${name}
        undo: ${undo}`;
  const at = story().playbook(
    `  - transaction: order\n    mode: saga\n    resources:${step("one", "[ rm, -f, one ]")}${step("two", "none")}${step("three", "none")}\n`,
  );
  const plan = at.run(2, "plan", "site.yaml");
  expect(plan.stdout.match(/pivot of \S+|in transaction:\S+|in order/g)).toEqual(["in order", "pivot of order", "in order"]);
  expect(plan.all).toContain("pivot-not-last");
  const { changes } = at.run(2, "plan", "site.yaml", "--json", "--report", "markdown=plan.md").json();
  expect(changes.map(({ transaction, pivot }) => [transaction, pivot === true])).toEqual([
    ["order", false],
    ["order", true],
    ["order", false],
  ]);
  expect(at.read("plan.md")).toMatch(/pivot of <code>order</);
});

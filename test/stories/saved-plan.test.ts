import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Story, story } from "./story.ts";

const hundred = `
  - file: f-\${{ each.value }}
    for_each: \${{ range(0, 100) }}
    id: many
    content: "new \${{ each.value }}\\n"
`;

function withHundred(): Story {
  const at = story().playbook(hundred);
  for (let n = 0; n < 100; n++) at.file(`f-${n}`, `old ${n}\n`);
  return at;
}

test("the same inputs give the same plan, byte for byte", () => {
  const at = withHundred();
  expect(readFileSync(at.plan("one.plan"))).toEqual(readFileSync(at.plan("two.plan")));
  expect(at.run(2, "plan", "site.yaml", "--json").json().digest).toBe(at.run(2, "plan", "site.yaml", "--json").json().digest);
});

test("I27: a stale plan is refused with the edit and its diff, nothing is touched, and a rebase plans anew only what moved", () => {
  const at = withHundred();
  const plan = at.plan();
  at.file("f-42", "somebody's\n");
  const edited = at.snapshot({ times: true });

  const stale = at.run(4, "apply", plan);
  expect(stale.all).toContain(`path:${at.at("f-42")} changed since the plan was made`);
  expect(stale.all).toContain("-old 42\n");
  expect(stale.all).toContain("+somebody's\n");
  expect(stale.all).toContain("site.yaml:4");
  expect(at.problems(4, "apply", plan).map(({ code, detail }) => [code, detail.includes("f-42")])).toEqual([["stale", true]]);
  expect(at.snapshot({ times: true })).toEqual(edited);

  const rebased = `${at.folder}/new.plan`;
  const again = at.run(2, "plan", "--rebase", plan, "-o", rebased, "--json").json();
  expect(again.moved).toEqual([`path:${at.at("f-42")}`]);
  expect(again.changes).toHaveLength(100);
  const [before, after] = [plan, rebased].map((file) => JSON.parse(readFileSync(file, "utf8")).changes as { register: { key: string } }[]);
  const different = before?.filter((change, index) => JSON.stringify(change) !== JSON.stringify(after?.[index]));
  expect(different?.map(({ register }) => register.key)).toEqual([at.at("f-42")]);

  at.run(0, "apply", rebased);
  expect(at.read("f-42")).toBe("new 42\n");
  expect(at.run(0, "apply", rebased).all).toContain("already");
  expect(at.run(0, "apply", rebased, "--json").json()).toMatchObject({ exit: 0, summary: { changed: 0, already: 100 } });
  at.file("f-7", "later\n");
  expect(at.run(4, "apply", rebased).all).toContain("f-7");
  expect(at.read("f-7")).toBe("later\n");
});

test("a saved plan needs neither its playbook nor its sources", () => {
  const at = story()
    .source("given.txt", "from a source\n")
    .playbook("  - file: f\n    source: given.txt\n  - line: g\n    text: one\n    create: true\n");
  const plan = at.plan();
  writeFileSync(`${at.book}/given.txt`, "moved on");
  writeFileSync(`${at.book}/site.yaml`, "nonsense: [");
  at.run(0, "apply", plan);
  expect([at.read("f"), at.read("g")]).toEqual(["from a source\n", "one\n"]);
  at.revert();
  expect(at.snapshot()).toEqual({});
});

test("I27: a plan of which any byte was changed is refused, and nothing is touched", async () => {
  const at = story().file("f", "old\n").playbook("  - file: f\n    content: new\n  - file: g\n    content: other\n");
  const plan = at.plan();
  const bytes = readFileSync(plan);
  const before = at.snapshot({ times: true });
  const batch = at.batch();
  const step = bytes.length / 200;
  const places = [...new Set([...Array(16).keys(), ...Array.from({ length: 200 }, (_, n) => Math.floor(n * step)), bytes.length - 1])];
  const taken: (number | null)[][] = [];
  for (const place of places) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8((changed.readUInt8(place) ^ (1 << (place % 7))) & 0xff, place);
    writeFileSync(plan, changed);
    const { exit } = await batch.run("apply", plan, "--yes", "--state-dir", at.state);
    if (exit !== 3) taken.push([place, exit]);
  }
  expect(taken).toEqual([]);
  for (const text of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.from("\n")]), Buffer.concat([bytes, bytes])]) {
    writeFileSync(plan, text);
    expect((await batch.run("apply", plan, "--yes", "--state-dir", at.state)).exit).toBe(3);
  }
  expect(at.snapshot({ times: true })).toEqual(before);
  writeFileSync(plan, bytes);
  at.run(0, "apply", plan);
});

test("a revert keeps what somebody changed later, restores all else, and takes the rest up when told to", () => {
  const at = story()
    .file("a", "a before\n", 0o640)
    .file("b", "b before\n")
    .playbook("  - file: [ a, b, c ]\n    content: after\n    mode: '0644'\n  - directory: d/e\n");
  const start = at.snapshot();
  at.apply();
  at.file("b", "somebody's later edit\n");

  const reverted = at.run(6, "revert", "--yes", "--json").json();
  expect(reverted).toMatchObject({ status: "reverted", summary: { conflicts: 1 } });
  expect(reverted.actions.filter(({ status }) => status === "conflict").map(({ register }) => register)).toEqual([`path:${at.at("b")}`]);
  expect(at.read("b")).toBe("somebody's later edit\n");
  const { b: _, ...others } = at.snapshot();
  const { b: __, ...were } = start;
  expect(others).toEqual(were);

  // Reverting again does nothing: what is kept was said. To take it up it must be named.
  at.run(0, "revert", reverted.run, "--yes");
  expect(at.read("b")).toBe("somebody's later edit\n");
  at.run(0, "revert", reverted.run, "--yes", "--force-conflicts", `path:${at.at("b")}`);
  expect(at.snapshot()).toEqual(start);
});

test("revert --to undoes the later runs, newest first", () => {
  const at = story().playbook("  - file: f\n    content: one\n");
  const first = at.apply("--json").json().run;
  for (const content of ["two", "three"]) at.playbook(`  - file: f\n    content: ${content}\n`).apply();
  at.run(0, "revert", "--to", first, "--yes");
  expect(at.read("f")).toBe("one");
});

import { expect, test } from "vitest";
import { story } from "./story.ts";

const all = `
  - line: lines
    text: ours
  - line: lines
    text: ours too
  - block: blocks
    text: "in a block"
    create: true
  - config: app.toml
    set: { server.workers: 4, server.new: 1 }
  - file: made
    content: made
  - file: modified
    content: after
    mode: '0600'
  - directory: folder
  - file: folder/inside
    content: x
  - link: link
    to: made
`;

function machine() {
  return story()
    .file("lines", "theirs\nours")
    .file("app.toml", "# kept\n[server]\nworkers = 1\n")
    .file("modified", "before\n", 0o644)
    .playbook(all);
}

test("what is no longer declared is an orphan: listed by plan, left by apply, taken back by --prune", () => {
  const at = machine();
  const start = at.snapshot();
  at.apply();
  const applied = at.snapshot();
  at.playbook("  - line: lines\n    text: ours\n");
  const planned = at.run(0, "plan", "site.yaml", "--json").json();
  expect(planned.orphans.map(({ address }) => address).sort()).toEqual([
    "block:blocks#block",
    "config:app.toml#server.workers",
    "config:app.toml#server.workers",
    "directory:folder",
    "file:folder/inside",
    "file:made",
    "file:modified",
    "line:lines#ours too",
    "link:link",
  ]);
  expect(at.run(0, "plan", "site.yaml").stdout).toContain("folder/inside");
  at.apply();
  expect(at.snapshot()).toEqual(applied);

  const pruning = at.run(2, "plan", "site.yaml", "--prune", "--json").json();
  expect(new Set(pruning.changes.map(({ reason }) => reason))).toEqual(new Set(["prune"]));
  at.apply("--prune");
  expect(at.snapshot()).toEqual(start);
  expect(at.run(0, "plan", "site.yaml", "--json").json().orphans).toEqual([]);
  expect(at.apply("--prune").all).toContain("Nothing to do");
});

test("a prune in the midst of other changes of the same file is one change, and is reverted as one", () => {
  const at = story()
    .file("lines", "theirs\n")
    .playbook("  - line: lines\n    text: one\n  - line: lines\n    text: two\n  - line: lines\n    text: three\n");
  at.apply();
  // Without --prune what is gone stays owned, though the file is set and recorded anew.
  at.playbook("  - line: lines\n    text: three\n  - line: lines\n    text: zero\n").apply();
  expect(at.read("lines")).toBe("theirs\none\ntwo\nthree\nzero\n");
  at.playbook("  - line: lines\n    text: three\n  - line: lines\n    text: four\n");
  const before = at.snapshot();
  const planned = at.run(2, "plan", "site.yaml", "--prune", "--json").json();
  expect(planned.changes).toHaveLength(1);
  at.apply("--prune");
  expect(at.read("lines")).toBe("theirs\nthree\nfour\n");
  expect(at.run(0, "plan", "site.yaml", "--prune", "--json").json().orphans).toEqual([]);
  at.revert();
  expect(at.snapshot()).toEqual(before);
});

test("a prune leaves and names what somebody else set since", () => {
  const at = machine();
  at.apply();
  at.file("made", "somebody's\n").file("modified", "somebody's too\n");
  at.playbook("  []");
  const planned = at.run(2, "plan", "site.yaml", "--prune", "--json").json();
  expect(
    planned.orphans
      .filter(({ kept }) => kept !== undefined)
      .map(({ address }) => address)
      .sort(),
  ).toEqual(["file:made", "file:modified"]);
  at.apply("--prune");
  expect([at.read("made"), at.read("modified")]).toEqual(["somebody's\n", "somebody's too\n"]);
  expect(Object.keys(at.snapshot())).not.toContain("folder");
});

test("an orphan that is gone already is let go of", () => {
  const at = story().file("lines", "theirs\n").playbook("  - line: lines\n    text: ours\n");
  at.apply();
  at.file("lines", "theirs\n").playbook("  []");
  at.apply("--prune");
  expect(at.run(0, "plan", "site.yaml", "--json").json().orphans).toEqual([]);
});

test("one key of several that a config no longer declares is an orphan", () => {
  const at = story().file("a.json", '{"a":0,"b":0}\n').playbook("  - config: a.json\n    set: { a: 1, b: 2 }\n");
  at.apply();
  at.playbook("  - config: a.json\n    set: { a: 1 }\n");
  at.apply("--prune");
  expect(JSON.parse(at.read("a.json"))).toEqual({ a: 1, b: 0 });
});

test("two stacks own a line each of one file, and each takes back its own", () => {
  const at = story().file("hosts", "127.0.0.1 localhost\n");
  at.playbook("  - line: hosts\n    text: 10.0.0.1 one\n", { name: "one" }).playbook("  - line: hosts\n    text: 10.0.0.2 two\n", {
    name: "two",
  });
  at.run(0, "apply", "one.yaml", "--yes");
  const second = at.run(2, "plan", "two.yaml", "--json").json();
  expect(second.changes).toMatchObject([{ foreign: "one" }]);
  at.run(0, "apply", "two.yaml", "--yes");
  expect(at.run(0, "plan", "one.yaml", "--json").json().orphans).toEqual([]);
  at.playbook("  []", { name: "one" });
  at.run(0, "apply", "one.yaml", "--yes", "--prune");
  expect(at.read("hosts")).toBe("127.0.0.1 localhost\n10.0.0.2 two\n");
  at.run(0, "verify", "two.yaml");
  at.playbook("  []", { name: "two" });
  at.run(0, "apply", "two.yaml", "--yes", "--prune");
  expect(at.read("hosts")).toBe("127.0.0.1 localhost\n");
});

test("--only makes no orphans, and a prune with it takes nothing of what the playbook declares", () => {
  const at = story().playbook("  - file: a\n    content: a\n  - file: b\n    content: b\n");
  at.apply();
  expect(at.run(0, "plan", "site.yaml", "--only", "file:a", "--json").json().orphans).toEqual([]);
  at.apply("--only", "file:a", "--prune");
  expect(at.read("b")).toBe("b");
});

test("`protect` refuses a plan that would delete it", () => {
  const at = story().file("f", "kept\n").playbook("  - file: f\n    state: absent\n    protect: true\n");
  expect(at.problems(3, "apply", "site.yaml", "--yes")).toMatchObject([{ code: "protected", at: { line: 4, column: 5 } }]);
  expect(at.read("f")).toBe("kept\n");
});

test("`state: absent` leaves no orphan, and a revert brings the file back", () => {
  const at = story().file("f", "kept\n", 0o604).playbook("  - file: f\n    state: absent\n");
  const start = at.snapshot();
  at.apply();
  at.playbook("  []");
  expect(at.run(0, "plan", "site.yaml", "--json").json().orphans).toEqual([]);
  at.revert();
  expect(at.snapshot()).toEqual(start);
});

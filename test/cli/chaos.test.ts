import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

interface Said {
  readonly exit: number;
  readonly seed: string;
  readonly points: number;
  readonly tried: number;
  readonly rows: readonly { readonly boundary: string; readonly points: number; readonly kills: number }[];
  readonly violations: readonly { readonly at: string; readonly phase: string; readonly what: string; readonly replay: string }[];
}

/** A machine with files of every sort, and a playbook that changes each. */
function site(): Machine {
  const machine = new Machine();
  for (const folder of ["live", "made"]) mkdirSync(join(machine.folder, folder));
  machine.write("live/conf", "old\n").write("live/gone", "will go\n").write("live/private", "secret\n");
  return machine.write(
    "site.yaml",
    `setpoint: 1
name: site
resources:
  - line: live/conf
    text: new
  - file: live/private
    content: more secret
    mode: '0640'
  - directory: live/folder/inner
    mode: '2750'
  - link: live/link
    to: conf
  - file: live/gone
    state: absent
`,
  );
}

const book = (machine: Machine, resources: string) => machine.write("book.yaml", `setpoint: 1\nname: book\nresources:\n${resources}`);

/** What chaos says in JSON; its folders are made where the test sees them. */
function said(machine: Machine, exit: number, ...argv: readonly string[]): Said {
  return machine.json(["chaos", ...argv, "--in", "made"], exit) as unknown as Said;
}

describe("chaos", () => {
  test("kills at every boundary of the journal and finds every promise kept; the machine itself is as before", () => {
    const machine = site();
    const report = said(machine, 0, "site.yaml");
    expect(report).toMatchObject({ exit: 0, violations: [], tried: report.points });
    expect(report.rows.every(({ points, kills }) => points === kills)).toBe(true);
    const boundaries = report.rows.map(({ boundary }) => boundary);
    expect(boundaries).toEqual(
      expect.arrayContaining(["before append begin", "within append intent", "before append done", "before sync", "before append end"]),
    );
    expect(machine.list("live")).toEqual(["conf", "gone", "private"]);
    expect(machine.read("live/conf")).toBe("old\n");
    expect(machine.list(".")).not.toContain("state");
    expect(machine.list("made")).toEqual([]);
  }, 240_000);

  test("kills at calls, too, and each resume and revert once more; the seed chooses which", () => {
    const machine = site();
    const argv = ["site.yaml", "--every-call", "--twice", "--limit", "5", "--seed", "7"];
    const report = said(machine, 0, ...argv);
    expect(report).toMatchObject({ exit: 0, tried: 5, seed: "7", violations: [] });
    expect(report.points).toBeGreaterThan(50);
    expect(report.rows.reduce((sum, { kills }) => sum + kills, 0)).toBeGreaterThan(5);
    expect(said(machine, 0, ...argv).rows).toEqual(report.rows);
  }, 240_000);

  test("a table for people", () => {
    const machine = site();
    book(machine, "  - file: live/conf\n    content: new\n");
    const { exit, out } = machine.run("chaos", "book.yaml", "--empty", "--limit", "2", "--seed", "a");
    expect(exit).toBe(0);
    expect(out).toMatch(/^killed +points +kills +resumed +reverted +violations\n/);
    expect(out).toMatch(/2 points of \d+ tried, 2 kills, seed a: no promise was broken\.\n$/);
  }, 120_000);

  test("a promise that does not hold is told with the command that tries it again: exit 1", () => {
    const machine = site();
    // What it makes is another thing each time, so that nothing comes out as without a kill.
    book(
      machine,
      "  - directory: work\n  - command: stamp\n    cwd: work\n    run: [ sh, -c, 'date +%s%N > stamp' ]\n    creates: stamp\n    undo: [ rm, -f, stamp ]\n",
    );
    const report = said(machine, 1, "book.yaml", "--allow-commands", "--limit", "3", "--seed", "1");
    const [first] = report.violations;
    expect(first).toMatchObject({ phase: "resume", what: expect.stringContaining("/work/stamp") });
    expect(first?.replay).toBe(`setpoint chaos book.yaml --allow-commands --at ${first?.at} --keep`);
    const again = machine.run("chaos", "book.yaml", "--allow-commands", "--at", first?.at ?? "", "--in", "made", "--keep");
    expect(again.exit).toBe(1);
    expect(again.err).toContain("a resume does not hold");
    expect(machine.list("made")).toHaveLength(1);
    expect(machine.list(".")).not.toContain("work");
  }, 240_000);

  test("a playbook that fails without any kill: exit 1", () => {
    const machine = site();
    book(machine, "  - file: live/conf\n    content: bad\n    validate: [ 'false', '%s' ]\n");
    const { problems } = machine.json(["chaos", "book.yaml", "--allow-commands"], 1);
    expect(problems).toMatchObject([{ code: "broken-without-kill" }]);
  });
});

describe("chaos refuses", () => {
  test.each([
    ["commands", "  - command: x\n    run: [ 'true' ]\n    creates: made/x\n    undo: [ 'true' ]\n", "has-commands"],
    ["a program that checks a file", "  - file: live/conf\n    content: new\n    validate: [ 'true', '%s' ]\n", "has-commands"],
  ])("%s: exit 5, and nothing is run", (_name, resources, code) => {
    const machine = site();
    book(machine, resources);
    expect(machine.json(["chaos", "book.yaml"], 5).problems).toMatchObject([{ code }]);
    expect(machine.json(["chaos", "book.yaml", "--empty"], 5).problems).toMatchObject([{ code }]);
  });

  test("a target that a link leads out of the copy: exit 5, and what is there stays", () => {
    const machine = site();
    mkdirSync(join(machine.folder, "root"));
    symlinkSync(join(machine.folder, "live"), join(machine.folder, "root/live"));
    const { problems } = machine.json(["chaos", "site.yaml", "--root", "root"], 5);
    expect(problems).toContainEqual(expect.objectContaining({ code: "outside" }));
    expect(readdirSync(join(machine.folder, "live")).sort()).toEqual(["conf", "gone", "private"]);
  });

  test("what is as declared already: exit 1", () => {
    const machine = new Machine();
    machine.applyFiles("done", { done: "done" });
    expect(machine.json(["chaos", "done.yaml"], 1).problems).toMatchObject([{ code: "nothing-to-try" }]);
  });

  test.each([
    [["--limit", "0"], "--limit"],
    [["--root", "nowhere"], "--root"],
    [["--root", "live", "--empty"], "--empty"],
    [["--at", "journal:999"], "--at"],
  ])("%j: a mistake of the command line", (argv, says) => {
    const { exit, err } = site().run("chaos", "site.yaml", ...argv);
    expect({ exit, says: err.includes(says) }).toEqual({ exit: 64, says: true });
  });
});

describe("SETPOINT_DIE_AT", () => {
  test.each([
    ["journal:1", 0],
    ["journal:4", 1],
    ["journal:5", 2],
    ["journal:4:torn", 1],
    ["journal:4:after", 2],
  ])("%s: a real SIGKILL, and %d records stand", (point, records) => {
    const machine = site();
    const { exit } = machine.runWith({ SETPOINT_DIE_AT: point }, "apply", "site.yaml", "--yes");
    expect(exit).toBe(null);
    const [run] = machine.list("state/runs");
    const journal = machine.list(`state/runs/${run}`).find((name) => name.startsWith("journal"));
    const text = machine.read(`state/runs/${run}/${journal}`);
    expect(text.split("\n").length - 1).toBe(records);
    expect(text.endsWith("\n") || text === "").toBe(!point.endsWith("torn"));
  });
});

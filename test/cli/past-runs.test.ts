import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

/** Three runs of two stacks, the last one reverted. */
function someRuns(): { readonly machine: Machine; readonly first: string; readonly second: string; readonly other: string } {
  const machine = new Machine();
  const first = machine.applyFiles("web", { motd: "one\n" });
  const second = machine.applyFiles("web", { motd: "two\n" });
  const other = machine.applyFiles("db", { conf: "x\n" });
  machine.json(["revert", other]);
  return { machine, first, second, other };
}

describe("history", () => {
  test("lists runs newest first, with what became of them", () => {
    const { machine, first, second, other } = someRuns();
    const { runs } = machine.json(["history"]);
    expect(runs.map(({ run, stack, kind, status }) => ({ run, stack, kind, status }))).toEqual([
      { run: other, stack: "db", kind: "revert", status: "reverted" },
      { run: second, stack: "web", kind: "apply", status: "applied" },
      { run: first, stack: "web", kind: "apply", status: "applied" },
    ]);
    expect(machine.json(["history", "--stack", "web", "--limit", "1"]).runs.map(({ run }) => run)).toEqual([second]);
    expect(machine.run("history").out.split("\n")).toHaveLength(5);
    expect(machine.run("history", "--limit", "none").exit).toBe(64);
  });

  test("opens no old run", () => {
    const { machine } = someRuns();
    for (const run of machine.list("state/runs")) machine.spoil(`runs/${run}/plan.json`, () => Buffer.from("rotten"));
    expect(machine.json(["history"]).runs).toHaveLength(3);
  });

  test("of nothing is empty and makes no state directory", () => {
    const machine = new Machine();
    expect(machine.run("history")).toEqual({ exit: 0, out: "No runs yet.\n", err: "" });
    expect(machine.run("status")).toMatchObject({ exit: 0, out: "No stack has been applied yet.\n" });
    expect(machine.run("doctor").exit).toBe(0);
    expect(machine.run("gc").exit).toBe(0);
    expect(machine.list(".")).toEqual([]);
  });
});

describe("show", () => {
  test("a run: its plan with contents of its packs, and how each action ended", () => {
    const { machine, second, other } = someRuns();
    const { exit, out } = machine.run("show", second);
    expect(exit).toBe(0);
    expect(out).toMatch(/status +applied/);
    expect(out).toContain("-one");
    expect(out).toContain("+two");
    expect(machine.json(["show", other])).toMatchObject({ status: "reverted", kind: "revert", actions: [{ status: "restored" }] });
    expect(machine.json(["show", second])).toMatchObject({ plan: { stack: "web" }, playbooks: ["web.yaml"], actions: [{ status: "set" }] });
  });

  test("by the beginning of its id, if that is one", () => {
    const { machine, other } = someRuns();
    expect(machine.json(["show", other.slice(0, -2)]).run).toBe(other);
    expect(machine.run("show", "2").exit).toBe(64);
    expect(machine.run("show", "no-such").err).toContain("there is neither a file nor a run no-such");
  });

  test("a saved plan with its contents, whatever stands there by now", () => {
    const machine = new Machine();
    machine.applyFiles("web", { motd: "one\n" });
    machine.write("web.yaml", "setpoint: 1\nname: web\nresources:\n  - file: motd\n    content: two\n");
    machine.run("plan", "web.yaml", "-o", "web.plan");
    const { exit, out } = machine.run("show", "web.plan");
    expect({ exit, out }).toEqual({ exit: 0, out: expect.stringMatching(/-one\n *\+two/) });
    machine.write("motd", "else\n");
    expect(machine.run("show", "web.plan").out).toBe(out);
    machine.write("web.plan", machine.read("web.plan").replace('"web"', '"wxb"'));
    expect(machine.run("show", "web.plan").exit).toBe(3);
    expect(machine.run("show", "web.yaml").exit).toBe(64);
  });

  test("--salvage lists what can be read behind damage, and show says that there is damage", () => {
    const { machine, second } = someRuns();
    machine.spoil(`runs/${second}/journal`, (bytes) => {
      const at = bytes.indexOf("\n") + 60;
      bytes[at] = (bytes[at] as number) ^ 1;
      return bytes;
    });
    const damaged = machine.run("show", second);
    expect({ exit: damaged.exit, err: damaged.err }).toEqual({ exit: 1, err: expect.stringContaining("damaged-journal") });
    expect(damaged.out).toContain("+two");
    const { journals } = machine.json(["show", second, "--salvage"]) as unknown as {
      journals: { rest: string; records: { t: string }[]; salvage: { t: string }[] }[];
    };
    expect(journals).toMatchObject([{ rest: "damaged", records: [{ t: "begin" }], salvage: [{ t: "done" }, { t: "end" }] }]);
    expect(machine.run("show", second, "--salvage").out.split("\n")).toHaveLength(5);
  });
});

describe("why", () => {
  test("tells who declares a path, which runs set it, and what it was before", () => {
    const { machine, first, second } = someRuns();
    const path = join(machine.folder, "motd");
    for (const name of ["motd", "./demo/../motd", path, `path:${path}`, "file:motd"]) {
      const [why] = machine.json(["why", name]).registers;
      expect(why).toMatchObject({
        register: `path:${path}`,
        current: { is: "file" },
        declared: [{ address: "file:motd", at: { file: "web.yaml", line: 4 } }],
        owners: [{ stack: "web", aspects: expect.arrayContaining(["content"]) }],
        sets: [
          { run: second, stack: "web", before: { is: "file" }, after: { is: "file" } },
          { run: first, before: { is: "absent" } },
        ],
      });
    }
    const { out } = machine.run("why", "motd");
    expect(out).toContain("web.yaml:4");
    expect(out).toMatch(/-one\n *\+two/);
  });

  test("tells of an undoing, and that nobody declares what was undone", () => {
    const { machine, other } = someRuns();
    const [why] = machine.json(["why", "conf"]).registers;
    expect(why?.sets).toMatchObject([
      { run: other, before: { is: "file" }, after: { is: "absent" } },
      { run: other, before: { is: "absent" }, after: { is: "file" } },
    ]);
    expect(why?.current).toEqual({ is: "absent" });
  });

  test("of what nobody set says so", () => {
    const { machine } = someRuns();
    expect(machine.run("why", "nothing")).toMatchObject({ exit: 0, out: expect.stringContaining("no playbook declares it") });
  });

  test("shows no plain digest of what others may not read", () => {
    const machine = new Machine();
    machine.write("x.yaml", "setpoint: 1\nname: x\nresources:\n  - file: key\n    content: hush hush\n    mode: '0600'\n");
    machine.json(["apply", "x.yaml", "--yes"]);
    const text = JSON.stringify(machine.json(["why", "key"]));
    expect(text).toMatch(/"content":"keyed:/);
    expect(text).not.toMatch(/"content":"[0-9a-f]{64}"/);
    expect(machine.run("why", "key").out).not.toContain("hush");
  });
});

describe("status", () => {
  test("tells the last run and what is owned, for each stack", () => {
    const { machine, second } = someRuns();
    expect(machine.json(["status"]).stacks).toMatchObject([
      { stack: "db", owned: 0, last: { kind: "revert", status: "reverted" } },
      { stack: "web", owned: 1, last: { run: second, status: "applied" }, debts: [], inDoubt: [] },
    ]);
  });

  test("with a playbook names what its stack no longer declares", () => {
    const machine = new Machine();
    machine.applyFiles("web", { a: "1\n", b: "2\n" });
    machine.write("web.yaml", 'setpoint: 1\nname: web\nresources:\n  - file: a\n    content: "1\\n"\n');
    expect(machine.json(["status", "web.yaml"]).stacks[0]?.orphans).toMatchObject([{ address: "file:b" }]);
    expect(machine.json(["status"]).stacks[0]?.orphans).toEqual([]);
  });

  test("names a command that is due because what it watches has changed", () => {
    const machine = new Machine().write(
      "x.yaml",
      "setpoint: 1\nname: x\nresources:\n  - file: conf\n    content: one\n  - command: reload\n    run: [ sh, -c, 'echo x >> log' ]\n    run_when: [ 'file:conf' ]\n",
    );
    machine.json(["apply", "x.yaml", "--yes"]);
    expect(machine.json(["status"]).stacks[0]?.debts).toEqual([]);
    machine.write("conf", "drifted");
    expect(machine.json(["status"]).stacks[0]?.debts).toMatchObject([{ register: "receipt:x/command:reload" }]);
    expect(readFileSync(join(machine.folder, "log"), "utf8")).toBe("x\n");
  });
});

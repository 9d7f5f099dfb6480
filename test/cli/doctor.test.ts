import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Answer, Machine } from "./machine.ts";

/** Whether this machine has the package attr is not what these tests are about. */
const optional: ReadonlySet<string> = new Set(["getfattr", "setfattr"]);

const worst = ({ checks }: Answer) =>
  checks.filter(({ name, status }) => status !== "ok" && !optional.has(name)).map(({ name, status }) => `${status} ${name}`);

describe("doctor", () => {
  test("finds nothing wrong with a state directory in use, and changes nothing", () => {
    const machine = new Machine();
    machine.applyFiles("web", { motd: "one\n" });
    const before = machine.list("state").map((name) => name);
    expect(worst(machine.json(["doctor", "--deep"]))).toEqual([]);
    expect(machine.list("state")).toEqual(before);
  });

  test("says that a tool is missing, and what for", () => {
    const machine = new Machine();
    const { exit, out } = machine.runWith({ PATH: machine.folder }, "doctor");
    expect({ exit, out }).toEqual({
      exit: 1,
      out: expect.stringMatching(/fail {2}flock: is not there: the state directory cannot be locked/),
    });
  });

  test("finds a directory that others can write to, which --fix closes", () => {
    const machine = new Machine();
    machine.applyFiles("web", { motd: "one\n" });
    chmodSync(machine.state, 0o777);
    expect(worst(machine.json(["doctor"], 1))).toEqual(["fail state directory"]);
    expect(machine.json(["doctor", "--fix"])).toMatchObject({ exit: 0, fixed: [expect.stringContaining("closed to others")] });
    expect(worst(machine.json(["doctor"]))).toEqual([]);
  });

  test("finds a run that never began, which --fix removes", () => {
    const machine = new Machine();
    machine.applyFiles("web", { motd: "one\n" });
    mkdirSync(join(machine.state, "runs/20260101T000000000-abcdef/live"), { recursive: true });
    expect(worst(machine.json(["doctor"]))).toEqual(["warn run 20260101T000000000-abcdef"]);
    machine.json(["doctor", "--fix"]);
    expect(machine.list("state/runs")).toHaveLength(1);
  });

  test.each(["missing", "damaged"])("I13: a ledger that is %s is rebuilt by --fix, as it was", (how) => {
    const machine = new Machine();
    machine.applyFiles("web", { motd: "one\n", conf: "x\n" });
    machine.applyFiles("web", { motd: "two\n", conf: "x\n" });
    const ledger = join(machine.state, "ledger");
    const before = readFileSync(ledger, "utf8");
    if (how === "missing") rmSync(ledger);
    else writeFileSync(ledger, before.slice(0, -20));
    expect(worst(machine.json(["doctor"], how === "missing" ? 0 : 1))).toEqual([how === "missing" ? "warn ledger" : "fail ledger"]);
    expect(machine.json(["doctor", "--fix"])).toMatchObject({ fixed: ["the ledger is rebuilt from the journals"] });
    expect(readFileSync(ledger, "utf8")).toBe(before);
  });

  test("I13: finds damaged and torn journals, changed plans and rotten contents", () => {
    const machine = new Machine();
    const damaged = machine.applyFiles("a", { a: "one\n" });
    const torn = machine.applyFiles("b", { b: "one\n" });
    const changed = machine.applyFiles("c", { c: "one\n" });
    const large = machine.applyFiles("d", { d: `${"0123456789abcdef".repeat(70_000)}\n` });
    machine.spoil(`runs/${damaged}/journal`, (bytes) => {
      bytes[bytes.indexOf("\n") + 60] = 0;
      return bytes;
    });
    machine.spoil(`runs/${torn}/journal`, (bytes) => Buffer.concat([bytes, Buffer.from("0000")]));
    machine.spoil(`runs/${changed}/plan.json`, (bytes) => Buffer.from(bytes.toString().replace('"stack":"c"', '"stack":"x"')));
    const [folder = ""] = machine.list("state/blobs");
    machine.spoil(`blobs/${folder}/${machine.list(`state/blobs/${folder}`)[0]}`, (bytes) => bytes.fill(0, 0, 4));
    expect(large).toBeDefined();
    expect(worst(machine.json(["doctor", "--deep"], 1))).toEqual([
      `fail run ${damaged}`,
      `warn run ${torn}`,
      `fail run ${changed}`,
      expect.stringMatching(/^fail .*\/blobs\//),
    ]);
  });

  test("I13: refuses to judge a layout of a newer version", () => {
    const machine = new Machine();
    machine.applyFiles("web", { motd: "one\n" });
    writeFileSync(join(machine.state, "format"), '{"format":2}\n');
    expect(worst(machine.json(["doctor"], 1))).toEqual(["fail format"]);
  });
});

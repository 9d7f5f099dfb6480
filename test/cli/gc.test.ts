import { readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

const large = (letter: string) => `${letter.repeat(1_100_000)}\n`;

/** Blobs look as if they were made hours ago. */
function age(machine: Machine): void {
  for (const folder of machine.list("state/blobs"))
    for (const name of machine.list(`state/blobs/${folder}`)) utimesSync(join(machine.state, "blobs", folder, name), 1, 1);
}

const blobs = (machine: Machine) => machine.list("state/blobs").flatMap((folder) => machine.list(`state/blobs/${folder}`));

describe("gc", () => {
  test("keeps the newest runs and those of the last days, whichever is more", () => {
    const machine = new Machine();
    const runs = ["1", "2", "3", "4"].map((text) => machine.applyFiles("web", { motd: text }));
    expect(machine.json(["gc"]).runs).toEqual([]);
    expect(machine.json(["gc", "--keep", "0"]).runs).toEqual([]);
    expect(machine.json(["gc", "--keep", "4", "--days", "0"]).runs).toEqual([]);
    expect(machine.json(["gc", "--keep", "2", "--days", "0", "--dry-run"]).runs).toEqual([runs[1], runs[0]]);
    expect(machine.list("state/runs")).toHaveLength(4);
    expect(machine.json(["gc", "--keep", "2", "--days", "0"]).runs).toEqual([runs[1], runs[0]]);
    expect(machine.list("state/runs")).toEqual([runs[2], runs[3], "base"]);
    expect(machine.json(["history"]).runs).toHaveLength(4);
    expect(machine.run("show", runs[0] as string).out).toContain("can no longer be reverted");
    expect(machine.run("revert", runs[0] as string).exit).toBe(1);
    expect(machine.json(["revert", "--to", runs[2] as string]).exit).toBe(0);
    expect(machine.read("motd")).toBe("3");
    expect(machine.run("gc", "--keep", "few").exit).toBe(64);
  });

  test("keeps the newest run of each stack and every open run", () => {
    const machine = new Machine();
    const quiet = machine.applyFiles("quiet", { a: "1" });
    machine.write(
      "bad.yaml",
      "setpoint: 1\nname: bad\nresources:\n  - file: b\n    content: x\n  - command: [ 'false' ]\n    creates: never\n",
    );
    expect(machine.run("apply", "bad.yaml", "--yes", "--allow-irreversible").exit).toBe(6);
    const open = machine.json(["history"]).runs[0]?.run as string;
    const runs = ["1", "2"].map((text) => machine.applyFiles("web", { motd: text }));
    expect(machine.json(["gc", "--keep", "0", "--days", "0"]).runs).toEqual([runs[0]]);
    expect(machine.list("state/runs")).toEqual([quiet, open, runs[1], "base"]);
    expect(machine.json(["revert", open]).exit).toBe(0);
  });

  test("loses nothing of the ledger, which is rebuilt without the journals that are gone", () => {
    const machine = new Machine();
    machine.write(
      "x.yaml",
      "setpoint: 1\nname: x\nresources:\n  - command: once\n    run: [ sh, -c, 'echo x >> log' ]\n    once: true\n    undo: none\n",
    );
    machine.json(["apply", "x.yaml", "--yes"]);
    for (const text of ["1", "2", "3"]) machine.applyFiles("x", { motd: text });
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    const ledger = readFileSync(join(machine.state, "ledger"), "utf8");
    expect(ledger).toContain("receipt\t");
    rmSync(join(machine.state, "ledger"));
    machine.json(["doctor", "--fix"]);
    expect(readFileSync(join(machine.state, "ledger"), "utf8")).toBe(ledger);
    machine.write(
      "x.yaml",
      "setpoint: 1\nname: x\nresources:\n  - command: once\n    run: [ sh, -c, 'echo x >> log' ]\n    once: true\n    undo: none\n",
    );
    expect(machine.run("plan", "x.yaml").exit).toBe(0);
    expect(machine.json(["doctor"]).checks.map(({ name }) => name)).toContain("base");
  });

  test("I29: keeps the content that a prune puts back, though the run that had it is gone", () => {
    const machine = new Machine().write("motd", "as it was\n");
    machine.applyFiles("web", { motd: "1", other: "1" });
    for (const text of ["2", "3"]) machine.applyFiles("web", { motd: text, other: text });
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    age(machine);
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    rmSync(join(machine.state, "ledger"));
    machine.write("web.yaml", 'setpoint: 1\nname: web\nresources:\n  - file: other\n    content: "3"\n');
    machine.json(["apply", "web.yaml", "--yes", "--prune"]);
    expect(machine.read("motd")).toBe("as it was\n");
  });

  test("I29: removes contents that nobody names, once they are an hour old", () => {
    const machine = new Machine();
    for (const letter of ["a", "b", "c"]) machine.applyFiles("web", { big: large(letter) });
    expect(blobs(machine)).toHaveLength(3);
    // The newest run names its own and the one that it replaced.
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    expect(blobs(machine)).toHaveLength(3);
    age(machine);
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    expect(blobs(machine)).toHaveLength(2);
    expect(machine.json(["revert"]).exit).toBe(0);
    expect(machine.read("big")).toBe(large("b"));
  });
});

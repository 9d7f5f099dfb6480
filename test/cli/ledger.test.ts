import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

const bytes = (machine: Machine) => readFileSync(join(machine.state, "ledger"));
const check = (machine: Machine, exit = 0) => machine.json(["ledger", "rebuild", "--check"], exit);

/** A stack with an adoption, a halted run, a resume, a revert, a prune and a secret, and runs that gc gave up. */
function eventful(): Machine {
  const machine = new Machine().write("adopted", "as it was\n").write("go", "");
  const playbook = (resources: string) =>
    machine.write("web.yaml", `setpoint: 1\nname: web\ninputs:\n  token: { type: string, secret: true }\nresources:\n${resources}`);
  const apply = (exit: number, ...more: readonly string[]) =>
    machine.json(["apply", "web.yaml", "--yes", "--var", "token=correct-horse", ...more], exit);
  playbook('  - file: adopted\n    content: "as it was\\n"\n');
  apply(0);
  playbook(
    '  - file: adopted\n    content: "as it was\\n"\n  - file: key\n    content: "k=${{ inputs.token }}"\n  - command: step\n    run: [ sh, -c, "rm go && echo > made" ]\n    creates: made\n    undo: [ rm, made ]\n',
  );
  rmSync(join(machine.folder, "go"));
  apply(6);
  machine.write("go", "");
  machine.json(["resume", "--var", "token=correct-horse"]);
  const other = machine.applyFiles("other", { b: "1" });
  machine.json(["revert", other]);
  playbook('  - file: key\n    content: "k=${{ inputs.token }}"\n');
  apply(0, "--prune");
  machine.json(["revert", "--stack", "web", "--var", "token=correct-horse"]);
  for (const text of ["1", "2"]) machine.applyFiles("other", { b: text });
  machine.json(["gc", "--keep", "0", "--days", "0"]);
  return machine;
}

describe("ledger rebuild", { timeout: 120_000 }, () => {
  test("gives the very bytes that were kept, also of what gc gave up, and of secrets", () => {
    const machine = eventful();
    const kept = bytes(machine);
    expect(kept.toString()).toMatch(/\nsecret\t.*key"\n/);
    expect(machine.list("state/runs").length).toBeLessThan(machine.json(["history"]).runs.length + 1);
    expect(check(machine)).toMatchObject({ status: "equal", differences: [], unreadable: [] });
    rmSync(join(machine.state, "ledger"));
    expect(check(machine, 2)).toMatchObject({ status: "missing", written: false });
    expect(machine.json(["ledger", "rebuild"])).toMatchObject({ status: "missing", written: true });
    expect(bytes(machine)).toEqual(kept);
    expect(machine.json(["ledger", "rebuild"])).toMatchObject({ status: "equal", written: false });
  });

  test("says what differs in one that was put back from a backup, and mends it", () => {
    const machine = new Machine();
    machine.applyFiles("web", { a: "1" });
    const old = bytes(machine);
    const second = machine.applyFiles("web", { a: "2", b: "2" });
    const kept = bytes(machine);
    writeFileSync(join(machine.state, "ledger"), old);
    // What it lacks is news, and every command takes that in: nothing is wrong.
    expect(check(machine)).toMatchObject({ status: "behind", behind: [second], differences: [] });
    const forged = kept.toString().replaceAll('"was":{"is":"absent"}', '"was":{"is":"directory"}');
    writeFileSync(join(machine.state, "ledger"), resummed(forged));
    const found = check(machine, 2);
    expect(found.status).toBe("different");
    expect((found.differences as { of: string }[]).map(({ of }) => of)).toEqual([
      `own web path:${machine.folder}/a`,
      `own web path:${machine.folder}/b`,
    ]);
    expect(machine.run("ledger", "rebuild", "--check").out).toContain(`own web path:${machine.folder}/a: they differ`);
    expect(machine.run("ledger", "rebuild").out).toContain("made anew");
    expect(bytes(machine)).toEqual(kept);
  });

  test("mends a damaged one", () => {
    const machine = new Machine();
    machine.applyFiles("web", { a: "1" });
    const kept = bytes(machine);
    machine.spoil("ledger", (all) => all.subarray(0, all.length - 9));
    expect(check(machine, 2)).toMatchObject({ status: "damaged" });
    expect(machine.json(["ledger", "rebuild"])).toMatchObject({ written: true });
    expect(bytes(machine)).toEqual(kept);
  });

  test("forgets nothing that only the ledger still knows of a run that cannot be read", () => {
    const machine = new Machine();
    const first = machine.applyFiles("web", { a: "1" });
    machine.applyFiles("web", { a: "2" });
    const kept = bytes(machine);
    rmSync(join(machine.state, "runs", first, "plan.json"));
    expect(check(machine, 2)).toMatchObject({ status: "different", unreadable: [first] });
    const refused = machine.json(["ledger", "rebuild"], 1);
    expect(refused.problems.map(({ code }) => code)).toEqual(["unreadable-run"]);
    expect(bytes(machine)).toEqual(kept);
    expect(machine.json(["ledger", "rebuild", "--without-unreadable"])).toMatchObject({ written: true });
    expect(bytes(machine)).not.toEqual(kept);
  });

  test("asks for a word that it knows, and makes no state directory where there is none", () => {
    const machine = new Machine();
    expect(machine.run("ledger", "burn").exit).toBe(64);
    expect(check(machine)).toMatchObject({ status: "equal", runs: 0 });
    expect(machine.json(["ledger", "rebuild"])).toMatchObject({ status: "equal", written: false });
    expect(machine.list(".")).toEqual([]);
  });
});

/** A ledger's text with the sum that it should have, as somebody who means it would write it. */
function resummed(text: string): string {
  const body = text.replace(/sum\t[0-9a-f]{8}\n$/, "");
  return `${body}sum\t${crc32(body).toString(16).padStart(8, "0")}\n`;
}

import { describe, expect, test } from "vitest";
import { Machine } from "./machine.ts";

/** A run that is killed by a command of its own: nobody can tell from outside whether that did its work. */
function killed(): { readonly machine: Machine; readonly run: string } {
  const machine = new Machine().write(
    "pay.yaml",
    [
      "setpoint: 1",
      "name: pay",
      "resources:",
      "  - file: before",
      "    content: b",
      "  - command: charge",
      "    run: [ sh, -c, 'echo charged >> log; test -e calm || kill -9 $PPID' ]",
      "    once: true",
      "    undo: none",
      "  - file: behind",
      "    content: c",
      "",
    ].join("\n"),
  );
  expect(machine.run("apply", "pay.yaml", "--yes").exit).toBe(null);
  machine.write("calm", "");
  return { machine, run: machine.json(["history"]).runs[0]?.run as string };
}

describe("an effect in doubt", () => {
  test("stands in status with what to say of it, and in doctor", () => {
    const { machine, run } = killed();
    expect(machine.json(["status"]).stacks).toMatchObject([
      {
        open: { run, status: "interrupted", next: `setpoint resume ${run}` },
        inDoubt: [{ address: "command:charge", next: "setpoint answer 'command:charge' happened|not" }],
      },
    ]);
    const { exit, out } = machine.run("doctor");
    expect({ exit, out }).toEqual({ exit: 0, out: expect.stringContaining(`setpoint resume ${run} leads on`) });
    expect(machine.run("resume").exit).toBe(6);
    expect(machine.json(["status"]).stacks[0]?.open?.status).toBe("halted");
    expect(machine.json(["show", run]).actions).toMatchObject([{ status: "set" }, { status: "unknown" }, {}]);
  });

  test.each([true, false])("that happened is not done again (resumed before: %s)", (resumed) => {
    const { machine, run } = killed();
    if (resumed) expect(machine.run("resume").exit).toBe(6);
    expect(machine.json(["answer", "command:charge", "happened"])).toMatchObject({ run, happened: true, next: `setpoint resume ${run}` });
    expect(machine.json(["status"]).stacks[0]?.inDoubt).toEqual([]);
    expect(machine.json(["resume"])).toMatchObject({ run, status: "applied", exit: 0 });
    expect(machine.read("log")).toBe("charged\n");
    expect(machine.read("behind")).toBe("c");
    // Its receipt holds for later runs too.
    expect(machine.run("plan", "pay.yaml").exit).toBe(0);
  });

  test.each([true, false])("that did not happen is done (resumed before: %s)", (resumed) => {
    const { machine } = killed();
    if (resumed) expect(machine.run("resume").exit).toBe(6);
    machine.json(["answer", "command:charge", "not"]);
    expect(machine.json(["resume"])).toMatchObject({ status: "applied", exit: 0 });
    expect(machine.read("log")).toBe("charged\ncharged\n");
  });

  test("needs an answer in one of two words, and an address that is in doubt", () => {
    const { machine } = killed();
    expect(machine.run("answer", "command:charge", "maybe").exit).toBe(64);
    expect(machine.run("answer", "file:behind", "happened")).toMatchObject({ exit: 1, err: expect.stringContaining("not-in-doubt") });
    machine.json(["answer", "command:charge", "happened"]);
    expect(machine.run("answer", "command:charge", "not").exit).toBe(1);
  });
});

describe("abandon", () => {
  test("ends an open run, says what is left, and lets the next one begin", () => {
    const { machine, run } = killed();
    expect(machine.json(["abandon", run])).toMatchObject({
      run,
      status: "abandoned",
      done: [expect.stringMatching(/before$/)],
      left: [{ why: "in doubt: it may have happened" }, { why: "not begun" }],
    });
    expect(machine.json(["history"]).runs).toMatchObject([{ run, status: "abandoned" }]);
    expect(machine.run("revert", run).exit).toBe(1);
    expect(machine.run("abandon", run)).toMatchObject({ exit: 1, err: expect.stringContaining("there is nothing to give up") });
    expect(machine.json(["apply", "pay.yaml", "--yes", "--allow-irreversible"])).toMatchObject({ status: "applied" });
  });

  test("leaves alone what was applied in order, and names the way to undo it", () => {
    const machine = new Machine();
    const run = machine.applyFiles("web", { motd: "one\n" });
    expect(machine.run("abandon", run)).toMatchObject({ exit: 1, err: expect.stringContaining(`setpoint revert ${run}`) });
    expect(machine.json(["revert", run]).exit).toBe(0);
  });

  test("is the way out for a halted run whose journal is damaged, which stays to be read", () => {
    const { machine, run } = killed();
    expect(machine.run("resume").exit).toBe(6);
    machine.spoil(`runs/${run}/journal`, (bytes) => {
      bytes[bytes.indexOf("\n") + 60] = 0;
      return bytes;
    });
    expect(machine.run("resume").exit).toBe(1);
    expect(machine.json(["abandon", run])).toMatchObject({ status: "abandoned", damaged: expect.stringMatching(/journal\.damaged-0$/) });
    const { journals } = machine.json(["show", run, "--salvage"]) as unknown as { journals: { name: string; salvage: object[] }[] };
    expect(journals.map(({ name }) => name)).toEqual(["journal", "journal.damaged-0"]);
    expect(journals[1]?.salvage.length).toBeGreaterThan(0);
    expect(machine.json(["apply", "pay.yaml", "--yes", "--allow-irreversible"])).toMatchObject({ status: "applied" });
  });

  test("is the way out for a halted run whose plan is lost", () => {
    const { machine, run } = killed();
    expect(machine.run("resume").exit).toBe(6);
    machine.spoil(`runs/${run}/plan.json`, () => Buffer.from("rotten"));
    expect(machine.run("doctor").exit).toBe(1);
    expect(machine.run("status").exit).toBe(0);
    expect(machine.json(["abandon", run])).toMatchObject({ status: "abandoned", stack: "pay" });
    expect(machine.json(["apply", "pay.yaml", "--yes", "--allow-irreversible"])).toMatchObject({ status: "applied" });
  });
});

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { launcher, type Story, story } from "./story.ts";

const patient = { timeout: 20_000, interval: 50 };
const within = (ms: number) => ["--confirm-within", `${ms}ms`];

/** A file that a run changes, and one that it makes. */
function site(): Story {
  return story()
    .file("conf", "old")
    .playbook(`
  - file: conf
    content: new
  - file: fresh
    content: fresh
`);
}

/** The same, and then a command that does not end before the file `go` is there. */
function slowSite(): Story {
  return story()
    .file("conf", "old")
    .playbook(`
  - file: conf
    content: new
  - command: wait
    run: [ sh, -c, 'echo $$ > started; while [ ! -e go ]; do sleep 0.02; done; echo > went' ]
    creates: went
    undo: [ rm, -f, went ]
    idempotent: true
`);
}

/** The processes that wait for a run of this story. */
function reverters(machine: Story): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const words = tryRead(`/proc/${pid}/cmdline`).split("\0");
      return words.includes("--overdue") && words.includes(machine.state);
    });
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ended just now
  }
}

/** Without the process that reverts: what a reboot leaves. */
function killReverters(machine: Story): void {
  for (const pid of reverters(machine)) process.kill(pid, "SIGKILL");
}

/** A story whose processes end with the test. */
function ended(machine: Story): Story {
  onTestFinished(() => killReverters(machine));
  return machine;
}

/** An apply that goes on while the test does; gives it once its command has started. */
async function startApply(machine: Story, ...words: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [launcher, "apply", join(machine.book, "site.yaml"), "--yes", ...words], {
    cwd: machine.tree,
    env: machine.env,
    stdio: "ignore",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await vi.waitFor(() => expect(machine.read("started")).toMatch(/^\d+\n$/), patient);
  return child;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it ended by itself
  }
}

const untilReverted = (machine: Story) => vi.waitFor(() => expect(machine.read("conf")).toBe("old"), patient);
const statusOf = (machine: Story) => (machine.run(0, "history", "--json").json().runs as { status: string; kind: string }[])[0];

describe("apply --confirm-within", () => {
  test("without a confirm the run is reverted in time, by a process of its own session", async () => {
    const machine = ended(site());
    const report = machine.apply(...within(1500), "--json").json();
    expect(report.confirm).toMatchObject({ run: report.run, left: expect.any(Number), until: expect.any(Number) });
    expect(machine.read("conf")).toBe("new");
    const [pid] = reverters(machine) as [number];
    // Field 6 of stat is the session: no terminal's end reaches it.
    expect(
      tryRead(`/proc/${pid}/stat`)
        .replace(/^.*\) /, "")
        .split(" ")[3],
    ).toBe(String(pid));
    expect(readlinkSync(`/proc/${pid}/fd/1`)).toBe(`${machine.state}/runs/${report.run}/reverter.log`);
    await untilReverted(machine);
    await vi.waitFor(() => expect(statusOf(machine)).toMatchObject({ status: "reverted", kind: "revert" }), patient);
    expect(machine.snapshot()).toEqual({ conf: expect.stringContaining("") });
    await vi.waitFor(() => expect(reverters(machine)).toEqual([]), patient);
    expect(tryRead(`${machine.state}/runs/${report.run}/reverter.log`)).toContain("was not confirmed in time");
  });

  test("confirmed it stays, confirming again is nothing, and the process goes", async () => {
    const machine = ended(site());
    const { run } = machine.apply(...within(60_000), "--json").json();
    expect(machine.run(0, "history").stdout).toMatch(/awaits confirm until/);
    expect(machine.run(0, "show", run).stdout).toMatch(/confirm +awaits confirm until/);
    expect(machine.run(0, "status").stdout).toContain(`setpoint confirm ${run}`);
    expect(machine.run(0, "confirm", "--json").json()).toMatchObject({ run, status: "confirmed", left: expect.any(Number) });
    expect(machine.run(0, "confirm", run).stdout).toContain("confirmed already");
    expect(machine.run(0, "status").stdout).toContain("nothing is pending");
    expect(machine.run(0, "confirm", "--overdue").stdout).toContain("No run is overdue");
    await vi.waitFor(() => expect(reverters(machine)).toEqual([]), patient);
    expect(machine.read("conf")).toBe("new");
    // It is a run like any other.
    machine.revert();
    expect(machine.read("conf")).toBe("old");
  });

  test("a confirm that comes too late says that the run is reverted", async () => {
    const machine = ended(site());
    const { run } = machine.apply(...within(300), "--json").json();
    await untilReverted(machine);
    await vi.waitFor(() => expect(statusOf(machine)).toMatchObject({ status: "reverted" }), patient);
    expect(machine.problems(1, "confirm", run)).toMatchObject([
      { code: "too-late", detail: expect.stringContaining("not confirmed in time") },
    ]);
    expect(machine.run(1, "confirm").stderr).toContain("too late to confirm");
  });

  test("a confirm after the deadline reverts by itself where nobody did", async () => {
    const machine = ended(site());
    machine.apply(...within(400));
    killReverters(machine);
    await vi.waitFor(() => expect(machine.run(0, "status").stdout).toContain("not confirmed in time"), patient);
    expect(machine.read("conf")).toBe("new");
    expect(machine.run(1, "confirm").stderr).toContain("too late to confirm");
    expect(machine.read("conf")).toBe("old");
  });

  test("with nothing to change there is nothing to confirm", () => {
    const machine = ended(site());
    machine.apply();
    const report = machine.apply(...within(60_000), "--json").json();
    expect(report).toMatchObject({ status: "in-sync" });
    expect(report.confirm).toBeUndefined();
    expect(reverters(machine)).toEqual([]);
    expect(machine.problems(1, "confirm")).toMatchObject([{ code: "no-run" }]);
  });

  test("kill -9 of apply half-way: what it did is reverted, counted from its begin", async () => {
    const machine = ended(slowSite());
    const apply = await startApply(machine, ...within(1000));
    expect(machine.read("conf")).toBe("new");
    apply.kill("SIGKILL");
    killGroup(Number(machine.read("started")));
    await untilReverted(machine);
    await vi.waitFor(() => expect(statusOf(machine)).toMatchObject({ status: "reverted" }), patient);
  });

  test("while apply lives nothing is reverted, and the time counts from its end", async () => {
    const machine = ended(slowSite());
    const began = Date.now();
    const apply = await startApply(machine, ...within(6000));
    const exit = new Promise((done) => apply.once("exit", done));
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(began + 7000), patient);
    expect(machine.read("conf")).toBe("new");
    machine.run(8, "confirm", "--lock-timeout", "0");
    machine.file("go", "");
    expect(await exit).toBe(0);
    machine.run(0, "confirm");
    expect(machine.read("conf")).toBe("new");
  });

  test("SIGTERM halts it; it awaits confirmation all the same, and resume keeps that", async () => {
    const machine = ended(slowSite());
    const apply = await startApply(machine, ...within(60_000));
    const exit = new Promise((done) => apply.once("exit", done));
    apply.kill("SIGTERM");
    machine.file("go", "");
    await exit;
    killReverters(machine);
    const resumed = machine.try("resume", "--json").json();
    expect(resumed.status).toBe("applied");
    expect(resumed.confirm === undefined).toBe(false);
    expect(reverters(machine)).toHaveLength(1);
    machine.run(0, "confirm");
  });
});

describe("the next command, where the process is gone (as after a reboot)", () => {
  async function overdue(): Promise<{ machine: Story; run: string }> {
    const machine = ended(site());
    const { run } = machine.apply(...within(300), "--json").json();
    killReverters(machine);
    await vi.waitFor(() => expect(machine.run(0, "status").stdout).toContain("not confirmed in time"), patient);
    expect(machine.read("conf")).toBe("new");
    return { machine, run };
  }

  test("apply of another stack reverts first, and says so", async () => {
    const { machine, run } = await overdue();
    machine.playbook("\n  - file: other\n    content: other\n", { name: "other" });
    const applied = machine.run(0, "apply", "other.yaml", "--yes");
    expect(applied.stderr).toContain(`run ${run} was not confirmed in time: it is reverted`);
    expect([machine.read("conf"), machine.read("other")]).toEqual(["old", "other"]);
  });

  test.each([["gc"], ["confirm", "--overdue"], ["revert", "--yes"]])("%s reverts", async (...argv) => {
    const { machine, run } = await overdue();
    machine.run(0, ...argv);
    expect(machine.read("conf")).toBe("old");
    expect(statusOf(machine)).toMatchObject({ run, status: "reverted" });
  });

  test("resume reverts, and then there is nothing to resume", async () => {
    const { machine } = await overdue();
    machine.run(1, "resume");
    expect(machine.read("conf")).toBe("old");
  });

  test("status, history, show, plan and verify only show", async () => {
    const { machine, run } = await overdue();
    machine.run(0, "history");
    machine.run(0, "show", run);
    machine.run(0, "plan", "site.yaml");
    machine.run(0, "verify", "site.yaml");
    expect(machine.read("conf")).toBe("new");
  });

  test("a later change by somebody is kept: exit 6, and status and history say so", async () => {
    const { machine } = await overdue();
    machine.file("conf", "theirs");
    machine.run(6, "confirm", "--overdue");
    expect([machine.read("conf"), existsSync(machine.at("fresh"))]).toEqual(["theirs", false]);
    expect(machine.run(0, "history").stdout).toContain("1 conflict");
    expect(machine.run(6, "confirm").stderr).toContain("as far as that was possible");
    machine.run(0, "confirm", "--overdue");
  });

  test("confirm --overdue --wait waits for what is not over yet", async () => {
    const machine = ended(site());
    machine.apply(...within(1200));
    killReverters(machine);
    expect(machine.run(0, "confirm", "--overdue", "--wait", "--json").json()).toMatchObject({
      exit: 0,
      reverted: [{ status: "reverted" }],
      awaiting: [],
      overdue: [],
    });
    expect(machine.read("conf")).toBe("old");
  });
});

describe("a run that awaits confirmation", () => {
  test("is not mixed with another apply of its stack that changes something", () => {
    const machine = ended(site());
    const { run } = machine.apply(...within(60_000), "--json").json();
    machine.apply();
    machine.file("conf", "drifted");
    const [problem] = machine.problems(6, "apply", "site.yaml", "--yes");
    expect(problem).toMatchObject({ code: "awaits-confirm", detail: expect.stringContaining(`setpoint confirm ${run}`) });
    expect(machine.read("conf")).toBe("drifted");
    machine.run(0, "confirm");
    machine.apply();
    expect(machine.read("conf")).toBe("new");
  });

  test("can be reverted by hand, and then there is nothing to confirm", async () => {
    const machine = ended(site());
    machine.apply(...within(60_000));
    machine.revert();
    expect(machine.run(1, "confirm").stderr).toContain("somebody reverted it");
    await vi.waitFor(() => expect(reverters(machine)).toEqual([]), patient);
  });

  test("is known from the journals alone", () => {
    const machine = ended(site());
    const { run } = machine.apply(...within(60_000), "--json").json();
    rmSync(`${machine.state}/ledger`);
    expect((machine.run(0, "status", "--json").json().stacks as { confirm: object }[])[0]?.confirm).toMatchObject({ run });
    machine.run(0, "confirm");
  });
});

describe("words", () => {
  test.each([
    [["apply", "site.yaml", "--yes", "--confirm-within", "soon"], "confirm-within"],
    [["apply", "site.yaml", "--yes", "--confirm-within", "0"], "above 0"],
    [["confirm", "--wait"], "--overdue"],
  ])("%j is a mistake of the command line", (argv, says) => {
    const ran = site().run(64, ...argv);
    expect(ran.stderr).toContain(says);
  });

  test("the unit runs this program on this state directory", () => {
    const machine = story();
    const unit = machine.run(0, "confirm", "--print-unit").stdout;
    expect(unit).toContain(`confirm --overdue --wait --state-dir ${machine.state}\n`);
    expect(machine.run(0, "confirm", "--print-unit", "--json").json()).toMatchObject({ name: "setpoint-confirm.service", unit });
  });
});

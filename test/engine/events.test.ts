import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/core/index.ts";
import { dueRuns, eventsOf } from "../../src/engine/index.ts";
import type { RunLine, RunState, StepState } from "../../src/journal/index.ts";

/** Three resources, of which the first two are told of; step n is resource n. */
const plan = {
  stack: "a",
  resources: ["file:/0", "file:/1", "file:/2"].map((address) => ({ address })),
  settings: [0, 1, 2].map((by) => ({ by })),
  changes: [
    { n: 0, settings: [0] },
    { n: 2, settings: [2] },
  ],
  steady: [{ n: 1, settings: [1] }],
  events: { log: "file:///log", emits: { ready: ["file:/0", "file:/1"], other: ["file:/1"] } },
} as unknown as Plan;

const done: StepState = { status: "done", outcome: "set", attempt: 1, acted: true };
const found: StepState = { status: "done", outcome: "already", attempt: 0 };

function run(status: RunState["status"], steps: readonly StepState[], more: Partial<RunState> = {}): RunState {
  return { run: "r1", stack: "a", status, ended: 7, steps: new Map(steps.map((step, n) => [n, step])), ...more } as RunState;
}

describe("what a run tells", () => {
  test("an event for what it set, with an id that is the same whenever it is asked for", () => {
    const [event, ...more] = eventsOf(plan, run("applied", [done]));
    expect(more).toEqual([]);
    expect(event).toEqual({
      id: event?.id,
      name: "ready",
      stack: "a",
      run: "r1",
      correlation: "a/r1",
      at: 7,
      data: { changed: ["file:/0"] },
    });
    expect(eventsOf(plan, run("applied", [done]))).toEqual([event]);
    const ids = [event, ...eventsOf({ ...plan, stack: "b" }, run("applied", [done], { stack: "b" } as never))].map((one) => one?.id);
    expect(new Set(ids).size).toBe(2);
  });

  test("nothing for what it found already as declared", () => {
    expect(eventsOf(plan, run("applied", [found, found]))).toEqual([]);
  });

  test("that it was taken back, under the id of what it takes back and the correlation of what made it due", () => {
    const cause = { event: "e0", name: "go", correlation: "z/r0" };
    const [told] = eventsOf(plan, run("applied", [done], { cause }));
    const [failed] = eventsOf(plan, run("reverted", [{ ...done, status: "undone" }], { cause }));
    expect(failed).toMatchObject({ name: "ready.failed", correlation: "z/r0", data: { of: told?.id, because: "e0" } });
    expect(failed?.id).not.toBe(told?.id);
  });

  test("what a run that was cut off may have set counts as set", () => {
    expect(eventsOf(plan, run("superseded", [{ ...done, status: "intended" }]))).toHaveLength(1);
    expect(eventsOf(plan, run("superseded", [{ ...done, status: "failed" }]))).toEqual([]);
  });
});

describe("when it is told", () => {
  const line = (run: string, status: string, more: object = {}) => ({ run, stack: "a", status, exit: 0, emits: true, ...more }) as RunLine;
  const due = (lines: readonly RunLine[], inSync?: string) => dueRuns(lines, () => false, inSync).map((one) => `${one.run} ${one.as}`);

  test("once it came through or was taken back, in the order of the runs", () => {
    expect(due([line("2", "reverted"), line("1", "applied"), line("3", "halted"), line("4", "interrupted")])).toEqual([
      "1 done",
      "2 failed",
    ]);
    expect(dueRuns([line("1", "applied")], ({ run, as }) => run === "1" && as === "done")).toEqual([]);
  });

  test("of a run that was superseded or is not verified, when its stack was seen as declared", () => {
    const lines = [line("1", "superseded"), line("2", "applied", { exit: 9 })];
    expect(due(lines)).toEqual([]);
    expect(due(lines, "a")).toEqual(["1 done", "2 done"]);
    expect(due(lines, "b")).toEqual([]);
    expect(due([...lines, line("3", "applied")])).toEqual(["1 done", "2 done", "3 done"]);
  });

  test("of a run that awaits its confirmation, when it has that", () => {
    const confirm = { within: 1, at: 0, mono: 0, boot: "", acted: true };
    expect(due([line("1", "applied", { confirm })])).toEqual([]);
    expect(due([line("1", "applied", { confirm: { ...confirm, confirmed: 5 } })])).toEqual(["1 done"]);
  });

  test("not of runs that tell nothing", () => {
    expect(due([line("1", "applied", { emits: undefined })])).toEqual([]);
  });
});

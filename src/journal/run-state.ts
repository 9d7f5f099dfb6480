import { type ActionStatus, Bug, type Receipt, type RunId, type RunKind, type RunStatus, type State } from "../core/index.ts";
import { fromRanges, type JournalRecord } from "./records.ts";

/**
 * Where one action of a run stands, by its records alone.
 *
 *     pending ─ intent ─▶ intended ─ done ─▶ done ─ undo ─▶ undoing ─ clr ─▶ undone
 *        │                   │ fail ▶ failed     └ conflict ▶ kept
 *        │ done(already)     │ conflict ▶ conflict
 *        └───────▶ done      │ answer ▶ done | pending
 *                            └ unknown ▶ unknown ─ answer ─▶ done | pending
 *
 * failed and conflict start again from pending with the next intent. An undo may come from intended, failed and unknown
 * too: whether there is anything to undo is found by reading.
 */
export type StepStatus = "pending" | "intended" | "done" | "failed" | "conflict" | "unknown" | "undoing" | "undone" | "kept";

export interface StepState {
  status: StepStatus;
  outcome?: ActionStatus;
  attempt: number;
  /** Whether an intent was ever recorded: what was found already as desired was not our doing, and is not undone. */
  acted?: true;
  /** Where they are not as the frozen plan says. */
  before?: State;
  after?: State;
  receipt?: { readonly key: string; readonly value: Receipt };
  forget?: string;
  message?: string;
  /** For conflicts: what was found. */
  found?: State;
}

/** A run as its journal tells it. */
export interface RunState {
  readonly run: RunId;
  readonly plan: string;
  readonly stack: string;
  readonly setpoint: string;
  status: RunStatus;
  readonly steps: Map<number, StepState>;
  readonly began: number;
  ended: number;
  exit: number | undefined;
  /** Whether undoing has begun. */
  back: boolean;
  /** The command that came last to it. */
  kind: RunKind;
}

const MAY: { readonly [event: string]: readonly StepStatus[] } = {
  // A debt that a revert makes due again is discharged after it was done or undone.
  intent: ["pending", "failed", "conflict", "intended", "unknown", "done", "undone"],
  done: ["pending", "intended", "failed", "conflict", "unknown"],
  fail: ["pending", "intended", "failed", "conflict", "unknown", "undoing", "done", "kept"],
  unknown: ["pending", "intended", "unknown"],
  undo: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict"],
  clr: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict", "pending"],
  answer: ["unknown", "intended"],
};

/** The step's state after an event; a transition that is not in the drawing is a Bug (I30). */
function move(state: RunState, n: number, event: keyof typeof MAY & string, to: StepStatus): StepState {
  const step = state.steps.get(n) ?? { status: "pending" as StepStatus, attempt: 0 };
  if (!MAY[event]?.includes(step.status)) throw new Bug(`action ${n} of ${state.run} cannot go from ${step.status} by ${event}`);
  step.status = to;
  state.steps.set(n, step);
  return step;
}

/** Folds the records of a journal; undefined where there is no `begin`. */
export function runState(records: readonly JournalRecord[]): RunState | undefined {
  const [begin] = records;
  if (begin?.t !== "begin") return undefined;
  const state: RunState = {
    run: begin.run,
    plan: begin.plan,
    stack: begin.stack,
    setpoint: begin.setpoint,
    status: "interrupted",
    steps: new Map(),
    began: begin.at,
    ended: begin.at,
    exit: undefined,
    back: false,
    kind: "apply",
  };
  for (const record of records) take(state, record);
  return state;
}

/** Takes one more record into the state. */
export function take(state: RunState, record: JournalRecord): void {
  state.ended = record.at;
  switch (record.t) {
    case "begin":
    case "kept":
      return;
    case "resume":
      state.kind = "resume";
      state.status = "interrupted";
      state.exit = undefined;
      return;
    case "revert":
      state.kind = "revert";
      state.status = "interrupted";
      state.exit = undefined;
      state.back = true;
      return;
    case "intent":
      if ("n" in record) {
        for (const n of fromRanges(record.n)) {
          const step = move(state, n, "intent", "intended");
          step.attempt += 1;
          step.acted = true;
        }
      } else
        Object.assign(move(state, record.action, "intent", "intended"), {
          before: record.before,
          after: record.after,
          attempt: record.attempt,
          acted: true,
        });
      return;
    case "done":
      if ("n" in record) for (const n of fromRanges(record.n)) move(state, n, "done", "done").outcome = record.outcome;
      else {
        const step = move(state, record.action, "done", "done");
        step.outcome = record.outcome;
        if (record.receipt) step.receipt = record.receipt;
      }
      return;
    case "fail": {
      const before = state.steps.get(record.action)?.status ?? "pending";
      const step = move(state, record.action, "fail", state.back ? before : "failed");
      step.outcome = "failed";
      step.message = record.message;
      return;
    }
    case "unknown":
      move(state, record.action, "unknown", "unknown").message = record.why;
      return;
    case "answer": {
      const step = move(state, record.action, "answer", record.happened ? "done" : "pending");
      if (record.happened) step.outcome = "found";
      if (record.receipt) step.receipt = record.receipt;
      return;
    }
    case "conflict": {
      const step = state.steps.get(record.action) ?? { status: "pending" as StepStatus, attempt: 0 };
      step.status = record.phase === "forward" ? "conflict" : "kept";
      step.outcome = "conflict";
      step.found = record.found;
      state.steps.set(record.action, step);
      return;
    }
    case "refold": {
      const step = state.steps.get(record.action) ?? { status: "pending" as StepStatus, attempt: 0 };
      state.steps.set(record.action, { ...step, before: record.found, after: record.after });
      return;
    }
    case "undo":
      if ("n" in record) for (const n of fromRanges(record.n)) move(state, n, "undo", "undoing");
      else move(state, record.action, "undo", "undoing");
      return;
    case "clr":
      if ("n" in record) for (const n of fromRanges(record.n)) move(state, n, "clr", "undone").outcome = record.outcome;
      else {
        const step = move(state, record.action, "clr", "undone");
        step.outcome = record.outcome;
        if (record.forget !== undefined) step.forget = record.forget;
      }
      return;
    case "end":
      state.status = record.state;
      state.exit = record.exit;
      return;
  }
}

/** Whether something may still have to be done for a run: no other run of its stack may begin. */
export function isOpen(status: RunStatus): boolean {
  return status === "applying" || status === "halted" || status === "interrupted" || status === "reverting" || status === "revert-halted";
}

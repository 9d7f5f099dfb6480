import {
  type ActionStatus,
  type BreakerState,
  Bug,
  type Cause,
  type Digest,
  type JsonObject,
  type Receipt,
  type RunId,
  type RunKind,
  type RunStatus,
  type State,
} from "../core/index.ts";
import { fromRanges, type JournalRecord, type Ranges } from "./records.ts";

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
  /** How often its undoing was begun. */
  undos?: number;
  /** Its undoing was begun before anybody knew whether it had happened: a compensation waits until that is known. */
  doubtful?: true;
  /** Whether an intent was ever recorded: what was found already as desired was not our doing, and is not undone. */
  acted?: true;
  /** Where they are not as the frozen plan says. */
  before?: State;
  after?: State;
  receipt?: { readonly key: string; readonly value: Receipt };
  forget?: string;
  /** With `forget`: how often the effect was compensated by now. */
  generation?: number;
  /** For an effect: wall ms when its request was first sent, until it is known that it was not executed. */
  sentAt?: number;
  /** Where the other side's log ended before that. */
  mark?: JsonObject;
  /** For `failed`: whether something may have changed all the same. */
  mutated?: "no" | "maybe";
  message?: string;
  /** Of a participant of a two-phase transaction that was decided to be committed: what it answered to being prepared. */
  answer?: Digest;
  /** For conflicts: what was found. */
  found?: State;
}

/** Of a run that is to be reverted unless it is confirmed. */
export interface Confirmation {
  /** How long, in ms. */
  readonly within: number;
  /** From when that counts: wall ms, and ms since boot of which boot. The end of its last command, or where that died its begin. */
  readonly at: number;
  readonly mono: number;
  readonly boot: string;
  /** Whether an action was ever begun: without one there is nothing to revert. */
  readonly acted: boolean;
  /** When it was confirmed. */
  readonly confirmed?: number;
  /** It is undone because nobody confirmed it in time. */
  readonly unconfirmed?: true;
}

/** A run as its journal tells it. */
export interface RunState {
  readonly run: RunId;
  readonly plan: string;
  readonly stack: string;
  readonly setpoint: string;
  status: RunStatus;
  readonly steps: Map<number, StepState>;
  /** The circuit breakers that opened or closed. */
  readonly breakers: Map<string, BreakerState>;
  /** What was decided about each transaction, until that is through. */
  readonly transactions: Map<string, "commit" | "abort">;
  /** Transactions whose check passed. */
  readonly checked: Set<string>;
  /** The turn of the command that came last to it; 0 in a journal of before turns were counted. */
  turn: number;
  /** The steps whose registers hold a secret; undefined where the journal is of before that was said. */
  readonly sensitive: Ranges | undefined;
  readonly began: number;
  ended: number;
  exit: number | undefined;
  /** Whether undoing has begun. */
  back: boolean;
  /** The command that came last to it. */
  kind: RunKind;
  confirm?: Confirmation;
  /** The event that made it due. */
  readonly cause?: Cause;
}

const MAY: { readonly [event: string]: readonly StepStatus[] } = {
  // A debt that a revert makes due again is discharged after it was done or undone.
  intent: ["pending", "failed", "conflict", "intended", "unknown", "done", "undone"],
  done: ["pending", "intended", "failed", "conflict", "unknown"],
  fail: ["pending", "intended", "failed", "conflict", "unknown", "undoing", "done", "kept"],
  unknown: ["pending", "intended", "unknown", "failed", "undoing"],
  undo: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict"],
  clr: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict", "pending"],
  answer: ["unknown", "intended"],
  conflict: ["pending", "intended", "failed", "conflict", "unknown", "done", "undone"],
  keep: ["done", "intended", "failed", "unknown", "undoing", "kept", "conflict"],
  // What a revert owes a run is due once more, whatever became of the first time.
  refold: ["pending", "intended", "failed", "conflict", "unknown", "done", "undone"],
};

/** From where a command may take up a run; a revert that began is gone on with by a revert alone. */
const MAY_TAKE_UP: { readonly [kind in "resume" | "revert"]: readonly RunStatus[] } = {
  resume: ["applying", "interrupted", "halted"],
  revert: ["applying", "interrupted", "halted", "applied", "superseded", "reverting", "revert-halted", "reverted"],
};

/** How a run may end, by whether undoing has begun. */
const MAY_END: { readonly [way in "forward" | "back"]: readonly RunStatus[] } = {
  forward: ["applied", "halted", "superseded", "abandoned"],
  back: ["reverted", "revert-halted", "abandoned"],
};

/** The step's state after an event; a transition that is not in the drawing is a Bug (I30). */
function move(state: RunState, n: number, event: keyof typeof MAY & string, to: StepStatus): StepState {
  const step = state.steps.get(n) ?? { status: "pending" as StepStatus, attempt: 0 };
  if (!MAY[event]?.includes(step.status)) throw new Bug(`action ${n} of ${state.run} cannot go from ${step.status} by ${event}`);
  step.status = to;
  state.steps.set(n, step);
  return step;
}

function undoing(state: RunState, n: number): StepState {
  const step = move(state, n, "undo", "undoing");
  step.undos = (step.undos ?? 0) + 1;
  return step;
}

/** Whether a step may have happened, as far as its records tell. */
function isDoubtful(step: StepState | undefined): boolean {
  if (step?.status === "failed") return step.mutated !== "no";
  return step?.status === "intended" || step?.status === "unknown" || step?.doubtful === true;
}

/** A transition of the run that is not in the tables is a Bug (I30). */
function takeUp(state: RunState, kind: "resume" | "revert"): void {
  if (!MAY_TAKE_UP[kind].includes(state.status) || (kind === "resume" && state.back))
    throw new Bug(`${state.run} is ${state.status}${state.back ? ", on its way back" : ""}: no ${kind} can begin`);
  state.kind = kind;
  state.status = "interrupted";
  state.exit = undefined;
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
    breakers: new Map(),
    transactions: new Map(),
    checked: new Set(),
    turn: 0,
    sensitive: begin.sensitive ?? (begin.turn === undefined ? undefined : []),
    began: begin.at,
    ended: begin.at,
    exit: undefined,
    back: false,
    kind: "apply",
    ...(begin.cause && { cause: begin.cause }),
    ...(begin.confirm && { confirm: { ...begin.confirm, at: begin.at, mono: begin.mono, boot: begin.boot, acted: false } }),
  };
  for (const record of records) take(state, record);
  return state;
}

/** Takes one more record into the state. */
export function take(state: RunState, record: JournalRecord): void {
  if (record.turn !== undefined) state.turn = record.turn;
  // A confirmation comes after the end, and does not move it.
  if (record.t !== "confirm") state.ended = record.at;
  switch (record.t) {
    case "begin":
    case "kept":
      return;
    case "confirm":
      if (state.confirm) state.confirm = { ...state.confirm, confirmed: record.at };
      return;
    case "resume":
      if (state.confirm) state.confirm = { ...state.confirm, at: record.at, mono: record.mono, boot: record.boot };
      takeUp(state, "resume");
      return;
    case "revert":
      takeUp(state, "revert");
      state.back = true;
      if (state.confirm && record.unconfirmed) state.confirm = { ...state.confirm, unconfirmed: true };
      return;
    case "intent":
      if (state.confirm?.acted === false) state.confirm = { ...state.confirm, acted: true };
      if ("n" in record) {
        for (const n of fromRanges(record.n)) {
          const step = move(state, n, "intent", "intended");
          step.attempt += 1;
          step.acted = true;
        }
      } else {
        const step = move(state, record.action, "intent", "intended");
        Object.assign(step, { before: record.before, after: record.after, attempt: record.attempt, acted: true });
        delete step.answer; // it was of the attempt before
      }
      return;
    case "done":
      if ("n" in record) for (const n of fromRanges(record.n)) move(state, n, "done", "done").outcome = record.outcome;
      else {
        const step = move(state, record.action, "done", "done");
        step.outcome = record.outcome;
        if (record.receipt) step.receipt = record.receipt;
        delete step.sentAt;
      }
      return;
    case "fail": {
      const before = state.steps.get(record.action)?.status ?? "pending";
      const isBack = state.back || record.phase === "back";
      const step = move(state, record.action, "fail", isBack ? before : "failed");
      step.outcome = "failed";
      step.message = record.message;
      // That an undo certainly did nothing tells nothing of what is to be undone.
      if (isBack) return;
      step.mutated = record.mutated;
      if (record.mutated === "no") delete step.sentAt;
      return;
    }
    case "sent": {
      const step = state.steps.get(record.action);
      if (step?.status !== "intended" && step?.status !== "undoing")
        throw new Bug(`action ${record.action} of ${state.run} was sent without an intent`);
      if (step.sentAt !== undefined) return;
      step.sentAt = record.at;
      if (record.mark === undefined) delete step.mark;
      else step.mark = record.mark;
      return;
    }
    case "decide":
      if (record.to === "checked") {
        state.checked.add(record.transaction);
        return;
      }
      if (record.to !== "commit") state.checked.delete(record.transaction);
      if (record.to === "retry") state.transactions.delete(record.transaction);
      else state.transactions.set(record.transaction, record.to);
      for (const [action, answer] of Object.entries(record.answers ?? {})) Object.assign(state.steps.get(Number(action)) ?? {}, { answer });
      return;
    case "breaker":
      state.breakers.set(record.origin, record.state);
      return;
    case "unknown":
      move(state, record.action, "unknown", "unknown").message = record.why;
      return;
    case "answer": {
      const step = move(state, record.action, "answer", record.happened ? "done" : "pending");
      if (record.happened) step.outcome = "found";
      delete step.sentAt;
      delete step.doubtful;
      if (record.receipt) step.receipt = record.receipt;
      return;
    }
    case "conflict": {
      const isForward = record.phase === "forward";
      const step = move(state, record.action, isForward ? "conflict" : "keep", isForward ? "conflict" : "kept");
      step.outcome = "conflict";
      step.found = record.found;
      return;
    }
    case "refold": {
      const { status = "pending" } = state.steps.get(record.action) ?? {};
      Object.assign(move(state, record.action, "refold", status), { before: record.found, after: record.after });
      return;
    }
    case "undo":
      if ("n" in record) for (const n of fromRanges(record.n)) undoing(state, n);
      else {
        const doubtful = isDoubtful(state.steps.get(record.action)) && record.happened !== true;
        const step = undoing(state, record.action);
        if (doubtful) step.doubtful = true;
        else delete step.doubtful;
      }
      return;
    case "clr":
      if ("n" in record) for (const n of fromRanges(record.n)) move(state, n, "clr", "undone").outcome = record.outcome;
      else {
        const step = move(state, record.action, "clr", "undone");
        step.outcome = record.outcome;
        if (record.forget !== undefined) step.forget = record.forget;
        if (record.generation !== undefined) step.generation = record.generation;
        delete step.sentAt;
        delete step.doubtful;
      }
      return;
    case "end":
      if (!MAY_END[state.back ? "back" : "forward"].includes(record.state))
        throw new Bug(`${state.run} cannot end as ${record.state}${state.back ? " on its way back" : ""}`);
      state.status = record.state;
      state.exit = record.exit;
      // The process that began or resumed it wrote this, in the same boot; who supersedes it may be of another.
      if (state.confirm && record.state !== "superseded") state.confirm = { ...state.confirm, at: record.at, mono: record.mono };
      return;
  }
}

/** Whether something may still have to be done for a run: no other run of its stack may begin. */
export function isOpen(status: RunStatus): boolean {
  return status === "applying" || status === "halted" || status === "interrupted" || status === "reverting" || status === "revert-halted";
}

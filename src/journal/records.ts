import type { ActionStatus, BreakerState, Cause, Digest, JsonObject, Receipt, RunId, RunStatus, State } from "../core/index.ts";

/** Ranges of step numbers of the frozen plan: [from, to, from, to, …], both ends included. */
export type Ranges = readonly number[];

/** What every record carries. */
export interface Framed {
  /** Version of the record's type. */
  readonly v: 1;
  readonly seq: number;
  /** Wall ms: information only. */
  readonly at: number;
  /** ms since boot. */
  readonly mono: number;
  /** The highest seq known to be durable when this one was written. */
  readonly d: number;
  /**
   * On the first record that a command writes to a journal: its place among all that ever wrote to this state directory,
   * from 1. So the order over several journals does not hang on the clock. Journals of 0.1.0 have none.
   */
  readonly turn?: number;
}

export interface Begin {
  readonly t: "begin";
  readonly run: RunId;
  readonly plan: string;
  /** The steps whose registers hold, or once held, a secret. */
  readonly sensitive?: Ranges;
  readonly stack: string;
  readonly setpoint: string;
  readonly boot: string;
  /** The run is to be reverted unless it is confirmed within so many ms. In this record, so that no run is ever begun half-armed. */
  readonly confirm?: { readonly within: number };
  /** The event that made the run due. In this record, so that an event is known to be in hand from the run's first byte on. */
  readonly cause?: Cause;
}
/** A new process goes on with the run. */
export interface Resume {
  readonly t: "resume";
  readonly setpoint: string;
  readonly boot: string;
}
/** About to act: many as planned, or one with what is its own. Durable before the first mutation (W1). */
export type Intent = { readonly t: "intent" } & (
  | { readonly n: Ranges }
  | { readonly action: number; readonly before: State; readonly after: State; readonly attempt: number; readonly key?: string }
);
/** The request of an effect is about to leave, under this key. Durable before it does. */
export interface Sent {
  readonly t: "sent";
  readonly action: number;
  readonly key: string;
  /** Where the other side's log ended before. */
  readonly mark?: JsonObject;
}
/** What becomes of a transaction: `abort` before the first undo, `commit` before the first commit, `retry` once an abort is through. */
export interface Decide {
  readonly t: "decide";
  readonly transaction: string;
  /** `checked`: all of it is set, and its check passed. */
  readonly to: "commit" | "abort" | "retry" | "checked";
  /** With `commit`: what participants answered to being prepared, by action; what ends them may need it. */
  readonly answers?: { readonly [action: string]: Digest };
}
/** A circuit breaker that opened or closed. */
export interface Breaker {
  readonly t: "breaker";
  readonly origin: string;
  readonly state: BreakerState;
}
export type Done = { readonly t: "done" } & (
  | { readonly n: Ranges; readonly outcome: "set" | "already" | "found" }
  | {
      readonly action: number;
      readonly outcome: "set" | "already" | "found";
      readonly receipt?: { readonly key: string; readonly value: Receipt };
    }
);
export interface Fail {
  readonly t: "fail";
  readonly action: number;
  readonly class: string;
  readonly message: string;
  readonly mutated: "no" | "maybe";
  /** It failed while it was taken back. */
  readonly phase?: "back";
}
/** In doubt, and nobody here can tell. */
export interface Unknown {
  readonly t: "unknown";
  readonly action: number;
  readonly why: string;
}
export interface Revert {
  readonly t: "revert";
  readonly setpoint: string;
  readonly boot: string;
  /** It is undone because nobody confirmed it in time; for people. */
  readonly unconfirmed?: true;
}
export type Undo = { readonly t: "undo" } & (
  | { readonly n: Ranges }
  | {
      readonly action: number;
      readonly expect: State;
      readonly restore: State;
      /** What was in doubt was sent once more under its key: it has happened now, and its undo is next. */
      readonly happened?: true;
    }
);
export type Clr = { readonly t: "clr" } & (
  | { readonly n: Ranges; readonly outcome: "restored" | "already" }
  | {
      readonly action: number;
      readonly outcome: "restored" | "already" | "compensated" | "skipped";
      readonly forget?: string;
      readonly generation?: number;
    }
);
export interface Conflict {
  readonly t: "conflict";
  readonly action: number;
  readonly found: State;
  readonly phase: "forward" | "back";
}
/** A tentative step folded again right before its turn; from here on these are its ends. */
export interface Refold {
  readonly t: "refold";
  readonly action: number;
  readonly found: State;
  readonly after: State;
}
/** What the user said of an effect in doubt; where it happened, with its receipt. */
export interface Answer {
  readonly t: "answer";
  readonly action: number;
  readonly happened: boolean;
  readonly receipt?: { readonly key: string; readonly value: Receipt };
}
/** The run is permanent: nothing reverts it by itself any more. A reader that knows no confirmation reverts nothing by itself either. */
export interface Confirm {
  readonly t: "confirm";
  readonly opt: true;
}
export interface End {
  readonly t: "end";
  readonly state: RunStatus;
  readonly exit: number;
  readonly counts: { readonly [status in ActionStatus]?: number };
}
/** What the ledger is rebuilt from once the journals it came from are gone. */
export interface Kept {
  readonly t: "kept";
  readonly line: string;
}

export type RecordBody =
  | Begin
  | Resume
  | Intent
  | Sent
  | Breaker
  | Decide
  | Done
  | Fail
  | Unknown
  | Revert
  | Undo
  | Clr
  | Conflict
  | Refold
  | Answer
  | Confirm
  | End
  | Kept;
export type JournalRecord = RecordBody & Framed;

/** Which record types this version knows; another one is refused by name. */
export const RECORD_TYPES: ReadonlySet<string> = new Set<RecordBody["t"]>([
  "begin",
  "resume",
  "intent",
  "sent",
  "breaker",
  "decide",
  "done",
  "fail",
  "unknown",
  "revert",
  "undo",
  "clr",
  "conflict",
  "refold",
  "answer",
  "confirm",
  "end",
  "kept",
]);

/** Numbers in ascending order as ranges. */
export function toRanges(numbers: readonly number[]): Ranges {
  const ranges: number[] = [];
  for (const n of numbers) {
    const last = ranges.length - 1;
    if (last > 0 && ranges[last] === n - 1) ranges[last] = n;
    else ranges.push(n, n);
  }
  return ranges;
}

/** The numbers that ranges stand for. */
export function* fromRanges(ranges: Ranges): Generator<number> {
  for (let index = 0; index + 1 < ranges.length; index += 2) {
    for (let n = ranges[index] as number; n <= (ranges[index + 1] as number); n++) yield n;
  }
}

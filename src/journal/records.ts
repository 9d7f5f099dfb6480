import type { ActionStatus, Receipt, RunId, RunStatus, State } from "../core/index.ts";

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
}

export interface Begin {
  readonly t: "begin";
  readonly run: RunId;
  readonly plan: string;
  readonly stack: string;
  readonly setpoint: string;
  readonly boot: string;
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
  | { readonly action: number; readonly before: State; readonly after: State; readonly attempt: number }
);
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
}
export type Undo = { readonly t: "undo" } & (
  | { readonly n: Ranges }
  | { readonly action: number; readonly expect: State; readonly restore: State }
);
export type Clr = { readonly t: "clr" } & (
  | { readonly n: Ranges; readonly outcome: "restored" | "already" }
  | { readonly action: number; readonly outcome: "restored" | "already" | "compensated" | "skipped"; readonly forget?: string }
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

export type RecordBody = Begin | Resume | Intent | Done | Fail | Unknown | Revert | Undo | Clr | Conflict | Refold | Answer | End | Kept;
export type JournalRecord = RecordBody & Framed;

/** Which record types this version knows; another one is refused by name. */
export const RECORD_TYPES: ReadonlySet<string> = new Set<RecordBody["t"]>([
  "begin",
  "resume",
  "intent",
  "done",
  "fail",
  "unknown",
  "revert",
  "undo",
  "clr",
  "conflict",
  "refold",
  "answer",
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

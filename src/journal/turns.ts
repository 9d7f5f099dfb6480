import { type Plan, type RunId, SystemFault } from "../core/index.ts";
import type { Ledger } from "./ledger.ts";
import { recordRun, recordUnreadable } from "./record-run.ts";
import type { JournalRecord } from "./records.ts";
import { type RunState, runState, take } from "./run-state.ts";

/** What one command wrote to the journal of one run. */
export interface Turn {
  /** Its place among all; 0 for all that was written before turns were counted. */
  readonly turn: number;
  readonly run: RunId;
  readonly records: readonly JournalRecord[];
  /** Where it ends in the journal, in bytes. */
  readonly end: number;
}

/** A journal that can be read, and what its run froze. */
export interface ToldRun {
  readonly run: RunId;
  readonly records: readonly JournalRecord[];
  /** Where each record ends, in bytes. */
  readonly ends: readonly number[];
  plan(): Plan;
}

/** A journal, cut where another command went on with it. */
export function turnsOf({ run, records, ends }: Pick<ToldRun, "run" | "records" | "ends">): readonly Turn[] {
  const starts = records.flatMap((record, index) => (index === 0 || record.turn !== undefined ? [index] : []));
  return starts.map((start, place) => {
    const next = starts[place + 1] ?? records.length;
    return { turn: records[start]?.turn ?? 0, run, records: records.slice(start, next), end: ends[next - 1] as number };
  });
}

/** Turns of several journals in the order in which they were taken. */
export function inTurn(turns: readonly Turn[]): readonly Turn[] {
  return [...turns].sort((a, b) => a.turn - b.turn || (a.run < b.run ? -1 : a.run > b.run ? 1 : a.end - b.end));
}

/**
 * Takes into the ledger what it does not know yet of these runs: turn by turn, as the ledger that was kept all along took it.
 * So it comes to the same bytes, whichever of them are news. A run without its plan is taken as one that cannot be read.
 */
export function takeNews(ledger: Ledger, runs: readonly ToldRun[]): void {
  const byId = new Map(runs.map((told) => [told.run, told]));
  const known = new Map(runs.map(({ run, ends }) => [run, knownOf(ledger, run, ends.at(-1) ?? 0)]));
  const states = new Map<RunId, RunState>();
  for (const turn of inTurn(runs.flatMap(turnsOf))) {
    const state = grown(states.get(turn.run), turn);
    if (state === undefined) continue;
    states.set(turn.run, state);
    if (turn.end > (known.get(turn.run) as number)) takeTurn(ledger, byId.get(turn.run) as ToldRun, state, turn.end);
  }
}

/** How much of a journal the ledger knows. A shorter one took the place of a damaged one, and is news from its start. */
function knownOf(ledger: Ledger, run: RunId, length: number): number {
  const size = ledger.runs.get(run)?.size ?? 0;
  return size > length ? 0 : size;
}

function grown(state: RunState | undefined, { records }: Turn): RunState | undefined {
  if (state === undefined) return runState(records);
  for (const record of records) take(state, record);
  return state;
}

function takeTurn(ledger: Ledger, told: ToldRun, state: RunState, size: number): void {
  try {
    recordRun(ledger, told.plan(), state, size);
  } catch (thrown) {
    // One run without its plan must not keep all others from going on.
    if (!(thrown instanceof SystemFault)) throw thrown;
    recordUnreadable(ledger, told.run, state.stack, state, state.status);
  }
}

import { isKeyed, type Plan, type Register, type RegisterId, type RunId, registerId, type State, type Step } from "../core/index.ts";
import { fromRanges, inTurn, type JournalRecord, type RunState, runState, type ToldRun, take, turnsOf } from "../journal/index.ts";
import { matches } from "./compare.ts";
import { withoutExtras } from "./guard.ts";

/** A moment of the past: a wall time in ms, or when a run had last gone forward. */
export type Moment = { readonly at: number } | { readonly after: RunId };

/** What was known of a register at a moment. */
export interface Known {
  readonly register: Register;
  readonly state: State;
  /** Whether a run set it so, found it so, or took back what it had set. */
  readonly how: "set" | "found" | "undone";
  /** The run that says so, and when. */
  readonly run: RunId;
  readonly stack: string;
  readonly at: number;
  /** The turn in which it said so. */
  readonly turn: number;
  /** It may as well have been in this state: an action was begun, and no record says how it ended. */
  readonly doubt?: State;
  /** What the next run that looked at it found, where that is not what it was: somebody else had changed it. */
  readonly later?: { readonly run: RunId; readonly found: State };
}

/** The journals up to a moment. An `after` that none of them is of gives none. */
export function upTo(runs: readonly ToldRun[], moment: Moment): readonly ToldRun[] {
  const length = "at" in moment ? recordsBefore(moment.at) : recordsThrough(runs, moment.after);
  return runs.flatMap((told) => {
    const count = length(told);
    return count === 0 ? [] : [{ ...told, records: told.records.slice(0, count), ends: told.ends.slice(0, count) }];
  });
}

function recordsBefore(at: number): (told: ToldRun) => number {
  return ({ records }) => {
    const later = records.findIndex((record) => record.at > at);
    return later < 0 ? records.length : later;
  };
}

/** All turns up to the last one in which the run was not being reverted. */
function recordsThrough(runs: readonly ToldRun[], run: RunId): (told: ToldRun) => number {
  const turns = inTurn(runs.flatMap(turnsOf));
  const last = turns.findLastIndex((turn) => turn.run === run && turn.records[0]?.t !== "revert");
  const counts = new Map<RunId, number>();
  for (const turn of turns.slice(0, last + 1)) counts.set(turn.run, (counts.get(turn.run) ?? 0) + turn.records.length);
  return (told) => counts.get(told.run) ?? 0;
}

/** The states of all registers that runs looked at or set up to a moment, by their frozen plans and journals alone. */
export function knownAt(runs: readonly ToldRun[], moment: Moment): ReadonlyMap<RegisterId, Known> {
  const before = upTo(runs, moment);
  const known = new Map<RegisterId, Known>();
  const folds = new Map<RunId, RunFold>();
  for (const { run, records } of inTurn(before.flatMap(turnsOf))) {
    const fold = folds.get(run) ?? new RunFold(runs.find((told) => told.run === run) as ToldRun, known);
    folds.set(run, fold);
    for (const record of records) fold.take(record);
  }
  noteLater(runs, new Set(before.map(({ run }) => run)), known);
  return known;
}

/** What the first run that began after the moment found, where it is something else. */
function noteLater(runs: readonly ToldRun[], begun: ReadonlySet<RunId>, known: Map<RegisterId, Known>): void {
  const told = new Set<RegisterId>();
  for (const { turn, run } of inTurn(runs.flatMap(turnsOf))) {
    const later = runs.find((one) => one.run === run) as ToldRun;
    if (begun.has(run) || later.records[0]?.turn !== (turn === 0 ? undefined : turn)) continue;
    for (const [id, step] of firstSteps(later.plan())) {
      const one = known.get(id);
      if (one === undefined || told.has(id) || step.before.is === "unknown") continue;
      told.add(id);
      if (differs(step.before, one.state) && (one.doubt === undefined || differs(step.before, one.doubt)))
        known.set(id, { ...one, later: { run, found: step.before } });
    }
  }
}

/** Whether somebody else changed it. A content of which only one side stands as a fingerprint tells nothing. */
function differs(found: State, state: State): boolean {
  const comparable = Object.entries(withoutExtras(state, found)).filter(
    ([key, value]) => isKeyed(String(value)) === isKeyed(String(found[key])),
  );
  return !matches(found, Object.fromEntries(comparable) as State, (digest) => digest);
}

/** Each register's first step: later ones begin where the plan itself leads. */
export function firstSteps(plan: Plan): ReadonlyMap<RegisterId, Step> {
  const first = new Map<RegisterId, Step>();
  for (const step of [...plan.changes, ...plan.steady].sort((a, b) => a.n - b.n)) {
    const id = registerId(step.register);
    if (!first.has(id)) first.set(id, step);
  }
  return first;
}

/** One run's records, as what they say of registers. */
class RunFold {
  private readonly told: ToldRun;
  private readonly known: Map<RegisterId, Known>;
  private readonly steps: ReadonlyMap<number, Step & { readonly after?: State }>;
  private state: RunState | undefined;

  constructor(told: ToldRun, known: Map<RegisterId, Known>) {
    this.told = told;
    this.known = known;
    const { changes, steady } = told.plan();
    this.steps = new Map([...changes, ...steady].map((step) => [step.n, step]));
  }

  take(record: JournalRecord): void {
    if (this.state === undefined) this.state = runState([record]);
    else take(this.state, record);
    switch (record.t) {
      case "begin":
        for (const step of firstSteps(this.told.plan()).values())
          if (step.before.is !== "unknown") this.say(step, record.at, step.before, "found");
        return;
      case "intent":
        for (const n of numbersOf(record)) this.doubt(n, record.at, "after");
        return;
      case "done":
        for (const n of numbersOf(record)) this.end(n, record.at, "after", record.outcome === "set" ? "set" : "found");
        return;
      case "answer":
        this.end(record.action, record.at, record.happened ? "after" : "before", record.happened ? "set" : "found");
        return;
      case "fail":
        if (record.mutated === "no" && !this.state?.back) this.end(record.action, record.at, "before", "found");
        return;
      case "undo":
        for (const n of numbersOf(record)) this.doubt(n, record.at, "before");
        return;
      case "clr":
        if (record.outcome === "skipped" && !("forget" in record))
          for (const n of numbersOf(record)) this.end(n, record.at, "after", "set");
        else for (const n of numbersOf(record)) this.end(n, record.at, "before", "undone");
        return;
      case "conflict":
      case "refold":
        this.sayOf(record.action, record.at, record.found, "found");
        return;
      default:
        return;
    }
  }

  private endOf(n: number, end: "before" | "after"): State {
    const step = this.steps.get(n);
    const own = this.state?.steps.get(n);
    const before = own?.before ?? step?.before;
    return (end === "before" ? before : (own?.after ?? step?.after ?? before)) as State;
  }

  private end(n: number, at: number, end: "before" | "after", how: Known["how"]): void {
    this.sayOf(n, at, this.endOf(n, end), how);
  }

  /** It is still as it was, or already as it is to be. */
  private doubt(n: number, at: number, to: "before" | "after"): void {
    const from = to === "after" ? "before" : "after";
    this.sayOf(n, at, this.endOf(n, from), "found", this.endOf(n, to));
  }

  private sayOf(n: number, at: number, state: State, how: Known["how"], doubt?: State): void {
    const step = this.steps.get(n);
    if (step) this.say(step, at, state, how, doubt);
  }

  private say({ register }: Step, at: number, state: State, how: Known["how"], doubt?: State): void {
    const { run } = this.told;
    const stack = this.state?.stack ?? "";
    this.known.set(registerId(register), { register, state, how, run, stack, at, turn: this.state?.turn ?? 0, ...(doubt && { doubt }) });
  }
}

function numbersOf(record: JournalRecord & { readonly t: "intent" | "done" | "undo" | "clr" }): Iterable<number> {
  return "n" in record ? fromRanges(record.n) : [record.action];
}

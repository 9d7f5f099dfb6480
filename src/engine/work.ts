import {
  type ActionResult,
  type Change,
  type Contents,
  type Goal,
  type JsonObject,
  type Plan,
  type Reader,
  type Register,
  type RegisterId,
  type RegisterKind,
  type RunEvent,
  registerId,
  type State,
  type Step,
  type StopSignal,
  type System,
  shownState,
} from "../core/index.ts";
import {
  type Ledger,
  type LockedDirectory,
  type RecordBody,
  type RunFolder,
  type RunJournal,
  type RunState,
  take,
} from "../journal/index.ts";
import type { ContentStore, Remotes, SystemReader } from "../system/index.ts";
import type { FoldParts } from "./fold.ts";
import type { Vault } from "./vault.ts";

/** What every mutating command works with. */
export interface Tools {
  readonly system: System;
  readonly state: LockedDirectory;
  readonly kinds: ReadonlyMap<string, RegisterKind>;
  readonly goals: ReadonlyMap<string, Goal>;
  readonly reader: SystemReader;
  readonly remotes: Remotes;
  readonly contents: ContentStore;
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly setpoint: string;
  /** The facts of the machine, read now. */
  facts(): JsonObject;
  /** The signal that asked to stop, once one did. */
  stopped(): StopSignal | undefined;
  emit(event: RunEvent): void;
}

/** One open run. */
export class Work {
  readonly tools: Tools;
  readonly folder: RunFolder;
  readonly journal: RunJournal;
  readonly plan: Plan;
  readonly run: RunState;
  /** How each action of this command ended, by step number. */
  readonly results = new Map<number, ActionResult>();
  readonly trusting: Reader;
  private total = 0;

  constructor(tools: Tools, folder: RunFolder, journal: RunJournal, plan: Plan, run: RunState) {
    this.tools = tools;
    this.folder = folder;
    this.journal = journal;
    this.plan = plan;
    this.run = run;
    this.trusting = tools.reader.trusting();
  }

  get contents(): Contents {
    return this.tools.contents;
  }

  /** Writes a record, without secrets, and takes it into the run's state. */
  append(body: RecordBody): void {
    this.journal.append(this.tools.vault.seal(body));
    take(this.run, { ...body, v: 1, seq: 0, at: this.tools.system.clock.now(), mono: 0, d: 0 });
  }

  /** The states that a step leads from and to: as planned, or as it was folded again. */
  endsOf(step: Step & Partial<Pick<Change, "after">>): { readonly before: State; readonly after: State } {
    const own = this.run.steps.get(step.n);
    return { before: own?.before ?? step.before, after: own?.after ?? step.after ?? step.before };
  }

  /** All steps by number: changes and steady ones. */
  steps(): ReadonlyMap<number, Step & Partial<Change>> {
    return new Map([...this.plan.changes, ...this.plan.steady].map((step) => [step.n, step]));
  }

  willDo(total: number): void {
    this.total = total;
  }

  /** Reports how an action ended. */
  ended(step: Step, result: Omit<ActionResult, "register">): void {
    const full: ActionResult = { register: registerId(step.register), ...result };
    for (const end of ["before", "after", "found"] as const)
      if (full[end] !== undefined) Object.assign(full, { [end]: shownState(full[end], step.manner) });
    this.results.set(step.n, full);
    this.tools.emit({ type: "action", result: full, done: this.results.size, total: Math.max(this.total, this.results.size) });
  }

  /** What a fold sees while the run goes on: states read now. */
  foldParts(states: ReadonlyMap<RegisterId, State>): FoldParts {
    const changed = new Set<RegisterId>(
      this.plan.changes.filter((change) => this.run.steps.get(change.n)?.status !== "undone").map((change) => registerId(change.register)),
    );
    const counted = new Set(this.tools.ledger.runs.get(this.run.run)?.counted ?? []);
    return {
      goals: this.tools.goals,
      contents: this.tools.contents,
      fingerprint: (digest) => this.tools.vault.fingerprint(digest),
      state: (id) => states.get(id) ?? { is: "absent" },
      sets: (id) => (this.tools.ledger.sets.get(id) ?? 0) + (changed.has(id) && !counted.has(id) ? 1 : 0),
    };
  }
}

/** The registers that the settings of a step look at. */
export function registersRead(plan: Plan, step: Step): readonly Register[] {
  const ids = new Set(step.settings.flatMap((index) => plan.settings[index]?.reads ?? []));
  return [...ids].map((id) => {
    const known = [...plan.changes, ...plan.steady].find((other) => registerId(other.register) === id);
    const colon = id.indexOf(":");
    return known?.register ?? { kind: id.slice(0, colon), key: id.slice(colon + 1) };
  });
}

import {
  type ActionStatus,
  type Change,
  type Digest,
  type Json,
  type Operation,
  type Receipt,
  type Register,
  type RegisterKind,
  registerId,
  type State,
  type Step,
  SystemFault,
} from "../core/index.ts";
import { type StepState, toRanges } from "../journal/index.ts";
import type { Prepared } from "../system/index.ts";
import { keepAnswer } from "./keep.ts";
import { kindOf } from "./read.ts";
import type { Work } from "./work.ts";

/** A step to be set: a change, or a tentative one that was in sync when the plan was made. */
export type Todo = Step &
  Partial<Pick<Change, "after" | "needs" | "label" | "action" | "unknown">> & {
    /** What somebody made of it since is given up, once it is saved: only by name. */
    readonly forced?: true;
  };

export type Direction = "forward" | "back";

/** An action that is decided on: the operations that lead from what was found to where it should be. */
export interface Act {
  readonly step: Todo;
  readonly found: State;
  readonly to: State;
  /** As the frozen plan has them, so that one record can stand for many. */
  readonly asPlanned: boolean;
  readonly operations: readonly Operation[];
  prepared: Prepared[];
  /** Under which an effect's request is sent, and what takes it back. */
  readonly key?: string;
  readonly undoKey?: string;
  /** What the other side answered. */
  answer?: Json;
  /** The first operation only finds out whether it happened, by sending it once more under its key. */
  readonly resends?: true;
  /** Its transaction is decided: it can only be committed any more. */
  decided?: true;
}

/** Whether an action of such a register has records of its own: no range of the plan can stand for it. */
export function standsAlone(kind: RegisterKind, register: Register): boolean {
  return kind.opaque === true || isEffect(kind, register);
}

/** Whether a register's own record is all that tells of its effect. */
export function isEffect(kind: RegisterKind, register: Register): boolean {
  return kind.evidence?.(register) === "journal";
}

/** How a whole pass ended. */
export interface Outcome {
  /** Whether it stopped before its end: a failure under `stop`, or a signal. */
  readonly halted: boolean;
  /** A failed sync: nothing may be done any more in this process (W5). */
  readonly fatal?: SystemFault;
  /** Whether a failed resource asks for the run to be undone. */
  readonly revert: boolean;
  /** A transaction could not be taken back: the run is one that is being reverted now. */
  readonly stuck?: true;
  /** What checks of transactions said against what was set. */
  readonly refused?: readonly string[];
}

/** What a pass writes down: how each action ended, in the journal and in the results, and what waits or stops because of it. */
export class Book {
  readonly work: Work;
  readonly direction: Direction;
  /** Steps that did not end well: what needs them waits. */
  readonly bad = new Set<number>();
  /** Effects that may have been executed by an earlier request: that a later one was certainly not does not end that. */
  private readonly doubtful = new Set<number>();
  private readonly dependents = new Map<number, number[]>();
  /** Steps that are not to be begun any more, and why. */
  readonly dropped = new Map<number, string>();
  /** What checks of transactions said against what was set. */
  readonly refused: string[] = [];
  halted = false;
  wantsRevert = false;

  constructor(work: Work, todo: readonly Todo[], direction: Direction) {
    this.work = work;
    this.direction = direction;
    for (const step of todo) for (const need of step.needs ?? []) this.dependents.set(need, [...(this.dependents.get(need) ?? []), step.n]);
  }

  end(step: Todo, status: ActionStatus, more: { detail?: string; found?: State } = {}): void {
    const { before, after } = this.work.endsOf(step);
    this.work.ended(step, { status, before, after, ...more });
  }

  isBlocked(step: Todo): boolean {
    const why = this.dropped.get(step.n);
    if (why !== undefined) {
      this.bad.add(step.n);
      this.end(step, "blocked", { detail: why });
      return true;
    }
    const blockers = this.direction === "forward" ? (step.needs ?? []) : (this.dependents.get(step.n) ?? []);
    const blocker = blockers.find((n) => this.bad.has(n));
    if (blocker === undefined) return false;
    this.bad.add(step.n);
    this.end(step, "blocked", { detail: `waits for ${this.nameOf(blocker)}` });
    return true;
  }

  private nameOf(n: number): string {
    const step = this.work.steps().get(n);
    return step ? registerId(step.register) : `step ${n}`;
  }

  isInDoubt(status: StepState["status"]): boolean {
    return status === "intended" || status === "failed" || status === "undoing" || status === "unknown";
  }

  /** Whether an effect may have happened of which no outcome is known. */
  isEffectInDoubt(step: Todo): boolean {
    const own = this.work.run.steps.get(step.n);
    if (own === undefined) return false;
    if (own.status === "undoing") return own.doubtful === true;
    return own.status === "intended" || own.status === "unknown" || (own.status === "failed" && own.mutated !== "no");
  }

  /** Notes whether an earlier request of an effect may have been executed, whatever becomes of the next one. */
  mayHaveHappened(step: Todo, may: boolean): void {
    if (may) this.doubtful.add(step.n);
    else this.doubtful.delete(step.n);
  }

  isDoubtful(step: Todo): boolean {
    return this.doubtful.has(step.n);
  }

  /** An effect of which nobody can tell now whether it happened. */
  doubt(step: Todo, why: string): void {
    this.work.append({ t: "unknown", action: step.n, why });
    this.work.journal.sync();
    this.bad.add(step.n);
    this.end(step, "unknown", { detail: why });
  }

  /** On the way back: an effect of which it turned out that it never happened. */
  neverHappened(step: Todo): void {
    this.work.append({ t: "clr", action: step.n, outcome: "already" });
    this.end(step, "already");
  }

  /** On the way back: what was in doubt has happened now. Durable before its undo is sent: it need not be found out again. */
  hasHappened(step: Todo): void {
    const { work } = this;
    const { before, after } = work.endsOf(step);
    work.append({ t: "undo", action: step.n, expect: after, restore: before, happened: true });
    work.journal.sync();
  }

  /** What a revert cannot take back is left, and said. */
  skip(step: Todo): void {
    this.work.append({ t: "clr", action: step.n, outcome: "skipped" });
    this.end(step, "skipped", { detail: "it has no undo, so its effect is left" });
  }

  /** W1: before the first mutation its intent is durable. */
  recordIntents(acts: readonly Act[]): void {
    if (acts.length === 0) return;
    const { work, direction } = this;
    const planned = acts.filter((act) => act.asPlanned).map((act) => act.step.n);
    const n = toRanges(planned.sort((a, b) => a - b));
    if (planned.length > 0) work.append(direction === "forward" ? { t: "intent", n } : { t: "undo", n });
    for (const act of acts) {
      if (act.asPlanned) continue;
      const ends = work.endsOf(act.step);
      if (direction === "forward")
        work.append({
          t: "intent",
          action: act.step.n,
          before: ends.before,
          after: ends.after,
          attempt: (work.run.steps.get(act.step.n)?.attempt ?? 0) + 1,
          ...(act.key !== undefined && { key: act.key }),
        });
      else work.append({ t: "undo", action: act.step.n, expect: ends.after, restore: ends.before });
    }
    work.journal.sync();
  }

  recordDone(acts: readonly Act[]): void {
    const { work, direction } = this;
    const many = acts.filter((act) => act.asPlanned);
    const numbers = toRanges(many.map((act) => act.step.n).sort((a, b) => a - b));
    if (many.length > 0)
      work.append(direction === "forward" ? { t: "done", n: numbers, outcome: "set" } : { t: "clr", n: numbers, outcome: "restored" });
    for (const act of many) this.end(act.step, direction === "forward" ? "set" : "restored");
    for (const act of acts) {
      if (act.asPlanned) continue;
      const effect = act.operations.some((operation) => operation.do === "record");
      if (direction === "back") {
        const kind = kindOf(work.tools.kinds, act.step.register.kind);
        const compensated = kind.opaque === true || isEffect(kind, act.step.register);
        const { key } = act.step.register;
        const generation = kind.effectKey && (work.tools.ledger.generations.get(key) ?? 0) + 1;
        work.append({
          t: "clr",
          action: act.step.n,
          outcome: compensated ? "compensated" : "restored",
          ...(effect && { forget: key }),
          ...(generation !== undefined && { generation }),
        });
        if (effect) {
          work.tools.ledger.receipts.delete(key);
          if (generation !== undefined) work.tools.ledger.generations.set(key, generation);
          work.journal.sync();
        }
        this.end(act.step, compensated ? "compensated" : "restored");
      } else if (effect) this.finishEffect(act.step, act.to, "set", act.answer);
      else {
        work.append({ t: "done", action: act.step.n, outcome: "set" });
        this.end(act.step, "set");
      }
      if (kindOf(work.tools.kinds, act.step.register.kind).opaque) work.tools.reader.forget();
    }
  }

  /** The `done` record of an action on a receipt is the receipt. */
  finishEffect(step: Todo, to: State, outcome: "set" | "found", answer?: Json): void {
    const { work } = this;
    const watched = to.watched as Receipt["watched"];
    const payload = to.payload as Receipt["payload"];
    const value: Receipt = {
      run: work.run.run,
      at: work.tools.system.clock.now(),
      ...(watched && { watched }),
      ...(payload !== undefined && { payload }),
      ...this.answerOf(step, answer),
    };
    const { key } = step.register;
    work.append({ t: "done", action: step.n, outcome, receipt: { key, value } });
    work.journal.sync();
    work.tools.ledger.receipts.set(key, value);
    this.end(step, outcome);
  }

  /** An answer that cannot be kept makes nothing undone of what was done. */
  private answerOf(step: Todo, answer: Json | undefined): { readonly answer?: Digest } {
    if (answer === undefined) return {};
    const { work } = this;
    try {
      return { answer: keepAnswer(work, answer) };
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      work.tools.emit({ type: "note", text: `the answer to ${registerId(step.register)} could not be kept: ${thrown.message}` });
      return {};
    }
  }

  recordSettled(steps: readonly Todo[]): void {
    const { work, direction } = this;
    const effects = steps.filter(
      (step) =>
        standsAlone(kindOf(work.tools.kinds, step.register.kind), step.register) &&
        direction === "forward" &&
        this.isInDoubt(work.run.steps.get(step.n)?.status ?? "pending"),
    );
    for (const step of effects) this.finishEffect(step, work.endsOf(step).after, "found");
    const plain = steps.filter((step) => !effects.includes(step));
    const found = plain.filter((step) => direction === "forward" && this.isInDoubt(work.run.steps.get(step.n)?.status ?? "pending"));
    const already = plain.filter((step) => !found.includes(step) && (direction === "back" || step.action !== undefined));
    const ranges = (list: readonly Todo[]) => toRanges(list.map((step) => step.n).sort((a, b) => a - b));
    if (found.length > 0) work.append({ t: "done", n: ranges(found), outcome: "found" });
    if (already.length > 0)
      work.append(
        direction === "forward"
          ? { t: "done", n: ranges(already), outcome: "already" }
          : { t: "clr", n: ranges(already), outcome: "already" },
      );
    for (const step of found) this.end(step, "found");
    for (const step of already) this.end(step, "already");
  }

  fail(step: Todo, failure: SystemFault): void {
    const { work } = this;
    const isBlocked = failure.code === "breaker-open";
    if (failure.code === "ENOSPC" || failure.code === "EDQUOT") work.folder.dropReserve();
    const message = work.tools.vault.redact(failure.message).slice(0, 8000);
    const mutated = this.doubtful.has(step.n) ? "maybe" : failure.mutated;
    work.append({ t: "fail", action: step.n, class: failure.code, message, mutated, ...(this.direction === "back" && { phase: "back" }) });
    this.bad.add(step.n);
    this.end(step, isBlocked ? "blocked" : "failed", { detail: message });
    this.stopUnlessAllowed(step, isBlocked);
  }

  /** What only waits for its peer (`waits`) stops nothing else. */
  stopUnlessAllowed(step: Todo, waits = false): void {
    if (this.direction === "back") return;
    const { plan } = this.work;
    const policies = step.settings.map((index) => plan.resources[plan.settings[index]?.by ?? -1]?.onFailure);
    if (policies.includes("revert")) this.wantsRevert = true;
    if (!waits && (!policies.every((policy) => policy === "continue") || policies.length === 0)) this.halted = true;
  }
}

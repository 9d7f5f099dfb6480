import { type Change, type PlannedTransaction, registerId, SystemFault } from "../core/index.ts";
import type { Book, Outcome, Todo } from "./pass-book.ts";
import type { Work } from "./work.ts";

/** Takes steps back, in reverse. */
export type TakeBack = (work: Work, todo: readonly Todo[]) => Promise<Outcome>;

const BAD: ReadonlySet<string> = new Set(["failed", "unknown", "conflict", "blocked"]);

/** The changes of a transaction. */
export function membersOf(work: Work, { name }: PlannedTransaction): readonly Change[] {
  const { plan } = work;
  return plan.changes.filter((change) =>
    change.settings.some((index) => plan.resources[plan.settings[index]?.by ?? -1]?.transaction === name),
  );
}

/** Steps that are made apart from others: of a saga each by itself, of a two-phase transaction all together. */
export function unitsOf(work: Work): (step: { readonly n: number }) => string | undefined {
  const units = new Map<number, string>();
  for (const transaction of work.plan.transactions ?? [])
    for (const { n } of membersOf(work, transaction)) units.set(n, transaction.mode === "saga" ? `step ${n}` : transaction.name);
  return ({ n }) => units.get(n);
}

/** What of a transaction was begun and is not taken back. */
function begun(work: Work, transaction: PlannedTransaction): readonly Change[] {
  return membersOf(work, transaction).filter(({ n }) => {
    const own = work.run.steps.get(n);
    return own?.acted === true && own.status !== "undone" && own.status !== "pending" && own.status !== "conflict";
  });
}

/** Sagas of a pass forward: when a member fails, those before it are taken back in reverse (reliability.md §8, Compensation). */
export class Sagas {
  private readonly book: Book;
  private readonly takeBack: TakeBack;
  private readonly ended = new Set<string>();
  private readonly sagas: readonly PlannedTransaction[];

  constructor(book: Book, takeBack: TakeBack) {
    this.book = book;
    this.takeBack = takeBack;
    this.sagas = book.direction === "back" ? [] : (book.work.plan.transactions ?? []);
  }

  /** Looks at how a group ended; takes back what belongs together with what failed. Gives a failure that ends the run. */
  async after(steps: readonly Todo[]): Promise<Outcome | undefined> {
    for (const saga of this.sagas) {
      if (this.ended.has(saga.name)) continue;
      const members = membersOf(this.book.work, saga);
      if (!members.some(({ n }) => steps.some((step) => step.n === n))) continue;
      const { results } = this.book.work;
      // Of a two-phase transaction all or none is made as it is; only its check can speak against it.
      const failed = saga.mode === "saga" && members.some(({ n }) => BAD.has(results.get(n)?.status ?? ""));
      const outcome = await this.settle(saga, members, failed);
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  /** Checks what a process had set that ended before it knew whether the check likes it. Gives a failure that ends the run. */
  async unchecked(): Promise<Outcome | undefined> {
    for (const saga of this.sagas) {
      const outcome = await this.settle(saga, membersOf(this.book.work, saga), false);
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  private async settle(saga: PlannedTransaction, members: readonly Change[], failed: boolean): Promise<Outcome | undefined> {
    if (!failed && !(await this.isRefused(saga, members))) return undefined;
    this.ended.add(saga.name);
    return this.undo(saga, members);
  }

  /** Whether all is set and the transaction's check does not like it. */
  private async isRefused(saga: PlannedTransaction, members: readonly Change[]): Promise<boolean> {
    const { work } = this.book;
    if (saga.check === undefined || !awaitsCheck(work, saga, members)) return false;
    const why = await refusal(work, saga.check);
    if (why === undefined) {
      // Were this lost, it would be asked once more.
      work.append({ t: "decide", transaction: saga.name, to: "checked" });
      return false;
    }
    work.tools.emit({ type: "note", text: `transaction ${saga.name}: ${why}` });
    this.book.refused.push(`transaction ${saga.name}: ${why}`);
    return true;
  }

  private async undo(saga: PlannedTransaction, members: readonly Change[]): Promise<Outcome | undefined> {
    const { book } = this;
    const { work } = book;
    for (const { n } of members) book.dropped.set(n, `transaction ${saga.name} failed`);
    book.halted ||= members.every(({ settings }) =>
      settings.every((index) => work.plan.resources[work.plan.settings[index]?.by ?? -1]?.onFailure !== "continue"),
    );
    const pivot = begun(work, saga).find(({ n, label }) => label === "irreversible" && work.run.steps.get(n)?.status === "done");
    if (pivot !== undefined) {
      work.tools.emit({
        type: "note",
        text: `transaction ${saga.name}: ${registerId(pivot.register)} cannot be taken back, so it only goes on from here (setpoint resume)`,
      });
      return undefined;
    }
    return abortSaga(work, saga, this.takeBack);
  }
}

/** Whether all of a transaction is set, and nobody knows yet whether its check likes that. */
function awaitsCheck({ run }: Work, { name, check }: PlannedTransaction, members: readonly Change[]): boolean {
  if (check === undefined || run.checked.has(name) || members.length === 0) return false;
  return members.every(({ n }) => run.steps.get(n)?.status === "done");
}

/** Why a transaction's check does not like what was set. */
async function refusal(work: Work, argv: readonly string[]): Promise<string | undefined> {
  try {
    const ran = await work.tools.reader.ask({ argv, timeout: 600_000 }, "any");
    if (ran.code === 0) return undefined;
    const said = `${ran.stdout}${ran.stderr}`.trim().slice(-2000);
    return `its check ended with exit code ${ran.code}${said === "" ? "" : `: ${said}`}`;
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    return `its check cannot be run: ${thrown.message}`;
  }
}

/**
 * Takes back what of a saga was begun. That it will is durable first, so that whoever finds the run after a crash goes on with
 * that. Where something cannot be taken back, the whole run is one that is being reverted, and that is its outcome.
 */
export async function abortSaga(work: Work, saga: PlannedTransaction, takeBack: TakeBack): Promise<Outcome | undefined> {
  if (work.run.transactions.get(saga.name) !== "abort") {
    work.append({ t: "decide", transaction: saga.name, to: "abort" });
    work.journal.sync();
  }
  const todo = begun(work, saga);
  const before = new Map(work.results);
  const outcome = todo.length === 0 ? undefined : await takeBack(work, todo);
  if (outcome?.fatal) return outcome;
  const left = todo.filter(({ n }) => work.run.steps.get(n)?.status !== "undone");
  // What failed is what is told; that it was taken back goes without saying.
  for (const { n } of todo) {
    const first = before.get(n);
    if (first !== undefined && BAD.has(first.status) && !left.some((one) => one.n === n)) work.results.set(n, first);
  }
  if (left.length > 0) {
    work.append({ t: "revert", setpoint: work.tools.setpoint, boot: work.tools.system.clock.bootId() });
    work.journal.sync();
    return { halted: true, revert: false, stuck: true };
  }
  work.append({ t: "decide", transaction: saga.name, to: "retry" });
  return undefined;
}

/** Ends what an interrupted process began to take back. Gives the outcome where that did not come to its end. */
export async function finishAborts(work: Work, takeBack: TakeBack): Promise<Outcome | undefined> {
  for (const saga of work.plan.transactions ?? []) {
    if (saga.mode !== "saga" || work.run.transactions.get(saga.name) !== "abort") continue;
    const outcome = await abortSaga(work, saga, takeBack);
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}

/**
 * Takes back the sagas that are neither whole nor past what cannot be taken back, and what is whole and was not checked: another
 * run plans without them.
 */
export async function abortUnfinished(work: Work, takeBack: TakeBack): Promise<Outcome | undefined> {
  for (const saga of work.plan.transactions ?? []) {
    const members = membersOf(work, saga);
    const done = members.filter(({ n }) => work.run.steps.get(n)?.status === "done");
    const isWhole = done.length === members.length && !awaitsCheck(work, saga, members);
    if (
      isWhole ||
      (saga.mode === "two_phase" && done.length < members.length) ||
      begun(work, saga).length === 0 ||
      done.some(({ label }) => label === "irreversible")
    )
      continue;
    const outcome = await abortSaga(work, saga, takeBack);
    if (outcome !== undefined) return outcome;
  }
  return undefined;
}

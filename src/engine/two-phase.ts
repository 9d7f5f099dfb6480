import {
  type Change,
  type Digest,
  type Json,
  type Operation,
  type PlannedTransaction,
  participantKey,
  registerId,
  type SqlOperation,
  SystemFault,
  sha256,
} from "../core/index.ts";
import type { StepState } from "../journal/index.ts";
import { endPrepared, endTriedFor, faultIn, type TryOperation } from "../system/index.ts";
import { keepAnswer } from "./keep.ts";
import { type Act, Book, isEffect } from "./pass-book.ts";
import { kindOf } from "./read.ts";
import { readyRegister } from "./results.ts";
import { membersOf } from "./saga.ts";
import type { Work } from "./work.ts";

/**
 * A participant's name (reliability.md §8.2): the same for whoever goes on with the run, and nobody else's. At most 64 bytes, for
 * MariaDB takes no more.
 */
export function gidOf(work: Pick<Work, "run">, { name }: Pick<PlannedTransaction, "name">, n: number): string {
  return `sp1:${work.run.run}:${sha256(name).slice(0, 12)}:${n}`;
}

/** The class of the failure of one that was told that its transaction was dropped. */
export const DROPPED = "dropped";

/** The two-phase transaction that a step is in. */
export function twoPhaseOf(work: Work, n: number): PlannedTransaction | undefined {
  if (work.plan.transactions === undefined) return undefined;
  const name = work.plan.changes.find((change) => change.n === n)?.transaction;
  return name === undefined ? undefined : work.plan.transactions?.find((one) => one.name === name && one.mode === "two_phase");
}

/** Whether a transaction is decided to be committed: what is left of it only goes forward. */
export function isDecided(work: Work, { name }: PlannedTransaction): boolean {
  return work.run.transactions.get(name) === "commit";
}

/**
 * Has all participants vote, and gives those that can only be committed now. That they will is durable, with what is needed to
 * tell them so: the commit point. None: one failed, all were abandoned, and why is recorded. Presumed abort: a crash before the
 * commit point takes all of them back. What is left of a transaction that was decided before fails by itself.
 */
export async function voted(book: Book, transaction: PlannedTransaction, acts: readonly Act[]): Promise<readonly Act[]> {
  const { work } = book;
  const { name } = transaction;
  const votes = new Map<Act, Digest | undefined>();
  for (const act of acts) {
    try {
      votes.set(act, await vote(work, act));
      if (work.tools.stopped()) throw new SystemFault("stopped", "a signal asked to stop before all had voted");
    } catch (thrown) {
      const failure = faultIn(thrown);
      if (failure === undefined) throw thrown;
      if (isDecided(work, transaction)) {
        votes.delete(act);
        await abandon(work, act);
        book.fail(act.step, withoutDoubt(failure));
        continue;
      }
      work.append({ t: "decide", transaction: name, to: "abort" });
      work.journal.sync();
      for (const one of acts) await abandon(work, one);
      dropAll(book, transaction, acts, { act, failure });
      return [];
    }
  }
  const ready = [...votes.keys()];
  if (ready.length === 0) return [];
  const answers = Object.fromEntries([...votes].flatMap(([{ step }, answer]) => (answer === undefined ? [] : [[step.n, answer]])));
  work.append({ t: "decide", transaction: name, to: "commit", ...(Object.keys(answers).length > 0 && { answers }) });
  work.journal.sync();
  for (const act of ready) act.decided = true;
  return ready;
}

/** Gives what it answered, kept durably: what ends it may need it. Throws SystemFault. */
async function vote(work: Work, act: Act): Promise<Digest | undefined> {
  let kept: Digest | undefined;
  for (const prepared of act.prepared) {
    const answer = (await prepared.vote?.())?.answer;
    if (answer !== undefined) kept = keepAnswer(work, answer);
  }
  return kept;
}

/** It was abandoned, so nothing came of it. */
function withoutDoubt(failure: SystemFault): SystemFault {
  return new SystemFault(failure.code, failure.message, { cause: failure });
}

async function abandon(work: Work, act: Act): Promise<void> {
  for (const prepared of [...act.prepared].reverse()) {
    try {
      await prepared.abandon();
    } catch (thrown) {
      const failure = faultIn(thrown);
      if (failure === undefined) throw thrown;
      work.tools.emit({
        type: "note",
        text: `${registerId(act.step.register)} may still be prepared and hold its locks, until the next resume, revert or apply: ${failure.message}`,
      });
      return;
    }
  }
  if (act.prepared.some(({ origin }) => origin !== undefined)) recordDropped(work, act.step);
}

/** That another machine keeps nothing prepared any more: of an effect no reading tells that, and people ask what still holds locks. */
function recordDropped(work: Work, { n }: Pick<Change, "n">): void {
  work.append({ t: "fail", action: n, class: DROPPED, message: "its transaction was dropped as a whole", mutated: "no" });
}

/** One that failed makes all the others wait for the next try. */
export function dropAll(
  book: Book,
  { name }: PlannedTransaction,
  acts: readonly Act[],
  failing: { readonly act: Act; readonly failure: SystemFault } | undefined,
): void {
  if (failing !== undefined) book.fail(failing.act.step, withoutDoubt(failing.failure));
  for (const { step } of acts) {
    if (step.n === failing?.act.step.n) continue;
    book.bad.add(step.n);
    book.end(step, "blocked", { detail: `transaction ${name} was dropped as a whole` });
  }
}

/**
 * Ends the participants that a process left prepared: as decided, or not at all where nothing was. Nobody else's are touched.
 * Throws SystemFault `participant-down` where one cannot be reached; its locks stay until it can.
 */
export async function settleTwoPhase(work: Work): Promise<void> {
  for (const transaction of work.plan.transactions ?? []) {
    if (transaction.mode !== "two_phase") continue;
    for (const member of membersOf(work, transaction)) {
      const own = work.run.steps.get(member.n);
      if (own === undefined || !mayBeHeld(own)) continue;
      const operation = participantOf(work, member);
      if (operation === undefined) continue;
      const decision = decisionOf(work, transaction, own, operation);
      try {
        const answer = await end(work, transaction, member, own, operation, decision);
        if (decision === "abort") recordDropped(work, member);
        else if (isEffect(kindOf(work.tools.kinds, member.register.kind), member.register))
          new Book(work, [], "forward").finishEffect(member, work.endsOf(member).after, "found", answer);
      } catch (thrown) {
        if (!(thrown instanceof SystemFault)) throw thrown;
        if (thrown.code === "taken-back") {
          work.append({ t: "unknown", action: member.n, why: thrown.message });
          work.tools.emit({ type: "note", text: thrown.message });
          continue;
        }
        throw new SystemFault(
          "participant-down",
          `transaction ${transaction.name} of run ${work.run.run} is decided (${decision}), and its participant ${registerId(member.register)} cannot be told: ${thrown.message}. What it holds stays locked until it can`,
          { cause: thrown },
        );
      }
    }
    if (work.run.transactions.get(transaction.name) === "abort") work.append({ t: "decide", transaction: transaction.name, to: "retry" });
  }
}

/** A try of which the decision does not know the answer was begun after it, for what was taken back by hand: nobody decided on that one. */
function decisionOf(work: Work, transaction: PlannedTransaction, { answer }: StepState, operation: Operation): "commit" | "abort" {
  return isDecided(work, transaction) && (operation.do !== "http" || answer !== undefined) ? "commit" : "abort";
}

/** Whether the other side may still have a member prepared; one of which somebody answered what became of it is not asked again. */
export function mayBeHeld({ acted, status }: StepState): boolean {
  return acted === true && status !== "done" && status !== "undone" && status !== "undoing" && status !== "pending";
}

/** Tells one participant; gives what it had answered to being prepared, where that is kept. Throws SystemFault. */
async function end(
  work: Work,
  transaction: PlannedTransaction,
  { n }: Change,
  own: StepState,
  operation: SqlOperation | TryOperation,
  decision: "commit" | "abort",
): Promise<Json | undefined> {
  const { remotes, contents } = work.tools;
  const gid = gidOf(work, transaction, n);
  const context = { action: n, attempt: own.attempt, run: work.run.run, manner: {}, back: false };
  if (operation.do === "sql") {
    // Its receipt is of before its intent.
    await endPrepared(remotes, operation, { ...context, attempt: own.attempt - 1 }, gid, decision);
    return undefined;
  }
  const answer = own.answer === undefined ? undefined : (JSON.parse(contents.text(own.answer)) as Json);
  await endTriedFor(remotes, operation, { ...context, key: participantKey(gid, own.attempt) }, decision, answer);
  return answer;
}

/** What prepares a member at another machine; undefined where it is of this one. */
function participantOf(work: Work, member: Change): SqlOperation | TryOperation | undefined {
  const { before, after } = work.endsOf(member);
  const { tools } = work;
  const register = readyRegister(tools.vault.unseal(member.register), tools.reader);
  const operations = kindOf(tools.kinds, register.kind).transition(register, before, after, member.manner ?? {});
  return operations.find(isParticipant);
}

function isParticipant(operation: Operation): operation is SqlOperation | TryOperation {
  return operation.do === "sql" || (operation.do === "http" && operation.ends !== undefined);
}

import { type PlannedTransaction, registerId, type SqlOperation, SystemFault, sha256 } from "../core/index.ts";
import { endPrepared, faultIn } from "../system/index.ts";
import type { Act, Book } from "./pass-book.ts";
import { kindOf } from "./read.ts";
import { readyRegister } from "./results.ts";
import { membersOf } from "./saga.ts";
import type { Work } from "./work.ts";

/**
 * A participant's name (reliability.md §8.2): the same for whoever goes on with the run, and nobody else's. At most 64 bytes, for
 * MariaDB takes no more.
 */
export function gidOf(work: Work, { name }: Pick<PlannedTransaction, "name">, n: number): string {
  return `sp1:${work.run.run}:${sha256(name).slice(0, 12)}:${n}`;
}

/** The two-phase transaction that a step is in. */
export function twoPhaseOf(work: Work, n: number): PlannedTransaction | undefined {
  const name = work.plan.changes.find((change) => change.n === n)?.transaction;
  return name === undefined ? undefined : work.plan.transactions?.find((one) => one.name === name && one.mode === "two_phase");
}

/**
 * Has all participants vote. True: each can only be committed now, and that it will is durable: the commit point. False: all
 * were abandoned, and why is recorded. Presumed abort: a crash before the commit point takes all of them back.
 */
export async function voted(book: Book, transaction: PlannedTransaction, acts: readonly Act[]): Promise<boolean> {
  const { work } = book;
  let failing: { readonly act: Act; readonly failure: SystemFault } | undefined;
  for (const act of acts) {
    try {
      for (const prepared of act.prepared) await prepared.vote?.();
    } catch (thrown) {
      const failure = faultIn(thrown);
      if (failure === undefined) throw thrown;
      failing = { act, failure };
      break;
    }
    if (work.tools.stopped()) {
      failing = { act, failure: new SystemFault("stopped", "a signal asked to stop before all had voted") };
      break;
    }
  }
  if (failing === undefined) {
    work.append({ t: "decide", transaction: transaction.name, to: "commit" });
    work.journal.sync();
    for (const act of acts) act.decided = true;
    return true;
  }
  work.append({ t: "decide", transaction: transaction.name, to: "abort" });
  work.journal.sync();
  for (const act of acts) await abandon(work, act);
  dropAll(book, transaction, acts, failing);
  return false;
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
    }
  }
}

/** One that failed makes all the others wait for the next try. */
export function dropAll(
  book: Book,
  { name }: PlannedTransaction,
  acts: readonly Act[],
  failing: { readonly act: Act; readonly failure: SystemFault } | undefined,
): void {
  if (failing !== undefined)
    book.fail(failing.act.step, new SystemFault(failing.failure.code, failing.failure.message, { cause: failing.failure }));
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
    const decision = work.run.transactions.get(transaction.name) ?? "abort";
    for (const member of membersOf(work, transaction)) {
      const own = work.run.steps.get(member.n);
      if (own?.acted !== true || own.status === "done" || own.status === "undone" || own.status === "undoing") continue;
      const operation = sqlOf(work, member);
      if (operation === undefined) continue;
      const context = { action: member.n, attempt: own.attempt, run: work.run.run, manner: {}, back: false };
      try {
        await endPrepared(work.tools.remotes, operation, context, gidOf(work, transaction, member.n), decision);
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

function sqlOf(work: Work, member: ReturnType<typeof membersOf>[number]): SqlOperation | undefined {
  const { before, after } = work.endsOf(member);
  const { tools } = work;
  const register = readyRegister(tools.vault.unseal(member.register), tools.reader);
  const operations = kindOf(tools.kinds, register.kind).transition(register, before, after, member.manner ?? {});
  return operations.find((operation): operation is SqlOperation => operation.do === "sql");
}

import { type RunId, SystemFault } from "../core/index.ts";
import { isOpen, type RunFolder } from "../journal/index.ts";
import { inDoubt } from "./answer.ts";
import { openRun } from "./begin.ts";
import { recover } from "./recover.ts";
import { abortUnfinished, finishAborts, membersOf } from "./saga.ts";
import { setAll, takeBack } from "./set-all.ts";
import { settleTwoPhase } from "./two-phase.ts";
import type { Tools, Work } from "./work.ts";

/**
 * Ends an open run of a stack so that a new one may begin: its remains are cleared and it is marked superseded; what it
 * did stays revertible. Throws SystemFault where undos are left to do.
 */
export async function recoverRun(tools: Tools, folder: RunFolder): Promise<void> {
  const work = openRun(tools, folder, folder.plan());
  try {
    const { status, back } = work.run;
    if (!isOpen(status)) return;
    if (back)
      throw new SystemFault(
        "revert-open",
        `run ${folder.run} is being reverted and something is left of that: \`setpoint revert ${folder.run}\` goes on, \`setpoint abandon ${folder.run}\` gives it up`,
      );
    keepDoubt(work);
    recover(work);
    await settleTwoPhase(work);
    await commitDecided(work);
    const stuck = (await finishAborts(work, takeBack)) ?? (await abortUnfinished(work, takeBack));
    if (stuck?.fatal) throw stuck.fatal;
    if (stuck !== undefined) {
      work.append({ t: "end", state: "revert-halted", exit: 6, counts: {} });
      work.journal.sync();
      tools.state.record(tools.ledger, folder.plan(), folder);
      throw new SystemFault(
        "revert-open",
        `a transaction of run ${folder.run} was cut off and could not be taken back whole: \`setpoint revert ${folder.run}\` goes on, \`setpoint abandon ${folder.run}\` gives it up`,
      );
    }
    work.append({ t: "end", state: "superseded", exit: 6, counts: {} });
    work.journal.sync();
    tools.state.record(tools.ledger, folder.plan(), folder);
  } finally {
    work.journal.close();
  }
}

/** What is decided to be committed is: files that were voted on may still have to take their places. */
async function commitDecided(work: Work): Promise<void> {
  for (const transaction of work.plan.transactions ?? []) {
    if (transaction.mode !== "two_phase" || work.run.transactions.get(transaction.name) !== "commit") continue;
    const left = membersOf(work, transaction).filter(({ n }) => work.run.steps.get(n)?.status !== "done");
    if (left.length === 0) continue;
    const { fatal } = await setAll(work, left, "forward");
    if (fatal) throw fatal;
  }
}

/** An effect that may have happened stays in doubt, as a state of its receipt: no later run sends it before that is answered (I23). */
function keepDoubt(work: Work): void {
  for (const { n } of inDoubt(work.plan, work.run, work.tools.kinds)) {
    if (work.run.steps.get(n)?.status === "unknown") continue;
    work.append({ t: "unknown", action: n, why: "the run was superseded before it was known whether it happened" });
  }
}

/** The open runs of a stack, newest last. */
export function openRuns(tools: Pick<Tools, "ledger">, stack: string): readonly RunId[] {
  return [...tools.ledger.runs.values()]
    .filter((line) => line.stack === stack && isOpen(line.status))
    .map((line) => line.run)
    .sort();
}

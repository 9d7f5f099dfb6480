import { type Change, type Plan, type Receipt, type RunId, type RunStatus, registerId, SystemFault } from "../core/index.ts";
import type { RunFolder, RunState } from "../journal/index.ts";
import { openRun } from "./begin.ts";
import { recover } from "./recover.ts";
import type { Tools, Work } from "./work.ts";

/** An effect of which the user said whether it happened, and its run. */
export interface Answered {
  readonly run: RunId;
  readonly status: RunStatus;
  readonly register: string;
}

/** The actions of a run that are in doubt, as its journal says. Reads nothing of the machine. */
export function inDoubt(plan: Plan, run: RunState, kinds: Tools["kinds"]): readonly Change[] {
  return plan.changes.filter((change) => {
    const step = run.steps.get(change.n);
    const kind = kinds.get(change.register.kind);
    // An intent without an outcome is in doubt where a reading of the machine would not tell.
    const untold = step?.status === "intended" && kind?.evidence?.(change.register) === "journal";
    // What has a key is said to be sent, durably, before it is: without that it never left.
    const neverSent = kind?.effectKey !== undefined && step?.sentAt === undefined;
    return step?.status === "unknown" || (untold && !neverSent);
  });
}

/** Whether an address means a change: its resource, all of that name, or its register. */
export function means(
  address: string,
  { register, resources = [] }: Pick<Change, "register"> & Partial<Pick<Change, "resources">>,
): boolean {
  return (
    registerId(register) === address ||
    resources.some((resource) => resource.address === address || resource.address.startsWith(`${address}#`))
  );
}

/**
 * Takes the user's word for an effect in doubt: it happened and has its receipt from now on, or it did not and is still to be
 * done. Undefined where the run has no such action in doubt. Throws SystemFault.
 */
export function answerRun(tools: Tools, folder: RunFolder, address: string, happened: boolean): Answered | undefined {
  const work = openRun(tools, folder, folder.plan());
  try {
    const doubts = inDoubt(work.plan, work.run, tools.kinds).filter((change) => means(address, change));
    const [change] = doubts;
    if (change === undefined) return undefined;
    if (doubts.length > 1)
      throw new SystemFault(
        "several-meant",
        `${address} means ${doubts.length} actions in doubt: name one of ${doubts.flatMap(({ resources }) => resources.map((one) => one.address)).join(", ")}`,
      );
    recover(work); // a child that is still at work has not happened yet, nor not happened
    work.append({ t: "answer", action: change.n, happened, ...(happened && { receipt: receiptOf(work, change) }) });
    work.journal.sync();
    tools.state.record(tools.ledger, folder.plan(), folder);
    return { run: folder.run, status: work.run.status, register: registerId(change.register) };
  } finally {
    work.journal.close();
  }
}

function receiptOf(work: Work, change: Change): { readonly key: string; readonly value: Receipt } {
  const watched = work.endsOf(change).after.watched as Receipt["watched"];
  const value: Receipt = { run: work.run.run, at: work.tools.system.clock.now(), ...(watched && { watched }) };
  return { key: change.register.key, value };
}

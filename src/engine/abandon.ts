import { type Digest, type Plan, type RegisterId, type RunId, registerId, SystemFault } from "../core/index.ts";
import { copyAside, isOpen, type RunFolder, RunJournal, type RunState, runState, type StepState } from "../journal/index.ts";
import { openRun } from "./begin.ts";
import { type Held, heldBy } from "./held.ts";
import { recover } from "./recover.ts";
import { type Tools, Work } from "./work.ts";

/** What an abandoned run leaves behind. */
export interface Abandoned {
  readonly run: RunId;
  readonly stack: string;
  /** What it did and nobody will undo. */
  readonly done: readonly RegisterId[];
  /** What it did not come to or did not manage, and what is not known. */
  readonly left: readonly { readonly register: RegisterId; readonly why: string }[];
  /** Where its damaged journal was put, if it had one. */
  readonly damaged?: string;
}

/**
 * Ends an open run without doing or undoing any more of it: its remains are cleared, and another run of its stack may begin.
 * Also the way out for a run whose journal or plan is damaged. Throws SystemFault.
 */
export function abandonRun(tools: Tools, folder: RunFolder): Abandoned {
  const plan = planOf(folder);
  const known = tools.ledger.runs.get(folder.run);
  const { work, damaged } = openAnyhow(tools, folder, plan ?? lostPlan(known?.stack ?? "unknown", known?.plan ?? ""));
  try {
    const { status } = work.run;
    if (!isOpen(status)) {
      const leadsOn = status === "abandoned" || status === "reverted" ? "" : `; \`setpoint revert ${folder.run}\` undoes it`;
      throw new SystemFault("not-open", `run ${folder.run} is ${status}: there is nothing to give up${leadsOn}`);
    }
    recover(work);
    const { done, left } = remains(work, damaged !== undefined);
    work.append({ t: "end", state: "abandoned", exit: 0, counts: {} });
    work.journal.sync();
    folder.dropReserve();
    if (plan) tools.state.record(tools.ledger, plan, folder);
    else if (known) {
      tools.ledger.runs.set(folder.run, { ...known, status: "abandoned", size: work.journal.size });
      for (const [key, receipt] of tools.ledger.receipts)
        if (receipt.doubt && receipt.run === folder.run) tools.ledger.receipts.delete(key);
      tools.state.writeLedger(tools.ledger);
    }
    return { run: folder.run, stack: work.run.stack, done, left, ...(damaged !== undefined && { damaged }) };
  } finally {
    work.journal.close();
  }
}

function planOf(folder: RunFolder): Plan | undefined {
  try {
    return folder.plan();
  } catch (thrown) {
    if (thrown instanceof SystemFault) return undefined; // what it was to do is lost; that it is given up can be said all the same
    throw thrown;
  }
}

/** Opens the run for its end. Where its journal cannot be gone on from, that is put aside and a new one takes its place. */
function openAnyhow(tools: Tools, folder: RunFolder, plan: Plan): { readonly work: Work; readonly damaged?: string } {
  const { files, clock } = tools.system;
  try {
    return { work: openRun(tools, folder, plan) };
  } catch (thrown) {
    // Another run's plan stands there: what this one was to do is lost, and giving it up needs none of it.
    if (thrown instanceof SystemFault && thrown.code === "damaged-plan") return { work: openRun(tools, folder, lostPlan(plan.stack, "")) };
    if (!(thrown instanceof SystemFault) || thrown.code !== "damaged-journal") throw thrown;
  }
  const damaged = copyAside(files, folder.path);
  const begin = {
    t: "begin",
    run: folder.run,
    plan: plan.digest,
    stack: plan.stack,
    setpoint: tools.setpoint,
    boot: clock.bootId(),
  } as const;
  const journal = RunJournal.create(files, clock, folder.path, folder.run, begin, tools.ledger.nextTurn());
  return { work: new Work(tools, folder, journal, plan, runState(journal.records) as RunState), damaged };
}

function remains(work: Work, damaged: boolean): Pick<Abandoned, "done" | "left"> {
  const done: RegisterId[] = [];
  const left: { register: RegisterId; why: string }[] = [];
  const held = new Map(damaged ? [] : heldBy(work.plan, work.journal.records, work.tools.kinds).map((one) => [one.register, one]));
  for (const change of work.plan.changes) {
    const register = registerId(change.register);
    const step = work.run.steps.get(change.n);
    if (step?.status === "undone") continue;
    const one = held.get(register);
    if (one !== undefined) left.push({ register, why: whyHeld(one) });
    else if (step?.status !== "done") left.push({ register, why: damaged ? "not known: the journal is damaged" : whyLeft(step) });
    else if (step.outcome !== "already") done.push(register);
  }
  return { done, left };
}

/** Nobody will tell it any more. */
function whyHeld({ decision, server, name }: Held): string {
  const end = decision === "commit" ? "its transaction was decided, so commit it there" : "take it back there";
  return `it may be prepared at ${server}, with its locks, as ${name}: ${end} by hand`;
}

function whyLeft(step: StepState | undefined): string {
  switch (step?.status) {
    case "intended":
    case "unknown":
      return "in doubt: it may have happened";
    case "undoing":
      return "its undo was begun";
    case "failed":
      return `failed: ${step.message ?? ""}`;
    case "conflict":
    case "kept":
      return "somebody else changed it, and that was kept";
    default:
      return "not begun";
  }
}

/** Stands for a plan that cannot be read: it names no register. */
function lostPlan(stack: string, digest: string): Plan {
  const none = { resources: 0, registers: 0, changes: 0, creates: 0, updates: 0, deletes: 0, runs: 0, irreversible: 0, tentative: 0 };
  const lists = { playbooks: [], changes: [], steady: [], resources: [], settings: [], orphans: [] };
  return { format: 1, stack, digest: digest as Digest, setpoint: "", inputs: {}, facts: {}, summary: none, ...lists };
}

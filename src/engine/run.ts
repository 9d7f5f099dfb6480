import {
  type ActionResult,
  type ActionStatus,
  type Cause,
  type Change,
  error,
  exitOfSignal,
  isObject,
  type Plan,
  type PlannedSetting,
  type Problem,
  type RunId,
  type RunKind,
  type RunReport,
  type RunStatus,
  registerId,
  type State,
  SystemFault,
} from "../core/index.ts";
import { isOpen, type RunFolder, removeStashes } from "../journal/index.ts";
import { faultIn } from "../system/index.ts";
import { means } from "./answer.ts";
import { beginRun, hasNews, hideSensitive, leaveOpen, openRun } from "./begin.ts";
import { matches } from "./compare.ts";
import { converged } from "./fold.ts";
import type { Outcome, Todo } from "./pass-book.ts";
import { prepareGoals } from "./plan.ts";
import { readAll } from "./read.ts";
import { recover } from "./recover.ts";
import { finishAborts } from "./saga.ts";
import { setAll, takeBack } from "./set-all.ts";
import { settleTwoPhase } from "./two-phase.ts";
import { SECRET_MARK } from "./vault.ts";
import { movedFacts, settledDivergences } from "./verify.ts";
import { registersRead, type Tools, type Work } from "./work.ts";

/** A plan and how it is written down. */
export interface FrozenPlan {
  readonly plan: Plan;
  /** The event that made it due. */
  readonly cause?: Cause;
  /** Its text and digest; asked for where a run begins and nowhere else, as a large plan in sync would pay for them in vain. */
  sealed(): { readonly text: string; readonly digest: string };
  /** Where the run is to be reverted unless it is confirmed within so many ms. */
  readonly confirm?: {
    readonly within: number;
    /** Starts who will revert it. Called once the run has begun, before its first mutation; throws SystemFault. */
    arm(run: RunId): void;
  };
}

/** Applies a plan that was checked and confirmed. A plan in sync leaves no run behind, unless the ledger has something to learn. */
export async function applyPlan(tools: Tools, frozen: FrozenPlan): Promise<RunReport> {
  const todo = todoOf(frozen.plan);
  if (todo.length === 0 && !hasNews(frozen.plan, tools)) return inSync(frozen.plan);
  const { text, digest } = frozen.sealed();
  const plan = { ...frozen.plan, digest };
  const confirm = todo.length > 0 ? frozen.confirm : undefined;
  const work = beginRun(tools, plan, text, { within: confirm?.within, cause: frozen.cause });
  const unarmed = confirm && armFailure(() => confirm.arm(work.run.run));
  if (unarmed) return end(work, { kind: "apply", status: "halted", exit: 1, verified: false, problems: [unarmed] });
  tools.emit({ type: "begin", run: work.run.run, stack: plan.stack, kind: "apply", total: todo.length });
  const outcome = await setAll(work, todo, "forward");
  if (outcome.revert && !outcome.fatal) return undoWithin(work);
  return finishForward(work, outcome, "apply");
}

/** Without anybody who would revert it nothing is changed. */
function armFailure(arm: () => void): Problem | undefined {
  try {
    arm();
    return undefined;
  } catch (thrown) {
    const failure = faultIn(thrown);
    if (failure === undefined) throw thrown;
    return error("no-reverter", "nobody would revert the run", failure.message);
  }
}

/** What a plan does: its changes, and what must be looked at again because an opaque change stands before it. */
function todoOf(plan: Plan): readonly Todo[] {
  return [...plan.changes, ...plan.steady.filter((step) => step.tentative !== undefined)];
}

export interface ForceOptions {
  /** Registers, or addresses of their resources, whose later changes by others are given up, after saving them. */
  readonly force: ReadonlySet<string>;
}

/** Goes on with an interrupted or halted run. Throws SystemFault, with nothing done: `not-a-conflict` for a name that means none. */
export async function resumeRun(tools: Tools, folder: RunFolder, { force }: ForceOptions = { force: new Set() }): Promise<RunReport> {
  const plan = unsealed(tools, folder);
  await prepareGoals(plan.settings, tools.goals);
  leaveOpen(plan, tools);
  hideSensitive(plan, tools);
  const work = openRun(tools, folder, plan);
  const { status } = work.run;
  const forced = forcedBy(work, force);
  if (status === "applied") return nothingToDo(work, "resume", "applied");
  if (work.run.back || !isOpen(status)) {
    work.journal.close();
    throw new SystemFault(
      "not-resumable",
      `run ${folder.run} is ${status}: ${work.run.back ? "it is being reverted, and `setpoint revert` goes on with that" : "there is nothing to resume"}`,
    );
  }
  tools.emit({ type: "phase", name: "recovering" });
  recover(work);
  await settled(work);
  work.append({ t: "resume", setpoint: tools.setpoint, boot: tools.system.clock.bootId() });
  work.journal.sync();
  const unfinished = await finishAborts(work, takeBack);
  if (unfinished !== undefined) return finishForward(work, unfinished, "resume");
  const todo = todoOf(plan).flatMap((step): readonly Todo[] => {
    if (work.run.steps.get(step.n)?.status === "done") return [];
    return [forced.has(step.n) ? { ...step, forced: true } : step];
  });
  tools.emit({ type: "begin", run: folder.run, stack: plan.stack, kind: "resume", total: todo.length });
  const outcome = await setAll(work, todo, "forward");
  if (outcome.revert && !outcome.fatal) return undoWithin(work);
  return finishForward(work, outcome, "resume");
}

/** The steps whose conflicts are to be given up by name. Throws SystemFault, the run closed, where a name means none. */
function forcedBy(work: Work, names: ReadonlySet<string>): ReadonlySet<number> {
  const conflicts = work.plan.changes.filter(({ n }) => {
    const own = work.run.steps.get(n);
    // One that a killed resume took over is still one by name.
    return own?.found !== undefined && own.status !== "done" && own.status !== "undone" && own.status !== "kept";
  });
  for (const name of names) {
    if (conflicts.some((change) => means(name, change))) continue;
    work.journal.close();
    const known = conflicts.map(({ register }) => registerId(register));
    throw new SystemFault(
      "not-a-conflict",
      `${name} is no conflict of run ${work.run.run}, ${known.length === 0 ? "which has none" : `whose conflicts are ${known.join(", ")}`}; nothing was done`,
    );
  }
  return new Set(conflicts.filter((change) => [...names].some((name) => means(name, change))).map(({ n }) => n));
}

async function finishForward(work: Work, outcome: Outcome, kind: "apply" | "resume"): Promise<RunReport> {
  const { tools, plan } = work;
  const results = [...work.results.values()];
  const bad = results.filter((result) => isBad(result.status));
  const problems: Problem[] = [];
  let verified = false;
  if (outcome.fatal) return afterFatal(work, outcome.fatal, kind);
  for (const why of outcome.refused ?? []) problems.push(error("check-failed", "what was set does not pass its check", why));
  if (outcome.stuck) return end(work, { kind, status: "revert-halted", exit: 6, verified: false, problems });
  let exit = 0;
  let status: RunStatus = "applied";
  if (outcome.halted || bad.length > 0) {
    const signal = tools.stopped();
    const acted = [...work.run.steps.values()].some((step) => step.acted);
    status = "halted";
    const isLeft = bad.some((result) => result.status === "conflict" || result.status === "unknown");
    // Blocked without anything that failed: a peer is not asked for the time being, and later it may be.
    const waits = bad.some((result) => result.status === "blocked") && !bad.some((result) => result.status === "failed");
    exit = signal ? exitOfSignal(signal) : acted || isLeft || waits ? 6 : 1;
  } else {
    tools.emit({ type: "phase", name: "verifying", count: plan.changes.length + plan.steady.length });
    const different = await settledDivergences(work).catch((thrown: unknown) => {
      if (!(thrown instanceof SystemFault)) throw thrown;
      problems.push(error("cannot-verify", "the final reading failed", thrown.message));
      return undefined;
    });
    const moved = movedFacts(work);
    verified = different?.length === 0 && moved.length === 0;
    if (!verified) exit = 9;
    for (const path of moved)
      problems.push(
        error(
          "fact-moved",
          "a fact moved while the plan was applied",
          `facts.${path}, which the playbook uses, is another now: apply once more`,
        ),
      );
    for (const one of different ?? [])
      problems.push(
        error(
          "diverged",
          "not as declared after the apply",
          `${one.register} is not as its resources want it: a second apply would change it again`,
        ),
      );
  }
  return end(work, { kind, status, exit, verified, problems });
}

function isBad(status: ActionStatus): boolean {
  return status === "conflict" || status === "failed" || status === "blocked" || status === "unknown" || status === "pending";
}

/** W5: a failed sync is final. Nothing more is set here; the next process judges from what is on the disk. */
function afterFatal(work: Work, fatal: SystemFault, kind: RunKind): RunReport {
  work.folder.dropReserve();
  const problem = error("write-failed", "the run had to stop", `${fatal.message}. What was done so far is journalled`);
  work.journal.close();
  return report(work, { kind, status: "interrupted", exit: 6, verified: false, problems: [problem] });
}

interface Ending {
  readonly kind: RunKind;
  readonly status: RunStatus;
  readonly exit: number;
  readonly verified: boolean;
  readonly problems: readonly Problem[];
}

/** W3: the end record is durable, and the ledger knows, before anything is said. */
function end(work: Work, ending: Ending): RunReport {
  const { tools } = work;
  const counts: { [status in ActionStatus]?: number } = {};
  for (const { status } of work.results.values()) counts[status] = (counts[status] ?? 0) + 1;
  try {
    work.append({ t: "end", state: ending.status, exit: ending.exit, counts });
    work.journal.sync();
    work.folder.dropReserve();
    // To the letter as it was frozen, as the ledger is rebuilt from that; with nothing hidden since, that is what stands in memory.
    tools.state.record(tools.ledger, tools.vault.isEmpty ? work.plan : work.folder.plan(), work.folder);
  } catch (thrown) {
    const fatal = faultIn(thrown);
    if (fatal === undefined) throw thrown;
    return afterFatal(work, fatal, ending.kind);
  } finally {
    work.journal.close();
    work.folder.close();
  }
  return report(work, ending);
}

function report(work: Work, ending: Ending): RunReport {
  const actions: readonly ActionResult[] = [...work.results].sort(([a], [b]) => a - b).map(([, result]) => result);
  const count = (...statuses: ActionStatus[]) => actions.filter((action) => statuses.includes(action.status)).length;
  const { run } = work.run;
  const next =
    ending.status === "halted" || ending.status === "interrupted"
      ? work.run.back
        ? `setpoint revert ${run}`
        : `setpoint resume ${run}`
      : ending.status === "revert-halted"
        ? `setpoint revert ${run}`
        : undefined;
  const full: RunReport = {
    format: 1,
    run,
    stack: work.plan.stack,
    kind: ending.kind,
    status: ending.status,
    exit: ending.exit,
    summary: {
      changed: count("set", "restored", "compensated"),
      already: count("already", "found"),
      conflicts: count("conflict"),
      failed: count("failed"),
      in_doubt: count("unknown"),
      verified: ending.verified,
    },
    actions,
    problems: ending.problems,
    ...(next !== undefined && { next }),
  };
  work.tools.emit({ type: "end", report: full });
  return full;
}

function inSync(plan: Plan): RunReport {
  return {
    format: 1,
    stack: plan.stack,
    kind: "apply",
    status: "in-sync",
    exit: 0,
    summary: { changed: 0, already: plan.steady.length, conflicts: 0, failed: 0, in_doubt: 0, verified: true },
    actions: [],
    problems: [],
  };
}

function nothingToDo(work: Work, kind: RunKind, status: RunStatus): RunReport {
  work.journal.close();
  return report(work, { kind, status, exit: 0, verified: true, problems: [] });
}

export interface RevertOptions extends ForceOptions {
  /** It is undone because nobody confirmed it in time. */
  readonly unconfirmed?: true;
}

/** Undoes a run, or the done part of one that was interrupted. Again on a reverted run: nothing, unless a kept conflict is forced. */
export async function revertRun(tools: Tools, folder: RunFolder, options: RevertOptions): Promise<RunReport> {
  const plan = unsealedWhereKnown(tools, folder);
  leaveOpen(plan, tools);
  const work = openRun(tools, folder, plan);
  if (work.run.status === "reverted" && options.force.size === 0) return nothingToDo(work, "revert", "reverted");
  if (work.run.status === "abandoned") {
    work.journal.close();
    throw new SystemFault("abandoned", `run ${folder.run} was abandoned: there is nothing that setpoint would undo`);
  }
  tools.emit({ type: "phase", name: "recovering" });
  recover(work);
  await settled(work);
  return undo(work, "revert", options);
}

/** Participants of two-phase transactions are ended first: what is prepared is neither before nor after. Throws SystemFault, the run closed. */
async function settled(work: Work): Promise<void> {
  try {
    await settleTwoPhase(work);
  } catch (thrown) {
    work.journal.close();
    throw thrown;
  }
}

/** Undoing needs few of the secrets: those that are not known stay marks, and are asked for where one is used. */
function unsealedWhereKnown(tools: Tools, folder: RunFolder): Plan {
  try {
    return unsealed(tools, folder);
  } catch (thrown) {
    if (thrown instanceof SystemFault) return folder.plan();
    throw thrown;
  }
}

/** The frozen plan with its secrets. Most plans have none, and their text tells so sooner than a walk through all of them. */
function unsealed(tools: Tools, folder: RunFolder): Plan {
  return folder.planText().includes(SECRET_MARK) ? tools.vault.unseal(folder.plan()) : folder.plan();
}

/** `on_failure: revert`: the run is undone in its own journal. */
async function undoWithin(work: Work): Promise<RunReport> {
  const failures = [...work.results.values()].filter((result) => result.status === "failed" || result.status === "blocked");
  work.results.clear();
  // One that could not be told that its transaction was dropped would be left prepared for good by a run that is reverted.
  await settled(work);
  const undone = await undo(work, "apply", { force: new Set() });
  const problems = failures.map((result) =>
    error("failed", "an action failed and the run was undone", `${result.register}: ${result.detail ?? ""}`),
  );
  return { ...undone, exit: undone.exit === 0 ? 7 : undone.exit, problems: [...problems, ...undone.problems] };
}

async function undo(work: Work, kind: RunKind, options: RevertOptions): Promise<RunReport> {
  const { tools, plan } = work;
  work.append({
    t: "revert",
    setpoint: tools.setpoint,
    boot: tools.system.clock.bootId(),
    ...(options.unconfirmed && { unconfirmed: true as const }),
  });
  work.journal.sync();
  const debts = new Set(plan.changes.filter((change) => change.before.is === "watching").map((change) => change.n));
  const acted = [...work.plan.changes, ...work.plan.steady].filter((step) => {
    const own = work.run.steps.get(step.n);
    return own?.acted === true && own.status !== "undone" && own.status !== "pending" && !debts.has(step.n);
  });
  const todo = acted.flatMap((step): readonly Todo[] => {
    if ([...options.force].some((name) => means(name, step))) return [{ ...step, forced: true }];
    return work.run.steps.get(step.n)?.status === "kept" ? [] : [step];
  });
  tools.emit({ type: "begin", run: work.run.run, stack: plan.stack, kind: "revert", total: todo.length });
  const outcome = await setAll(work, todo, "back");
  if (outcome.fatal) return afterFatal(work, outcome.fatal, kind);
  if (!outcome.halted) await discharge(work, debts);
  removeStashes(tools.system.files, plan, tools.state.keys().tempPrefix(work.run.run), (n) => work.run.steps.get(n)?.status === "undone");
  const results = [...work.results.values()];
  const failed = results.some((result) => result.status === "failed" || result.status === "unknown" || result.status === "blocked");
  const kept = results.some((result) => result.status === "conflict") || acted.length > todo.length;
  const left =
    results.some((result) => result.status === "skipped") &&
    plan.changes.some(
      (change) => change.manner?.undo !== "none" && !debts.has(change.n) && work.run.steps.get(change.n)?.outcome === "skipped",
    );
  const signal = tools.stopped();
  const status: RunStatus = outcome.halted || failed ? "revert-halted" : "reverted";
  const exit = signal && outcome.halted ? exitOfSignal(signal) : status === "revert-halted" || kept || left ? 6 : 0;
  return end(work, { kind, status, exit, verified: status === "reverted" && !kept, problems: [] });
}

/** Debts are not undone: when all else is, they are folded anew, so that what watches the restored registers runs for them. */
async function discharge(work: Work, debts: ReadonlySet<number>): Promise<void> {
  const { plan, tools } = work;
  const due: Todo[] = [];
  for (const change of plan.changes) {
    const own = work.run.steps.get(change.n);
    if (!debts.has(change.n) || own?.acted !== true) continue;
    const reads = registersRead(plan, change);
    const states = await readAll([change.register, ...reads], tools.kinds, work.trusting);
    const byId = new Map(reads.map((register, index) => [registerId(register), states[index + 1] as State]));
    const parts = work.foldParts(byId);
    const now = states[0] as State;
    let after = now;
    for (const index of change.settings) after = converged(after, plan.settings[index] as PlannedSetting, parts);
    if (matches(now, after, parts.fingerprint)) continue;
    if (neverRan(change.before) || !canRun(work, change)) {
      // There was no run for what is restored, or its program or folder went with the revert: only the receipt goes.
      if (own.status === "undone") continue; // it went in a revert that was killed behind this
      work.append({ t: "clr", action: change.n, outcome: "skipped", forget: change.register.key });
      tools.ledger.receipts.delete(change.register.key);
      work.journal.sync();
      continue;
    }
    work.append({ t: "refold", action: change.n, found: now, after });
    // Whatever its journal says of the first time, it is due once more.
    const step = work.run.steps.get(change.n);
    if (step) step.status = "pending";
    due.push({ ...change, before: now, after, needs: [] });
  }
  if (due.length > 0) await setAll(work, due, "forward");
}

function neverRan(before: State): boolean {
  return isObject(before.watched) && Object.keys(before.watched).length === 0;
}

/** Whether a command's program and folder are there. */
function canRun(work: Work, change: Change): boolean {
  const { command } = change.register.about ?? {};
  if (!isObject(command) || !Array.isArray(command.argv)) return true;
  const { files, processes } = work.tools.system;
  return processes.has(String(command.argv[0])) && (typeof command.cwd !== "string" || files.lstat(command.cwd) !== undefined);
}

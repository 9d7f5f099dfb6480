import { type Problem, type RunId, SystemFault } from "../core/index.ts";
import { type ConfirmStatus, confirmStatus } from "../engine/index.ts";
import { type Ledger, type LockedDirectory, readJournal, runState, type StateDirectory } from "../journal/index.ts";
import { renderReport } from "../report/index.ts";
import { type Context, faultProblem, localTime, shown, showProblems } from "./context.ts";
import type { LockOptions } from "./options.ts";
import { undo } from "./undo.ts";

/** How a run stands by its journal, now; `none` where that cannot be read. */
export function confirmStatusIn(context: Context, state: StateDirectory, run: RunId): ConfirmStatus {
  const parsed = readJournal(context.system.files, state.runFolder(run).path, run);
  const found = parsed && parsed.rest !== "damaged" ? runState(parsed.records) : undefined;
  return found ? confirmStatus(found, context.system.clock) : { is: "none" };
}

/** The runs that nobody confirmed in time and that are still to be reverted, newest first. */
export function overdueRuns(context: Context, ledger: Ledger): readonly RunId[] {
  return [...ledger.runs.values()]
    .filter((line) => confirmStatus(line, context.system.clock).is === "overdue")
    .map(({ run }) => run)
    .sort()
    .reverse();
}

/**
 * What a command that changes something does first: the runs that nobody confirmed in time are reverted, and it says so on
 * stderr. `but`: runs that the command itself reverts. True where something was reverted, so that what was read before is old.
 * One that cannot be reverted now keeps nobody from working: it is told, and stays overdue.
 */
export async function revertOverdue(
  context: Context,
  state: LockedDirectory,
  ledger: Ledger,
  but: ReadonlySet<RunId> = new Set(),
): Promise<boolean> {
  const runs = overdueRuns(context, ledger).filter((run) => !but.has(run));
  for (const run of runs) {
    context.err.write(`run ${run} was not confirmed in time: it is reverted\n`);
    try {
      const report = await undo(context, state, run, { force: new Set(), unconfirmed: true });
      if (!context.json || report.exit !== 0) context.err.write(shown(context, renderReport(report, context.errStyle)));
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      showProblems(context, [faultProblem(thrown)]);
    }
  }
  return runs.length > 0;
}

/** The problem of a stack that must not be applied while one of its runs awaits confirmation: its revert would meet the new run's changes. */
export function awaitedProblem(context: Context, ledger: Ledger, stack: string): Problem | undefined {
  const line = [...ledger.runs.values()].find(
    (one) => one.stack === stack && ["awaits", "overdue"].includes(confirmStatus(one, context.system.clock).is),
  );
  if (line === undefined) return undefined;
  return {
    code: "awaits-confirm",
    severity: "error",
    summary: "a run of this stack awaits confirmation",
    detail: `run ${line.run} of ${stack} is reverted unless it is confirmed, and must not be mixed with another: \`setpoint confirm ${line.run}\` or \`setpoint revert ${line.run}\`, then apply again`,
  };
}

/** Starts the process that reverts a run when nobody confirms it in time. Throws SystemFault. */
export function startReverter(
  context: Context,
  state: StateDirectory,
  run: RunId,
  options: LockOptions & { readonly var?: readonly string[] },
): void {
  const weak = options.allowWeakStateDir === true ? ["--allow-weak-state-dir"] : [];
  // Secrets that were given by --var reach it as a child's secrets do: not in its arguments, which others can see.
  const given = (options.var ?? []).map((pair): [string, string] => [
    `SETPOINT_VAR_${pair.slice(0, pair.indexOf("="))}`,
    pair.slice(pair.indexOf("=") + 1),
  ]);
  context.detach(["confirm", run, "--overdue", "--wait", "--state-dir", state.path, ...weak], {
    env: { ...Object.fromEntries(given), NO_COLOR: "1", GITHUB_ACTIONS: "" },
    log: `${state.runFolder(run).path}/reverter.log`,
  });
}

/** For a run that another process goes on with: the first reverter may have gone with a reboot, and two of them do no harm. */
export function restartReverter(...[context, state, run, options]: Parameters<typeof startReverter>): void {
  if (isArmed(context, state, run)) startReverter(context, state, run, options);
}

/** Whether a run is reverted unless it is confirmed, and still can be. */
export function isArmed(context: Context, state: StateDirectory, run: RunId): boolean {
  const { is } = confirmStatusIn(context, state, run);
  return is === "idle" || is === "awaits";
}

/** Until when a run awaits confirmation, as `--json` has it; undefined where it does not. */
export function awaited(
  run: RunId,
  standing: ConfirmStatus,
): { readonly run: RunId; readonly until: number; readonly left: number } | undefined {
  return standing.is === "awaits" ? { run, until: Math.round(standing.until), left: Math.round(standing.left) } : undefined;
}

/** The same for people, in a line. */
export function awaitedText({ run, until }: { readonly run: RunId; readonly until: number }): string {
  return `It is reverted at ${localTime(until)} unless you confirm it: setpoint confirm ${run}\n`;
}

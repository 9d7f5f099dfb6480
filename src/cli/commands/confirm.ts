import { formatDuration, type RunId, type RunReport, SystemFault } from "../../core/index.ts";
import { type ConfirmStatus, confirmRun, confirmStatus } from "../../engine/index.ts";
import { LockedDirectory, type RunLine } from "../../journal/index.ts";
import { renderReport, runJson } from "../../report/index.ts";
import { confirmUnit } from "../confirm-unit.ts";
import { type Context, EXIT, localTime, print, printJson, readState, refuse, shown, UsageError } from "../context.ts";
import { type LockOptions, lockOptions } from "../options.ts";
import { confirmStatusIn } from "../overdue.ts";
import { startReading } from "../stack.ts";
import { chooseRun, locked } from "../tools.ts";
import { undo } from "../undo.ts";
import type { CommandModule } from "./command.ts";

interface ConfirmOptions extends LockOptions {
  readonly stack?: string;
  readonly overdue?: boolean;
  readonly wait?: boolean;
  readonly printUnit?: boolean;
}

/** Makes a run permanent that would be reverted otherwise, or reverts those that nobody made so. */
export const confirm: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("keep what a run with --confirm-within did; without it in time the run is reverted")
      .argument("[run]", "a run's id or its beginning")
      .option("--stack <name>", "the run of this stack")
      .option("--overdue", "confirm nothing: revert the runs that nobody confirmed in time")
      .option("--wait", "with --overdue: wait for those whose time is not over yet, too")
      .option("--print-unit", "print a systemd unit that does so from boot on")
      .addHelpText(
        "after",
        `
\`apply --confirm-within\` leaves a process behind that reverts the run in time, whatever becomes of apply and its terminal. After a
reboot the next apply, resume, revert, gc or \`confirm --overdue\` does it, or the unit.

Exit codes: 0 confirmed, also again; 1 too late: the run is reverted; 6 too late, and the revert left something.

Examples:
  setpoint apply net.yaml --yes --confirm-within 2m       then, from a new login:
  setpoint confirm
  setpoint confirm 20260801T101112000-1a2b3c
  setpoint confirm --overdue
  setpoint confirm --print-unit > /etc/systemd/system/setpoint-confirm.service`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: ConfirmOptions): Promise<number> {
    const [named] = args;
    if (options.printUnit) return printUnit(context);
    if (options.wait && !options.overdue) throw new UsageError("--wait goes with --overdue");
    if (options.overdue) return new Overdue(context, options).run(named);
    // The process that reverts holds the lock for a moment where it looks whether it must.
    return locked(context, { lockTimeout: "10s", ...options }, async (state) => {
      const run = runToConfirm(context, state, named, options.stack);
      const before = confirmStatusIn(context, state, run);
      if (before.is === "idle") return refuse(context, [notArmed(run, "has changed nothing so far")], EXIT.failed);
      if (before.is === "none") return refuse(context, [notArmed(run, "needs no confirmation")], EXIT.failed);
      if (before.is === "awaits") confirmRun({ system: context.system, state, ledger: state.ledger() }, state.runFolder(run));
      if (before.is === "overdue") await revertLate(context, state, run);
      return tell(context, run, before, confirmStatusIn(context, state, run), state.ledger().runs.get(run));
    });
  },
};

function notArmed(run: RunId, why: string) {
  return {
    code: "not-armed",
    severity: "error" as const,
    summary: "nothing to confirm",
    detail: `run ${run} ${why}: nothing reverts it by itself`,
  };
}

/** The run named; or the newest that awaits confirmation, else the newest that ever did, so that its end can be told. */
function runToConfirm(context: Context, state: LockedDirectory, named: string | undefined, stack: string | undefined): RunId {
  const reading = startReading(context, state, { commands: false });
  if (named !== undefined) return chooseRun(context, reading, named, undefined, () => true);
  const armed = [...reading.ledger.runs.values()].filter((line) => line.confirm && (stack === undefined || line.stack === stack));
  const waiting = armed.filter((line) => ["awaits", "overdue"].includes(confirmStatus(line, context.system.clock).is));
  if (new Set(waiting.map((line) => line.stack)).size > 1)
    throw new UsageError(`several runs await confirmation (${waiting.map(({ run }) => run).join(", ")}): name one`);
  const newest = (waiting.length > 0 ? waiting : armed)
    .map(({ run }) => run)
    .sort()
    .pop();
  if (newest === undefined) throw new SystemFault("no-run", "no run awaits confirmation; `setpoint history` lists all");
  return newest;
}

async function revertLate(context: Context, state: LockedDirectory, run: RunId): Promise<void> {
  const report = await undo(context, state, run, { force: new Set(), unconfirmed: true });
  context.err.write(shown(context, renderReport(report, context.errStyle)));
}

function tell(context: Context, run: RunId, before: ConfirmStatus, after: ConfirmStatus, line: RunLine | undefined): number {
  if (after.is === "confirmed") {
    const left = before.is === "awaits" ? Math.round(before.left) : undefined;
    if (context.json) printJson(context, { format: 1, run, status: "confirmed", at: after.at, ...(left !== undefined && { left }) });
    else if (left === undefined) print(context, `Run ${run} is confirmed already, since ${localTime(after.at)}.\n`);
    else print(context, `Run ${run} is confirmed, with ${formatDuration(left)} left: it stays.\n`);
    return 0;
  }
  const clean = line?.status === "reverted" && line.exit === 0;
  const why = after.is === "reverted" && !after.unconfirmed ? "somebody reverted it" : "it was not confirmed in time";
  const done = clean ? "it is reverted" : "it is reverted as far as that was possible";
  return refuse(
    context,
    [
      {
        code: "too-late",
        severity: "error",
        summary: "too late to confirm",
        detail: `run ${run}: ${why}, and ${done}. ${clean ? "Apply again to have it back" : `\`setpoint show ${run}\` tells what is left`}`,
      },
    ],
    clean ? EXIT.failed : EXIT.left,
  );
}

function printUnit(context: Context): number {
  const { name, text } = confirmUnit(context);
  if (context.json) printJson(context, { format: 1, name, unit: text });
  else context.out.write(text);
  return 0;
}

/** Faults that no waiting mends. */
const HOPELESS = /^(damaged|newer|no-plan|no-journal|abandoned)/;

/** Longest pause between two tries to revert what could not be. */
const LONGEST_PAUSE = 60_000;

/** Reverts what is overdue; where it waits, until nothing awaits confirmation any more. */
class Overdue {
  private readonly context: Context;
  private readonly options: ConfirmOptions;
  private readonly reports: RunReport[] = [];
  private waiting: readonly RunId[] = [];
  private pause = 1000;
  private faults: readonly string[] = [];

  constructor(context: Context, options: ConfirmOptions) {
    this.context = context;
    this.options = options;
  }

  async run(named: string | undefined): Promise<number> {
    const { context } = this;
    const state = readState(context);
    const reading = startReading(context, state, { commands: false });
    this.waiting =
      named === undefined
        ? [...reading.ledger.runs.values()].filter(({ confirm }) => confirm).map(({ run }) => run)
        : [chooseRun(context, reading, named, undefined, () => true)];
    if (this.options.wait !== true) {
      const exit = this.isAnyDue() ? await locked(context, this.options, async (locks) => this.revertDue(locks)) : 0;
      return exit === 0 ? this.end() : exit;
    }
    for (;;) {
      if (this.isAnyDue()) await this.whileLocked();
      const left = this.stillWaiting();
      if (left === undefined || context.stopped()) return this.end();
      const pause = this.faults.length > 0 ? this.pause : 1000;
      await context.system.clock.sleep(left <= 0 ? pause : Math.min(left, pause));
    }
  }

  private isAnyDue(): boolean {
    const state = readState(this.context);
    return this.waiting.some((run) => {
      const standing = confirmStatusIn(this.context, state, run);
      return standing.is === "overdue" || this.isOverIdle(standing);
    });
  }

  /** Where another process holds the lock nothing is overdue: it may be the one that is at work on the run. */
  private async whileLocked(): Promise<void> {
    const { context, options } = this;
    const weak = options.allowWeakStateDir === true;
    const state = await LockedDirectory.lock(context.system, context.stateDirectory, { patience: 0, weak });
    try {
      if (state) await this.revertDue(state);
    } finally {
      state?.unlock();
    }
  }

  /** Whoever held the lock may have ended a run or gone on with it: its time counts from then, so each is judged again. */
  private async revertDue(state: LockedDirectory): Promise<number> {
    const { context } = this;
    for (const run of [...this.waiting].sort().reverse())
      if (confirmStatusIn(context, state, run).is === "overdue") await this.revert(state, run);
    // A process that died before it changed anything leaves nothing to revert.
    this.waiting = this.waiting.filter((run) => !this.isOverIdle(confirmStatusIn(context, state, run)));
    return 0;
  }

  private isOverIdle(standing: ConfirmStatus): boolean {
    return standing.is === "idle" && standing.left <= 0;
  }

  private async revert(state: LockedDirectory, run: RunId): Promise<void> {
    const { context } = this;
    try {
      const report = await undo(context, state, run, { force: new Set(), unconfirmed: true });
      this.reports.push(report);
      this.say(`${localTime(context.system.clock.now())}  run ${run} was not confirmed in time\n${renderReport(report, context.outStyle)}`);
      if (report.status === "interrupted") this.failed(run, "the disk refused");
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      this.failed(run, thrown.message);
      if (HOPELESS.test(thrown.code)) this.waiting = this.waiting.filter((one) => one !== run);
    }
  }

  private failed(run: RunId, why: string): void {
    const text = `run ${run} could not be reverted: ${why}`;
    if (!this.faults.includes(text)) {
      this.faults = [...this.faults, text];
      this.context.err.write(shown(this.context, `${text}\n`));
    }
    this.pause = Math.min(LONGEST_PAUSE, this.pause * 2);
  }

  /** The shortest time that a run still waits, 0 or less where one is overdue; undefined where none waits. */
  private stillWaiting(): number | undefined {
    const state = readState(this.context);
    const lefts: number[] = [];
    this.waiting = this.waiting.filter((run) => {
      const standing = confirmStatusIn(this.context, state, run);
      if (standing.is === "overdue") lefts.push(0);
      else if (standing.is === "awaits" || standing.is === "idle") lefts.push(standing.left);
      else return false;
      return true;
    });
    return lefts.length === 0 ? undefined : Math.min(...lefts);
  }

  private say(text: string): void {
    if (!this.context.json) print(this.context, text);
  }

  private end(): number {
    const { context, reports } = this;
    const signal = context.stopped();
    const worst = reports.findLast(({ exit }) => exit !== 0)?.exit ?? 0;
    const state = readState(context);
    const open = this.waiting.map((run) => ({ run, standing: confirmStatusIn(context, state, run) }));
    const overdue = open.filter(({ standing }) => standing.is === "overdue").map(({ run }) => run);
    const exit = signal ? (signal === "SIGINT" ? 130 : 143) : worst !== 0 ? worst : overdue.length > 0 ? EXIT.left : 0;
    const waiting = open.flatMap(({ run, standing }) => (standing.is === "awaits" ? [{ run, until: Math.round(standing.until) }] : []));
    if (context.json) printJson(context, { format: 1, exit, reverted: reports.map(runJson), awaiting: waiting, overdue });
    else if (reports.length === 0 && !signal && overdue.length === 0) print(context, "No run is overdue.\n");
    return exit;
  }
}

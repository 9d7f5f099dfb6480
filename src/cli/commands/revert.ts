import type { RunId } from "../../core/index.ts";
import type { LockedDirectory } from "../../journal/index.ts";
import { renderReport, runJson } from "../../report/index.ts";
import { type Context, EXIT, print, printJson, refuse } from "../context.ts";
import { collect, type LockOptions, lockOptions } from "../options.ts";
import { revertOverdue } from "../overdue.ts";
import { startReading } from "../stack.ts";
import { chooseRun, locked } from "../tools.ts";
import { undo } from "../undo.ts";
import type { CommandModule } from "./command.ts";

interface RevertOptions extends LockOptions {
  readonly stack?: string;
  readonly to?: string;
  readonly forceConflicts?: readonly string[];
  readonly var?: readonly string[];
  readonly yes?: boolean;
}

/** Undoes a run, or the done part of one that was interrupted. */
export const revert: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("undo the newest run, or the one named; what somebody changed since is kept and shown")
      .argument("[run]", "a run's id or its beginning")
      .option("--stack <name>", "the newest run of this stack")
      .option("--to <run>", "undo all later runs of its stack, newest first, so that all is as after this run")
      .option(
        "--force-conflicts <address>",
        "give up what somebody changed since of this resource or register, such as path:/etc/motd; it is kept (repeatable)",
        collect,
      )
      .option("--var <name=value>", "give a secret input its value again (repeatable)", collect)
      .option("-y, --yes", "do not ask")
      .addHelpText(
        "after",
        `
Exit codes: 0 undone, 6 something is kept or left (a later change by somebody, an effect without undo).

Examples:
  setpoint revert
  setpoint revert 20260801T101112000-1a2b3c
  setpoint revert --to 20260801T101112000-1a2b3c
  setpoint revert --force-conflicts path:/etc/motd`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: RevertOptions): Promise<number> {
    return locked(context, options, async (state) => {
      const runs = runsToUndo(context, state, args[0], options);
      await revertOverdue(context, state, startReading(context, state, { commands: true }).ledger, new Set(runs));
      if (!context.json && options.yes !== true && context.stdinIsTTY) {
        const answer = await context.ask(
          `Undo ${runs.length === 1 ? `run ${runs[0]}` : `these ${runs.length} runs: ${runs.join(", ")}`}? [y/N] `,
        );
        if (!/^y(es)?$/i.test(answer.trim())) {
          context.err.write("Nothing was changed.\n");
          return EXIT.failed;
        }
      }
      let exit = 0;
      for (const run of runs) {
        const report = await undo(context, state, run, { ...options, force: new Set(options.forceConflicts) });
        if (context.json) printJson(context, runJson(report));
        else print(context, renderReport(report, context.outStyle));
        if (report.exit !== 0) exit = report.exit;
        if (report.status === "revert-halted") return exit;
      }
      if (runs.length === 0)
        return refuse(
          context,
          [
            {
              code: "nothing-later",
              severity: "note",
              summary: "nothing to undo",
              detail: `no run of the stack is later than ${options.to}`,
            },
          ],
          0,
        );
      return exit;
    });
  },
};

/** Newest first; what was undone already is not undone again. */
function runsToUndo(context: Context, state: LockedDirectory, named: string | undefined, options: RevertOptions): readonly RunId[] {
  const reading = startReading(context, state, { commands: true });
  if (options.to === undefined) return [chooseRun(context, reading, named, options.stack, (status) => status !== "abandoned")];
  const to = chooseRun(context, reading, options.to, undefined, () => true);
  const stack = reading.ledger.runs.get(to)?.stack;
  return [...reading.ledger.runs.values()]
    .filter((line) => line.stack === stack && line.run > to && line.status !== "reverted" && line.status !== "abandoned")
    .map((line) => line.run)
    .sort()
    .reverse();
}

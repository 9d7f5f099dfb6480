import { resumeRun } from "../../engine/index.ts";
import { isOpen } from "../../journal/index.ts";
import { renderReport, runJson } from "../../report/index.ts";
import { type Context, print, printJson } from "../context.ts";
import { collect, type LockOptions, lockOptions } from "../options.ts";
import { awaited, awaitedText, confirmStatusIn, restartReverter, revertOverdue } from "../overdue.ts";
import { secretsOf } from "../secrets.ts";
import { startReading, vaultFor } from "../stack.ts";
import { chooseRun, locked, toolsFor, viewFor } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface ResumeOptions extends LockOptions {
  readonly stack?: string;
  readonly forceConflicts?: readonly string[];
  readonly var?: readonly string[];
}

/** Goes on with an interrupted run, from its frozen plan and journal alone. */
export const resume: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("go on with the last interrupted run, or the one named")
      .argument("[run]", "a run's id or its beginning")
      .option("--stack <name>", "the newest interrupted run of this stack")
      .option(
        "--force-conflicts <address>",
        "give up what somebody made of this resource or register, such as path:/etc/motd; it is kept, and a revert puts it back (repeatable)",
        collect,
      )
      .option("--var <name=value>", "give a secret input its value again (repeatable)", collect)
      .addHelpText(
        "after",
        `
Neither playbook nor sources are needed: the plan was frozen when the run began. What somebody changed
since is left alone and shown as a conflict, until --force-conflicts names it.

Examples:
  setpoint resume
  setpoint resume 20260801T101112000-1a2b3c
  setpoint resume --stack web
  setpoint resume --force-conflicts file:/etc/motd`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: ResumeOptions): Promise<number> {
    return locked(context, options, async (state) => {
      let reading = startReading(context, state, { commands: true });
      if (await revertOverdue(context, state, reading.ledger)) reading = startReading(context, state, { commands: true });
      const run = chooseRun(context, reading, args[0], options.stack, (status) => isOpen(status as never) || status === "applied");
      const folder = state.runFolder(run);
      const plan = folder.plan();
      const vault = vaultFor(context, reading, await secretsOf(context, plan, options));
      const view = viewFor(context, plan);
      const tools = toolsFor(context, state, reading, vault, view);
      try {
        restartReverter(context, state, run, options);
        const report = vault.seal(await resumeRun(tools, folder, { force: new Set(options.forceConflicts) }));
        view.close();
        const confirm = awaited(run, confirmStatusIn(context, state, run));
        if (context.json) printJson(context, { ...runJson(report), ...(confirm && { confirm }) });
        else print(context, renderReport(report, context.outStyle) + (confirm ? awaitedText(confirm) : ""));
        return report.exit;
      } finally {
        view.close();
        context.system.processes.endAll();
      }
    });
  },
};

import { type Abandoned, abandonRun } from "../../engine/index.ts";
import { isOpen } from "../../journal/index.ts";
import { safeLine } from "../../report/index.ts";
import { type Context, EXIT, print, printJson } from "../context.ts";
import { type LockOptions, lockOptions } from "../options.ts";
import { startReading, vaultFor } from "../stack.ts";
import { chooseRun, locked, toolsFor, viewFor } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface AbandonOptions extends LockOptions {
  readonly yes?: boolean;
}

/** Gives up an open run. */
export const abandon: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("give up an open run: nothing more of it is done or undone; says what is left")
      .argument("<run>", "a run's id or its beginning")
      .option("-y, --yes", "do not ask")
      .addHelpText(
        "after",
        `
What the run did stays, and can no longer be reverted: \`setpoint resume\` or \`setpoint revert\` is better where either works.

Examples:
  setpoint abandon 20260801T101112000-1a2b3c`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: AbandonOptions): Promise<number> {
    return locked(context, options, async (state) => {
      const reading = startReading(context, state, { commands: false });
      const run = chooseRun(context, reading, args[0], undefined, (status) => isOpen(status as never));
      if (!context.json && options.yes !== true && context.stdinIsTTY) {
        const said = await context.ask(`Give up run ${run}? What it did stays, and cannot be reverted any more. [y/N] `);
        if (!/^y(es)?$/i.test(said.trim())) {
          context.err.write("Nothing was changed.\n");
          return EXIT.failed;
        }
      }
      const tools = toolsFor(context, state, reading, vaultFor(context, reading, []), viewFor(context));
      return tell(context, abandonRun(tools, state.runFolder(run)));
    });
  },
};

function tell(context: Context, { run, stack, done, left, damaged }: Abandoned): number {
  if (context.json) {
    printJson(context, {
      format: 1,
      run,
      stack,
      status: "abandoned",
      done,
      left: left.map(({ register, why }) => ({ register, why })),
      ...(damaged !== undefined && { damaged }),
    });
    return 0;
  }
  const lines = [`Run ${run} of ${stack} is given up.`];
  if (done.length > 0) lines.push("It did this, and it stays:", ...done.map((register) => `  ${safeLine(register)}`));
  if (left.length > 0) lines.push("It left this:", ...left.map(({ register, why }) => `  ${safeLine(register)}  ${safeLine(why)}`));
  if (damaged !== undefined)
    lines.push(`Its damaged journal is kept as ${damaged}; \`setpoint show ${run} --salvage\` lists what can be read.`);
  print(context, `${lines.join("\n")}\n`);
  return 0;
}

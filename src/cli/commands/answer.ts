import { type Answered, answerRun } from "../../engine/index.ts";
import { isOpen } from "../../journal/index.ts";
import { type Context, EXIT, print, printJson, refuse, UsageError } from "../context.ts";
import { type LockOptions, lockOptions } from "../options.ts";
import { startReading, vaultFor } from "../stack.ts";
import { locked, toolsFor, viewFor } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface AnswerOptions extends LockOptions {
  readonly stack?: string;
}

/** Says of an effect in doubt whether it happened. */
export const answer: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("say of an effect in doubt whether it happened; the run can then be resumed or reverted")
      .argument("<address>", "the resource's address, as `setpoint status` shows it")
      .argument("<happened|not>", "what you found out")
      .option("--stack <name>", "of this stack")
      .addHelpText(
        "after",
        `
A command that was begun when setpoint was killed, and of which no guard tells whether it did its work, is in doubt: setpoint
neither repeats nor forgets it until you say what happened.

Examples:
  setpoint answer 'command:charge the card' happened
  setpoint answer 'command:charge the card' not && setpoint resume`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: AnswerOptions): Promise<number> {
    const [address = "", said] = args;
    if (said !== "happened" && said !== "not")
      throw new UsageError(`say \`happened\` or \`not\`, not ${JSON.stringify(said)}: setpoint answer '${address}' happened`);
    return locked(context, options, async (state) => {
      const reading = startReading(context, state, { commands: false });
      const tools = toolsFor(context, state, reading, vaultFor(context, reading, []), viewFor(context));
      const left = new Set([...reading.ledger.receipts.values()].flatMap(({ run, doubt }) => (doubt === undefined ? [] : [run])));
      const open = [...reading.ledger.runs.values()]
        .filter((line) => (isOpen(line.status) || left.has(line.run)) && (options.stack === undefined || line.stack === options.stack))
        .sort((a, b) => (a.run < b.run ? 1 : -1));
      for (const { run } of open) {
        const answered = answerRun(tools, state.runFolder(run), address, said === "happened");
        if (answered) return tell(context, address, said, answered);
      }
      return refuse(
        context,
        [
          {
            code: "not-in-doubt",
            severity: "error",
            summary: "nothing of that address is in doubt",
            detail: `no run has an action of ${address} that is in doubt; \`setpoint status\` lists what is`,
          },
        ],
        EXIT.failed,
      );
    });
  },
};

function tell(context: Context, address: string, said: "happened" | "not", { run, register, status }: Answered): number {
  const next = isOpen(status) ? `setpoint resume ${run}` : "apply its playbook again";
  if (context.json) printJson(context, { format: 1, address, register, run, happened: said === "happened", next });
  else
    print(
      context,
      `${address}: ${said === "happened" ? "it happened, and is not done again" : "it did not happen, and is still to be done"}.\nNext: ${next}\n`,
    );
  return 0;
}

import type { RunLine } from "../../journal/index.ts";
import { renderHistory, type Unconfirmed } from "../../report/index.ts";
import { type Context, localTime, print, printJson, readState, UsageError } from "../context.ts";
import { awaitedNow, historyRow } from "../history-row.ts";
import type { CommandModule } from "./command.ts";

interface HistoryOptions {
  readonly stack?: string;
  readonly limit?: string;
}

/** Past and open runs, newest first. */
export const history: CommandModule = {
  define(command) {
    command
      .description("list the runs, newest first")
      .option("--stack <name>", "only the runs of this stack")
      .option("-n, --limit <number>", "at most so many")
      .addHelpText(
        "after",
        `
Examples:
  setpoint history
  setpoint history --stack web --limit 5
  setpoint history --json | jq -r '.runs[0].run'`,
      );
  },

  async run(context: Context, _args: readonly (string | undefined)[], options: HistoryOptions): Promise<number> {
    const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit);
    if (!(limit > 0) || (options.limit !== undefined && !Number.isInteger(limit)))
      throw new UsageError(`--limit takes a number above 0, not ${JSON.stringify(options.limit)}`);
    const lines = [...readState(context).ledger().runs.values()]
      .filter((line) => options.stack === undefined || line.stack === options.stack)
      .sort((a, b) => (a.run < b.run ? 1 : -1))
      .slice(0, limit);
    const { clock } = context.system;
    if (context.json) printJson(context, { format: 1, runs: lines.map((line) => lineJson(line, awaitedNow(line, clock))) });
    else
      print(
        context,
        renderHistory(
          lines.map((line) => historyRow(line, clock)),
          context.outStyle,
          localTime,
        ),
      );
    return 0;
  },
};

function lineJson(
  { run, stack, plan, kind, status, began, ended, exit, changed, left, conflicts, failed }: RunLine,
  confirm: Unconfirmed | undefined,
) {
  return { run, stack, kind, status, exit, began, ended, changed, left, conflicts, failed, plan, ...(confirm && { confirm: { ...confirm } }) };
}

import type { RunLine } from "../../journal/index.ts";
import { renderHistory, type Unconfirmed } from "../../report/index.ts";
import { type Context, localTime, print, printJson, readState, UsageError } from "../context.ts";
import { awaitedNow, historyRow } from "../history-row.ts";
import { showPast } from "../past.ts";
import type { CommandModule } from "./command.ts";

interface HistoryOptions {
  readonly stack?: string;
  readonly limit?: string;
  readonly at?: string;
  readonly content?: string;
}

/** Past and open runs, newest first; or what was managed at a moment of the past. */
export const history: CommandModule = {
  define(command) {
    command
      .description("list the runs, newest first; or show in which state everything was at a moment of the past")
      .option("--stack <name>", "only the runs of this stack")
      .option("-n, --limit <number>", "at most so many")
      .option("--at <time>", "not the runs but the state of all that is managed, at this time or right after this run")
      .option("--content <register>", "with --at: write out the content that a register had then")
      .addHelpText(
        "after",
        `
--at takes a date and time as history shows it (local, unless it ends in Z or an offset) or a run's id or its beginning. What it
shows comes from the frozen plans and journals alone: what runs set, and what they found; nothing is read from the machine. Of
runs that gc gave up nothing is known. Sensitive contents are never written out.

Examples:
  setpoint history
  setpoint history --stack web --limit 5
  setpoint history --at '2026-08-01 10:15'
  setpoint history --at 20260801T101112000-1a2b3c --content /etc/motd
  setpoint history --json | jq -r '.runs[0].run'`,
      );
  },

  async run(context: Context, _args: readonly (string | undefined)[], options: HistoryOptions): Promise<number> {
    const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit);
    if (!(limit > 0) || (options.limit !== undefined && !Number.isInteger(limit)))
      throw new UsageError(`--limit takes a number above 0, not ${JSON.stringify(options.limit)}`);
    if (options.at !== undefined) return showPast(context, options.at, options);
    if (options.content !== undefined) throw new UsageError("--content says what a register held then: say when, with --at");
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
  return {
    run,
    stack,
    kind,
    status,
    exit,
    began,
    ended,
    changed,
    left,
    conflicts,
    failed,
    plan,
    ...(confirm && { confirm: { ...confirm } }),
  };
}

import type { RegisterId, State } from "../../core/index.ts";
import { formatBytes } from "../../core/index.ts";
import { judgeRetention, type Retention, type RetentionRule, retain } from "../../journal/index.ts";
import { kinds } from "../../registers/index.ts";
import { type Context, print, printJson, readState, UsageError } from "../context.ts";
import { type LockOptions, lockOptions } from "../options.ts";
import { revertOverdue } from "../overdue.ts";
import { locked } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface GcOptions extends LockOptions {
  readonly keep: string;
  readonly days: string;
  readonly dryRun?: boolean;
}

/** Gives up old runs and what nobody needs any more of contents. */
export const gc: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("remove old runs and the contents that nobody needs any more")
      .option("--keep <number>", "so many of the newest runs stay", "20")
      .option("--days <number>", "runs that ended within so many days stay", "30")
      .option("--dry-run", "only say what would go")
      .addHelpText(
        "after",
        `
A run stays if --keep or --days says so. Open runs and the newest run of each stack always stay, and so does what is known of
ownership and receipts: only the undoing of old runs is given up. Killed anywhere, it can be run again.

Examples:
  setpoint gc --dry-run
  setpoint gc
  setpoint gc --keep 5 --days 7`,
      );
  },

  async run(context: Context, _args: readonly (string | undefined)[], options: GcOptions): Promise<number> {
    const rule: RetentionRule = { keep: count("--keep", options.keep), days: count("--days", options.days) };
    if (options.dryRun) {
      const state = readState(context);
      return tell(context, judgeRetention(context.system, state, state.ledger(), rule), true);
    }
    if (!readState(context).exists()) return tell(context, { runs: [], blobs: [], bytes: 0 }, false);
    return locked(context, options, async (state) => {
      await revertOverdue(context, state, state.ledger());
      return tell(context, retain(context.system, state, rule, contentsOf), false);
    });
  },
};

function count(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new UsageError(`${option} takes a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function contentsOf(register: RegisterId, state: State) {
  return kinds.get(register.slice(0, register.indexOf(":")))?.contents?.(state) ?? [];
}

function tell(context: Context, { runs, blobs, bytes }: Retention, dryRun: boolean): number {
  if (context.json) printJson(context, { format: 1, dry_run: dryRun, runs, blobs: blobs.map(({ digest }) => digest), bytes });
  else if (runs.length === 0 && blobs.length === 0 && bytes === 0) print(context, "Nothing is old enough to go.\n");
  else {
    for (const run of runs) print(context, `${dryRun ? "would remove" : "removed"} run ${run}\n`);
    print(
      context,
      `${dryRun ? "Would remove" : "Removed"} ${counted(runs.length, "run")} and ${counted(blobs.length, "content")}: ${formatBytes(bytes)}.\n`,
    );
  }
  return 0;
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

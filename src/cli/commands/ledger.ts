import { type RunId, SystemFault } from "../../core/index.ts";
import {
  type Ledger,
  type LedgerDifference,
  ledgerBytes,
  ledgerDifferences,
  readLedger,
  type StateDirectory,
} from "../../journal/index.ts";
import { safeLine } from "../../report/index.ts";
import { readWhole } from "../../system/index.ts";
import { type Context, EXIT, print, printJson, readState, refuse, UsageError } from "../context.ts";
import { type LockOptions, lockOptions } from "../options.ts";
import { locked } from "../tools.ts";
import type { CommandModule } from "./command.ts";

interface LedgerOptions extends LockOptions {
  readonly check?: boolean;
  readonly withoutUnreadable?: boolean;
}

/** The ledger against what the journals say. */
interface Compared {
  /**
   * | status | the file |
   * | --- | --- |
   * | equal | has the very bytes that the journals give |
   * | behind | has them once it takes in the news of runs that were killed, as every command does |
   * | different, damaged, missing | is to be rebuilt |
   */
  readonly status: "equal" | "behind" | "different" | "damaged" | "missing";
  readonly rebuilt: Ledger;
  readonly differences: readonly LedgerDifference[];
  /** Runs with news that the file does not have. */
  readonly behind: readonly RunId[];
  /** Runs whose journal or plan cannot be read. */
  readonly unreadable: readonly RunId[];
}

/** Makes the read model anew from the journals, or says how it differs. */
export const ledger: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("make the ledger anew from the journals, or say how it differs from what they tell")
      .argument("<rebuild>", "what to do: rebuild")
      .option("--check", "change nothing; say what differs")
      .option("--without-unreadable", "rebuild although there are runs whose journal or plan cannot be read")
      .addHelpText(
        "after",
        `
The ledger (ownership, receipts, counts, runs) is a read model: everything in it follows from runs/*/journal, the frozen plans
and what gc keeps in runs/base, to the byte. A rebuild gives exactly what was kept all along, so a difference means that the
file was edited, damaged, or put back from a backup.

Exit codes: 0 the same, 2 with --check if it differs.

Examples:
  setpoint ledger rebuild --check
  setpoint ledger rebuild
  setpoint ledger rebuild --check --json | jq '.differences[].of'`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: LedgerOptions): Promise<number> {
    const [what] = args;
    if (what !== "rebuild") throw new UsageError(`there is \`setpoint ledger rebuild\`, and not ${JSON.stringify(what)}`);
    if (options.check || !readState(context).exists()) {
      const compared = compare(context, readState(context));
      return tell(context, compared, false, compared.status === "equal" || compared.status === "behind" ? 0 : EXIT.changes);
    }
    return locked(context, options, async (state) => {
      const compared = compare(context, state);
      const { unreadable, status } = compared;
      // Of a damaged or missing ledger there is nothing to be lost.
      if (unreadable.length > 0 && status !== "damaged" && status !== "missing" && options.withoutUnreadable !== true)
        return refuse(context, unreadable.map(unreadableProblem), EXIT.failed);
      if (status !== "equal") state.writeLedger(compared.rebuilt);
      return tell(context, compared, status !== "equal", 0);
    });
  },
};

function unreadableProblem(run: RunId) {
  return {
    code: "unreadable-run",
    severity: "error" as const,
    summary: "a run that cannot be read",
    detail: `the journal or plan of run ${run} is damaged or missing, and what only the ledger still knows of it would be lost: the ledger is left as it is. \`setpoint doctor\` says what is wrong; --without-unreadable rebuilds it all the same`,
  };
}

function compare(context: Context, state: StateDirectory): Compared {
  const path = `${state.path}/ledger`;
  const rebuilt = state.rebuiltLedger();
  const wanted = ledgerBytes(rebuilt);
  const there = readWhole(context.system.files, path);
  const unreadable = [...rebuilt.runs.values()].filter(({ size }) => size === 0).map(({ run }) => run);
  const known = { rebuilt, unreadable, differences: [], behind: [] };
  if (there === undefined) return { ...known, status: rebuilt.runs.size === 0 ? "equal" : "missing" };
  if (there.equals(wanted)) return { ...known, status: "equal" };
  const kept = readAnyhow(context, path);
  if (kept === undefined) return { ...known, status: "damaged" };
  const text = rebuilt.toText();
  const withNews = state.ledger();
  const behind = [...withNews.runs.values()].filter(({ run, size }) => kept.runs.get(run)?.size !== size).map(({ run }) => run);
  const differences = ledgerDifferences(withNews.toText(), text);
  return { ...known, status: differences.length === 0 && behind.length > 0 ? "behind" : "different", differences, behind };
}

function readAnyhow(context: Context, path: string): Ledger | undefined {
  try {
    return readLedger(context.system.files, path);
  } catch (thrown) {
    if (thrown instanceof SystemFault && thrown.code === "damaged-ledger") return undefined;
    throw thrown;
  }
}

function tell(context: Context, { status, rebuilt, differences, behind, unreadable }: Compared, written: boolean, exit: number): number {
  const facts = { status, runs: rebuilt.runs.size, written };
  if (context.json) {
    printJson(context, { format: 1, ...facts, differences: differences.map((one) => ({ ...one })), behind, unreadable });
    return exit;
  }
  const lines = [
    ...differences.map(({ of, kept, rebuilt: other }) => {
      const how = kept === undefined ? "only the journals tell it" : other === undefined ? "only the ledger has it" : "they differ";
      return `  ${safeLine(of)}: ${how}${kept !== undefined && other !== undefined ? `\n    ledger    ${safeLine(kept)}\n    journals  ${safeLine(other)}` : ""}`;
    }),
    ...unreadable.map((run) => `  run ${run} cannot be read: \`setpoint doctor\` says why`),
  ];
  print(context, `${[`${heading(status, behind, written)}`, ...lines].join("\n")}\n`);
  return exit;
}

function heading(status: Compared["status"], behind: readonly RunId[], written: boolean): string {
  const done = written ? ": it is made anew from the journals." : ": `setpoint ledger rebuild` makes it anew.";
  switch (status) {
    case "equal":
      return "The ledger is what the journals tell, to the byte.";
    case "behind":
      return written
        ? "The ledger has now taken in all that the journals tell."
        : `The ledger is what the journals tell; the next command takes in the news of ${behind.join(", ")}.`;
    case "damaged":
      return `The ledger cannot be read${done}`;
    case "missing":
      return `There is no ledger${done}`;
    case "different":
      return `The ledger is not what the journals tell${done}`;
  }
}

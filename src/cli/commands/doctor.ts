import { safeLine } from "../../report/index.ts";
import { type Context, EXIT, print, printJson } from "../context.ts";
import { type Check, checkAll } from "../doctor-checks.ts";
import { mendAll } from "../doctor-mends.ts";
import { type LockOptions, lockOptions } from "../options.ts";
import type { CommandModule } from "./command.ts";

interface DoctorOptions extends LockOptions {
  readonly fix?: boolean;
  readonly deep?: boolean;
}

/** Looks whether setpoint can work here and whether what it keeps is whole. */
export const doctor: CommandModule = {
  define(command) {
    lockOptions(command)
      .description("check whether setpoint can work here and whether what it keeps is whole")
      .option("--fix", "mend what can be mended without a risk")
      .option("--deep", "also read every kept content and check its digest")
      .addHelpText(
        "after",
        `
--fix closes the state directory to others, removes the remains of runs that never began, and rebuilds a missing or damaged
ledger from the journals. It touches no journal.

Exit codes: 0 no check fails, 1 one does.

Examples:
  setpoint doctor
  setpoint doctor --deep
  setpoint doctor --fix`,
      );
  },

  async run(context: Context, _args: readonly (string | undefined)[], options: DoctorOptions): Promise<number> {
    const fixed = options.fix === true ? await mendAll(context, options) : { ok: true as const, value: [] };
    if (!fixed.ok) return fixed.exit;
    const checks = checkAll(context, options.deep === true);
    const exit = checks.some(({ status }) => status === "fail") ? EXIT.failed : 0;
    if (context.json) printJson(context, { format: 1, exit, fixed: fixed.value, checks });
    else {
      for (const what of fixed.value) print(context, `mended: ${safeLine(what)}\n`);
      for (const check of checks) print(context, textOf(check));
    }
    return exit;
  },
};

function textOf({ name, status, says, mend }: Check): string {
  const head = `${status.padEnd(4)}  ${safeLine(name)}: ${safeLine(says)}\n`;
  return mend === undefined ? head : `${head}      ${safeLine(mend)}\n`;
}

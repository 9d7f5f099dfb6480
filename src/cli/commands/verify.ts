import { sealedPlan } from "../../engine/index.ts";
import { planJson, renderPlan } from "../../report/index.ts";
import { type Context, EXIT, print, printJson, readState, refuse, UsageError } from "../context.ts";
import { lookOf } from "../look.ts";
import { type PlaybookOptions, playbookOptions } from "../options.ts";
import { planStack, readPlaybook, readText, startReading } from "../stack.ts";
import type { CommandModule } from "./command.ts";

/** Does the system still match? Reads and compares, never writes. */
export const verify: CommandModule = {
  define(command) {
    playbookOptions(command)
      .description("check that the system is as declared; change nothing")
      .argument("<playbook...>", "playbooks")
      .addHelpText(
        "after",
        `
Exit codes: 0 everything is as declared, 2 something is not, 3 the playbook is invalid.

Examples:
  setpoint verify site.yaml
  setpoint verify site.yaml --json`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: PlaybookOptions): Promise<number> {
    const files = args.filter((file): file is string => file !== undefined);
    if (files.length === 0) throw new UsageError("verify needs a playbook: setpoint verify site.yaml");
    let exit = 0;
    for (const file of files) {
      const reading = startReading(context, readState(context), { commands: options.commands });
      const loaded = await readPlaybook(context, file, readText(context, file), options);
      if (!loaded.ok) return refuse(context, loaded.problems, EXIT.invalid);
      const planned = await planStack(context, loaded.value, reading, options);
      if (!planned.ok) return refuse(context, planned.problems, EXIT.invalid);
      const { plan, vault } = planned.value;
      const matches = plan.changes.length === 0;
      if (!matches) exit = EXIT.changes;
      if (context.json) printJson(context, planJson(vault.seal({ ...plan, digest: sealedPlan(plan, { vault }).digest }), { matches }));
      else if (matches) print(context, `As declared: ${plan.summary.resources} resources, ${plan.summary.registers} registers.\n`);
      else print(context, await renderPlan(plan, lookOf(reading.contents, vault), { ...context.outStyle, full: options.full === true }));
    }
    return exit;
  },
};

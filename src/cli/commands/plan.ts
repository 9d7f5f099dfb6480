import type { Plan } from "../../core/index.ts";
import { sealedPlan } from "../../engine/index.ts";
import { LockedDirectory } from "../../journal/index.ts";
import { markdownReport, planJson, renderPlan } from "../../report/index.ts";
import { type Context, EXIT, print, printAnnotations, printJson, readState, refuse, showProblems, UsageError } from "../context.ts";
import { lookOf } from "../look.ts";
import { type PlaybookOptions, playbookOptions } from "../options.ts";
import { savePlan, writeReports } from "../output.ts";
import { rebase } from "../rebase.ts";
import { type PlannedStack, planStack, readPlaybook, readText, startReading } from "../stack.ts";
import type { CommandModule } from "./command.ts";

interface PlanOptions extends PlaybookOptions {
  readonly out?: string;
  readonly rebase?: string;
  readonly report?: readonly string[];
}

/** What would change, as a diff; changes nothing. */
export const plan: CommandModule = {
  define(command) {
    playbookOptions(command)
      .description("show what would change, as a diff; change nothing")
      .argument("[playbook...]", "playbooks, one after another", [])
      .option("-o, --out <file>", "save the plan, to be applied exactly as it is")
      .option("--rebase <plan>", "plan anew what moved since a saved plan was made, without its playbook")
      .option("--report <form=file>", "write a report besides: markdown=FILE (repeatable)", (value: string, all: string[] = []) => [
        ...all,
        value,
      ])
      .addHelpText(
        "after",
        `
Exit codes: 0 everything is as declared, 2 there are changes, 3 the playbook is invalid.

Examples:
  setpoint plan site.yaml
  setpoint plan site.yaml -o site.plan         save it, have it reviewed, then: setpoint apply site.plan
  setpoint plan site.yaml --only 'file:/etc/*'
  setpoint plan --rebase site.plan -o new.plan
  setpoint plan site.yaml --report markdown=plan.md`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: PlanOptions): Promise<number> {
    const files = args.filter((file): file is string => file !== undefined);
    if (options.rebase !== undefined) return rebase(context, options.rebase, options.out);
    if (files.length === 0) throw new UsageError("plan needs a playbook: setpoint plan site.yaml");
    if (files.length > 1 && options.out !== undefined) throw new UsageError("-o saves the plan of one playbook, and several are given");
    // Fingerprints in a saved plan need the state directory's key: it is made if there is none, before the first of them.
    if (options.out !== undefined && !readState(context).hasKeys()) await makeKeys(context);
    let exit = 0;
    const shown: Plan[] = [];
    for (const file of files) {
      const reading = startReading(context, readState(context), { commands: options.commands });
      const loaded = await readPlaybook(context, file, readText(context, file), options);
      if (!loaded.ok) return invalid(context, loaded.problems);
      const planned = await planStack(context, loaded.value, reading, options);
      if (!planned.ok) return invalid(context, planned.problems);
      await show(context, planned.value, options);
      shown.push(planned.value.plan);
      if (planned.value.plan.changes.length > 0) exit = EXIT.changes;
    }
    return exit;
  },
};

function invalid(context: Context, problems: Parameters<typeof refuse>[1]): number {
  if (context.github && !context.json) printAnnotations(context, problems);
  return refuse(context, problems, EXIT.invalid);
}

async function show(context: Context, planned: PlannedStack, options: PlanOptions): Promise<void> {
  let { plan: made } = planned;
  if (options.out !== undefined) {
    made = await savePlan(context, planned, options.out);
  } else if (context.json) {
    made = { ...made, digest: sealedPlan(made, planned).digest };
  }
  const look = lookOf(planned.reading.contents, planned.vault);
  showProblems(context, planned.problems);
  if (context.json) printJson(context, planJson(planned.vault.seal(made)));
  else print(context, await renderPlan(made, look, { ...context.outStyle, full: options.full === true }));
  await writeReports(context, options.report, () => markdownReport(planned.vault.seal(made), undefined, look));
}

async function makeKeys(context: Context): Promise<void> {
  const locked = await LockedDirectory.lock(context.system, context.stateDirectory, { patience: 10_000, weak: false });
  locked?.unlock();
}

import { type Problem, type ResourceType, SystemFault } from "../../core/index.ts";
import { eventProblems, type Linted, outlinePlaybook } from "../../playbook/index.ts";
import { problemCounts, problemsJson } from "../../report/index.ts";
import { allTypes } from "../../resources/index.ts";
import { type Context, EXIT, print, printAnnotations, printJson, showProblems, UsageError } from "../context.ts";
import { readText } from "../stack.ts";
import type { CommandModule } from "./command.ts";

/** Checks playbooks without any look at the system, and without values of inputs. */
export const lint: CommandModule = {
  define(command) {
    command
      .description("check playbooks without any look at the system; all problems at once")
      .argument("[playbook...]", "playbooks", [])
      .addHelpText(
        "after",
        `
Inputs need no value, and nothing of the machine is read: what depends on them is checked by \`plan\`.
Given several playbooks it also looks for events that nobody hears or emits, and for stacks that make each other due in a circle.

Exit codes: 0 nothing is wrong (there may be warnings), 3 something is.

Examples:
  setpoint lint site.yaml
  setpoint lint playbooks/*.yaml
  setpoint lint site.yaml --json`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
    const files = args.filter((file): file is string => file !== undefined);
    if (files.length === 0) throw new UsageError("lint needs a playbook: setpoint lint site.yaml, or setpoint lint *.yaml");
    const types = new Map((await allTypes()).map((type) => [type.type, type]));
    const linted: Linted[] = [];
    for (const file of files) linted.push(await lintFile(context, file, types));
    const outlines = linted.flatMap(({ outline }) => outline ?? []);
    const problems = [...linted.flatMap((one) => one.problems), ...eventProblems(outlines)];
    const failed = problems.some(({ severity }) => severity === "error");
    const exit = failed ? EXIT.invalid : 0;
    if (context.json) printJson(context, { format: 1, exit, files, problems: problemsJson(problems) });
    else {
      if (context.github) printAnnotations(context, problems);
      showProblems(context, problems);
      if (!failed) print(context, `${files.length === 1 ? `${files[0]} holds` : `${files.length} playbooks hold`}${noted(problems)}\n`);
    }
    return exit;
  },
};

function noted(problems: readonly Problem[]): string {
  return problems.length === 0 ? "" : ` (${problemCounts(problems)})`;
}

/** One playbook that cannot be read keeps no other from being checked. */
async function lintFile(context: Context, file: string, types: ReadonlyMap<string, ResourceType>): Promise<Linted> {
  let text: string;
  try {
    text = readText(context, file);
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    const problem: Problem = { code: "cannot-read", severity: "error", summary: "a playbook cannot be read", detail: thrown.message };
    return { problems: [problem], outline: undefined };
  }
  return outlinePlaybook(text, file, types);
}

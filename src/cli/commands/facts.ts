import { isObject, type JsonObject } from "../../core/index.ts";
import { safeLine } from "../../report/index.ts";
import { gatherFacts } from "../../system/index.ts";
import { type Context, print, printJson } from "../context.ts";
import type { CommandModule } from "./command.ts";

/** What playbooks may ask of this machine as `facts.…`. */
export const facts: CommandModule = {
  define(command) {
    command.description("show what playbooks may ask of this machine as facts.…").addHelpText(
      "after",
      `
Examples:
  setpoint facts
  setpoint facts --json | jq -r .os.family`,
    );
  },

  async run(context: Context): Promise<number> {
    const found = gatherFacts(context.system);
    if (context.json) printJson(context, found);
    else print(context, linesOf(found, "facts").join(""));
    return 0;
  },
};

/** A line for each value, under the name by which an expression has it. */
function linesOf(map: JsonObject, name: string): readonly string[] {
  return Object.entries(map).flatMap(([key, value]) =>
    isObject(value) ? linesOf(value, `${name}.${key}`) : [`${name}.${key} = ${safeLine(JSON.stringify(value))}\n`],
  );
}

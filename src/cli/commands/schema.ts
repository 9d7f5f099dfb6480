import { type JsonObject, schemaOf } from "../../core/index.ts";
import { playbookSchema } from "../../playbook/index.ts";
import { allTypes } from "../../resources/index.ts";
import { type Context, printJson, UsageError } from "../context.ts";
import { planSchema, runSchema } from "../json-schemas.ts";
import type { CommandModule } from "./command.ts";

const makers: { readonly [name: string]: () => Promise<JsonObject> } = {
  playbook: async () => playbookSchema(new Map((await allTypes()).map((type) => [type.type, type]))),
  plan: async () => planSchema,
  run: async () => runSchema,
  types: async () => ({
    format: 1,
    types: (await allTypes()).map(({ type, summary, notes, example, fields, many }) => ({
      type,
      summary,
      ...(notes !== undefined && { notes }),
      many: many === true,
      example,
      fields: schemaOf(fields),
    })),
  }),
};

/** JSON Schemas: of playbooks for editors, of what `--json` prints for tools. */
export const schema: CommandModule = {
  define(command) {
    command
      .description("print the JSON Schema of a playbook, of a plan's or run's --json, or what the types are")
      .argument("[what]", Object.keys(makers).join(", "), "playbook")
      .addHelpText(
        "after",
        `
Examples:
  setpoint schema > setpoint.schema.json     then, as the first line of a playbook:
                                             # yaml-language-server: $schema=./setpoint.schema.json
  setpoint schema plan                       of \`setpoint plan --json\`
  setpoint schema run                        of \`setpoint apply --json\`, resume and revert
  setpoint schema types                      every type with its fields and an example`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
    const [what = "playbook"] = args;
    const make = Object.hasOwn(makers, what) ? makers[what] : undefined;
    if (make === undefined) throw new UsageError(`there is no schema \`${what}\`; there are ${Object.keys(makers).join(", ")}`);
    printJson(context, await make());
    return 0;
  },
};

import { isObject, type Json, type Plan } from "../core/index.ts";
import type { Secret } from "../engine/index.ts";
import { readWhole } from "../system/index.ts";
import type { Context } from "./context.ts";
import { variables } from "./options.ts";

/**
 * The secrets that a stored plan names, from --var, the environment or their declared source; a secret that is nowhere is
 * left out, and asked for where it is used. Secrets themselves are kept nowhere.
 */
export async function secretsOf(context: Context, plan: Plan, options: { readonly var?: readonly string[] }): Promise<readonly Secret[]> {
  const given = new Map(variables(options.var).map(({ name, value }) => [name, value]));
  const found: Secret[] = [];
  for (const [name, input] of Object.entries(plan.inputs)) {
    if (!isObject(input) || input.$secret === undefined) continue;
    const value = given.get(name) ?? context.system.host.env[`SETPOINT_VAR_${name}`] ?? fromSource(context, plan, input.from);
    if (value === undefined) continue;
    for (const text of textsOf(value, input.type)) if (text !== "") found.push({ name, value: text });
  }
  return found;
}

/** A list or map is given as JSON, and each text in it is a secret. */
function textsOf(value: string, type: unknown): readonly string[] {
  if (type !== "list" && type !== "map") return [value];
  try {
    return leaves(JSON.parse(value) as Json);
  } catch {
    return [value]; // YAML, or not what it should be: what needs a part of it will say that it is missing
  }
}

function leaves(value: Json): readonly string[] {
  if (typeof value !== "object") return [String(value)];
  return value === null ? [] : Object.values(value).flatMap(leaves);
}

function fromSource(context: Context, plan: Plan, from: unknown): string | undefined {
  if (!isObject(from)) return undefined;
  const { host, files, processes } = context.system;
  if (typeof from.env === "string") return host.env[from.env];
  const book = plan.playbooks[0]?.file ?? "";
  const folder = (book.startsWith("/") ? book : `${host.cwd}/${book}`).replace(/\/[^/]*$/, "");
  if (typeof from.file === "string")
    return readWhole(files, from.file.startsWith("/") ? from.file : `${folder}/${from.file}`)
      ?.toString("utf8")
      .replace(/\r?\n$/, "");
  if (Array.isArray(from.command)) {
    const ran = processes.runNow({ argv: from.command as string[], cwd: folder, timeout: 60_000 });
    return ran.code === 0 ? ran.stdout.replace(/\r?\n$/, "") : undefined;
  }
  return undefined;
}

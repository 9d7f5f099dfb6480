import type { RunId, RunReport } from "../core/index.ts";
import { type RevertOptions, revertRun } from "../engine/index.ts";
import type { LockedDirectory } from "../journal/index.ts";
import type { Context } from "./context.ts";
import { secretsOf } from "./secrets.ts";
import { startReading, vaultFor } from "./stack.ts";
import { toolsFor, viewFor } from "./tools.ts";

/** Undoes one run, showing its progress. Throws SystemFault. */
export async function undo(
  context: Context,
  state: LockedDirectory,
  run: RunId,
  options: RevertOptions & { readonly var?: readonly string[] },
): Promise<RunReport> {
  const reading = startReading(context, state, { commands: true });
  const folder = state.runFolder(run);
  const plan = folder.plan();
  const vault = vaultFor(context, reading, await secretsOf(context, plan, options));
  const view = viewFor(context, plan);
  const tools = toolsFor(context, state, reading, vault, view);
  try {
    return vault.seal(await revertRun(tools, folder, options));
  } finally {
    view.close();
    context.system.processes.endAll();
  }
}

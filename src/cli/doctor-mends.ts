import { errnoOf, type Files, SystemFault } from "../core/index.ts";
import { readLedger, StateDirectory } from "../journal/index.ts";
import type { Context } from "./context.ts";
import type { LockOptions } from "./options.ts";
import { locked } from "./tools.ts";

/** What was mended, or the exit code of one that could not begin. */
export type Mended = { readonly ok: true; readonly value: readonly string[] } | { readonly ok: false; readonly exit: number };

/** Mends what can be mended without a risk. Makes no state directory where there is none. */
export async function mendAll(context: Context, options: LockOptions): Promise<Mended> {
  const { files } = context.system;
  const path = context.stateDirectory;
  if (!new StateDirectory(context.system, path).exists()) return { ok: true, value: [] };
  const mended: string[] = [];
  if (closeToOthers(context)) mended.push(`${path} is closed to others`);
  const exit = await locked(context, options, async (state) => {
    const count = () => (files.lstat(`${path}/runs`) ? files.readDirectory(`${path}/runs`).length : 0);
    const before = count();
    state.sweep();
    if (count() < before) mended.push(`the remains of ${before - count()} that never began to be a run are removed`);
    if (needsRebuild(files, state)) {
      state.writeLedger(state.rebuiltLedger());
      mended.push("the ledger is rebuilt from the journals");
    }
    return 0;
  });
  return exit === 0 ? { ok: true, value: mended } : { ok: false, exit };
}

/** chmod 0700, where the directory is our own. */
function closeToOthers(context: Context): boolean {
  const { files, host } = context.system;
  const stat = files.lstat(context.stateDirectory);
  if (stat?.type !== "directory" || stat.uid !== host.uid || stat.mode === 0o700) return false;
  try {
    const fd = files.openDirectory(context.stateDirectory);
    try {
      files.chmod(fd, 0o700);
    } finally {
      files.close(fd);
    }
  } catch (thrown) {
    throw new SystemFault(errnoOf(thrown) ?? "chmod", `the mode of ${context.stateDirectory} cannot be set`, { cause: thrown });
  }
  return true;
}

/** Whether runs are there that the ledger should know of, and it is missing or cannot be read. */
function needsRebuild(files: Files, state: StateDirectory): boolean {
  try {
    const known = readLedger(files, `${state.path}/ledger`);
    return known.runs.size === 0 && state.runs().length > 0;
  } catch (thrown) {
    if (thrown instanceof SystemFault && thrown.code === "damaged-ledger") return true;
    throw thrown;
  }
}

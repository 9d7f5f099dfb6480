import type { Files, Plan } from "../core/index.ts";
import { stashPath } from "../system/index.ts";
import { syncDirectory } from "./durable.ts";

/** Removes the inodes that a run put aside for the steps chosen: they are back in their place, or the run is given up. */
export function removeStashes(files: Files, plan: Plan, tempPrefix: string, chosen: (n: number) => boolean): void {
  for (const change of plan.changes) {
    if (typeof change.before.links !== "number" || !chosen(change.n)) continue;
    const path = stashPath(change.register.key, tempPrefix, change.n);
    if (!files.lstat(path)) continue;
    files.unlink(path);
    syncDirectory(files, path.slice(0, path.lastIndexOf("/")) || "/");
  }
}

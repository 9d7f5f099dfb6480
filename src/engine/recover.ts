import { errnoOf, SystemFault } from "../core/index.ts";
import { Directories, fault } from "../system/index.ts";
import type { Work } from "./work.ts";

/**
 * What every command does that goes on with a run: no child of the dead process may still be at work, and its temp files
 * go. Doing it twice is as doing it once. Throws SystemFault `still-running`.
 */
export function recover(work: Work): void {
  childrenAreGone(work);
  // It ended in order, and nothing of it lies about. One that failed took its temp files away, but a power cut may have brought them back.
  if (work.run.exit === 0) return;
  const prefix = work.tools.state.keys().tempPrefix(work.run.run);
  const held = new Directories(work.tools.system);
  try {
    for (const folder of foldersOf(work)) removeTemps(work, held, folder, prefix);
  } finally {
    held.trim(0);
  }
}

function childrenAreGone(work: Work): void {
  const { files, processes } = work.tools.system;
  for (const path of work.folder.lives()) {
    const fd = files.openLock(path);
    try {
      if (processes.lock(fd) === "held") {
        throw new SystemFault(
          "still-running",
          `a command that run ${work.run.run} started is still running (it holds ${path}): wait until it ends, or end it, and then resume or revert`,
        );
      }
    } finally {
      files.close(fd);
    }
    files.unlink(path);
  }
}

/** The folders in which the run may have made temp files. */
function foldersOf(work: Work): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const step of [...work.plan.changes, ...work.plan.steady]) {
    const { kind, key } = step.register;
    if (kind === "path" && key !== "/") folders.add(key.slice(0, key.lastIndexOf("/")) || "/");
  }
  return folders;
}

function removeTemps(work: Work, held: Directories, folder: string, prefix: string): void {
  const { tools } = work;
  const { files } = tools.system;
  const below = folder === "/" ? "" : folder;
  let removed = false;
  try {
    // Held, so that it is not another folder by the time of the removal.
    for (const entry of files.readDirectory(held.leaf(`${below}/.`))) {
      // A stash is no temp: it is how a revert gives back the very inode of a file with several names, once its action began.
      const stash = /-(\d+)-stash$/.exec(entry.name);
      if (stash && work.run.steps.get(Number(stash[1]))?.acted) continue;
      if (!entry.name.startsWith(`${prefix}-`) || (entry.type !== "file" && entry.type !== "symlink")) continue;
      files.unlink(held.leaf(`${below}/${entry.name}`));
      removed = true;
    }
    if (removed) files.sync(held.descriptor(folder));
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "ENOENT") return; // the run never came to make it, or it is undone
    if (code !== "moved") throw fault(thrown, `clearing the temporary files of an interrupted run in ${folder}`);
    tools.emit({
      type: "note",
      text: `${(thrown as SystemFault).message}. Temporary files of run ${work.run.run} (${prefix}-*) may lie in the folder that stood at ${folder}`,
    });
  }
}

import { errnoOf, type System } from "../core/index.ts";
import { readWhole } from "../system/index.ts";

/**
 * The process that holds the lock of a state directory, for the message of who has to wait; it decides nothing. Asked of the
 * kernel, so that nothing need be written into the lock, which a run without changes leaves as it is. Undefined where
 * /proc does not tell.
 */
export function lockHolder({ files }: System, path: string): number | undefined {
  const lock = files.lstat(path);
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      try {
        if (files.readLink(`/proc/${pid}/fd/${fd}`) !== path || lock === undefined) continue;
        // A process that waits for the lock has it open, too.
        if (/^lock:.*FLOCK/m.test(readWhole(files, `/proc/${pid}/fdinfo/${fd}`)?.toString("utf8") ?? "")) return Number(pid);
      } catch (thrown) {
        if (errnoOf(thrown) === undefined) throw thrown; // it ended just now, or is another account's
      }
    }
  }
  return undefined;

  function namesIn(folder: string): readonly string[] {
    try {
      return files.readDirectory(folder).map(({ name }) => name);
    } catch {
      return []; // no such process any more, or no right to look: nothing is known
    }
  }
}

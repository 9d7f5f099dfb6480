import { errnoOf, type Files } from "../core/index.ts";
import { fault } from "../system/index.ts";

/** Makes a directory's entries durable. Throws SystemFault. */
export function syncDirectory(files: Files, path: string): void {
  try {
    const fd = files.openDirectory(path);
    try {
      files.sync(fd);
    } finally {
      files.close(fd);
    }
  } catch (thrown) {
    throw fault(thrown, `making ${path} durable`);
  }
}

/** A file that is wholly as before or wholly new after any crash: temp beside it, fsync, rename, fsync of the directory. */
export function writeDurably(files: Files, path: string, bytes: Uint8Array | string): void {
  const temp = `${path}.new`;
  try {
    if (files.lstat(temp)) files.unlink(temp);
    const fd = files.createNew(temp, 0o600);
    try {
      files.writeAll(fd, Buffer.from(bytes as string));
      files.sync(fd);
    } finally {
      files.close(fd);
    }
    files.rename(temp, path);
    syncDirectory(files, path.slice(0, path.lastIndexOf("/")));
  } catch (thrown) {
    throw fault(thrown, `writing ${path}`);
  }
}

/** Makes a directory and, where it is missing, its parents; durable. Throws SystemFault. */
export function makeDirectories(files: Files, path: string, mode: number): void {
  if (files.lstat(path)) return;
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";
  makeDirectories(files, parent, parent === "/" ? 0o755 : 0o755 & ~0o022);
  try {
    files.makeDirectory(path, mode);
  } catch (thrown) {
    throw fault(thrown, `making ${path}`);
  }
  syncDirectory(files, parent);
}

/** Makes the names on the way to a directory durable, its own entries included: a killed process may have left them in memory (W4). Throws SystemFault. */
export function syncWay(files: Files, path: string): void {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf("/")) || "/") {
    try {
      syncDirectory(files, at);
    } catch (thrown) {
      // A directory that may be passed through but not read is none that this account made.
      if (errnoOf(thrown) !== "EACCES") throw thrown;
    }
    if (at === "/") return;
  }
}

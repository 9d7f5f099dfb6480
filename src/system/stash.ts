import { type Attributes, errnoOf, type FileStat, isKeyed, type Operation, SystemFault, sha256 } from "../core/index.ts";
import { digestOpen, fault } from "./read-file.ts";
import { sameStat } from "./reader.ts";
import type { ActionContext, Prepared, Workbench } from "./workbench.ts";

/** The name beside a file under which the inode that it shares with other names is kept while the run can be reverted. */
function stashIn(bench: Workbench, path: string, context: ActionContext): string {
  return bench.parts.directories.leaf(stashPath(path, bench.parts.tempPrefix, context.action));
}

/**
 * Before a name of a shared file gets another one or goes, its inode gets a further name, durable before the commit: a revert
 * gives it back the very inode. Gives how it stands now, and how to forget it where the action is abandoned.
 */
export function keepInode(
  bench: Workbench,
  path: string,
  target: string,
  context: ActionContext,
  last: FileStat | undefined,
): { readonly standing: FileStat | undefined; readonly forget: () => void } {
  const { files } = bench.parts.system;
  const stash = stashIn(bench, path, context);
  const forget = () => {
    if (files.lstat(stash)) files.unlink(stash);
  };
  try {
    forget(); // what an attempt that was cut off left: only we know the name
    files.link(target, stash);
  } catch (thrown) {
    throw fault(thrown, `putting aside what ${path} shares with its other names`);
  }
  bench.asides.add(path.slice(0, path.lastIndexOf("/")) || "/");
  // The further name moved the ctime; all else must be as it was read.
  const standing = files.lstat(stash);
  if (last !== undefined && (standing === undefined || !sameStat({ ...standing, ctimeMs: last.ctimeMs }, last))) {
    forget();
    throw new SystemFault("moved", `${path} was changed by somebody else just now`);
  }
  return { standing: last && standing, forget };
}

/**
 * The way back to a shared inode that was put aside and still is as it was; undefined where there is none such. What was changed
 * through its other names since is theirs: then the file becomes one of its own.
 */
export function restoreInode(
  bench: Workbench,
  operation: Operation & { do: "replaceFile" },
  context: ActionContext,
  target: string,
  last: FileStat | undefined,
): Prepared | undefined {
  const { files } = bench.parts.system;
  const { path } = operation;
  const stash = stashIn(bench, path, context);
  if (files.lstat(stash)?.type !== "file") return undefined;
  const fd = files.openRead(stash);
  bench.open.push(fd);
  const wanted = isKeyed(operation.content) ? sha256(bench.parts.contents.bytes(operation.content)) : operation.content;
  if (digestOpen(files, fd, files.fstat(fd)).digest !== wanted || !hasAttributes(bench, files.fstat(fd), operation)) return undefined;
  return {
    commit: () => {
      if (operation.over === "absent") {
        bench.linkInto(stash, target, path);
        // Were the new name lost and the going of the old one not, nothing here would lead to the inode any more.
        makeDurable(bench, path);
        files.unlink(stash);
      } else {
        bench.stillThere(path, target, last);
        bench.rename(stash, target, path);
      }
      bench.setMetadata(fd, path, operation);
      bench.touch(path);
    },
    abandon: () => undefined,
  };
}

function hasAttributes({ parts }: Workbench, stat: FileStat, { mode, owner, group }: Attributes): boolean {
  const { accounts } = parts;
  return (
    (mode === undefined || (stat.mode & 0o7777) === mode) &&
    (owner === undefined || accounts.uid(owner) === stat.uid) &&
    (group === undefined || accounts.gid(group) === stat.gid)
  );
}

function makeDurable({ parts }: Workbench, path: string): void {
  try {
    parts.system.files.sync(parts.directories.descriptor(path.slice(0, path.lastIndexOf("/")) || "/"));
  } catch (thrown) {
    const code = errnoOf(thrown);
    // No directory of this file system can be made durable, which is warned of when the group is.
    if (code !== "EINVAL" && code !== "ENOTSUP") throw fault(thrown, `making ${path} durable`, "maybe");
  }
}

/** Where the inode of a shared file is kept while the run that took its name away can be reverted. */
export function stashPath(path: string, tempPrefix: string, action: number): string {
  return `${path.slice(0, path.lastIndexOf("/"))}/${tempPrefix}-${action}-stash`;
}

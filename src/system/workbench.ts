import { type Digest, errnoOf, type FileStat, type Json, type JsonObject, type Manner, type System, SystemFault } from "../core/index.ts";
import type { Accounts } from "./accounts.ts";
import type { ContentStore } from "./contents.ts";
import type { Directories } from "./directories.ts";
import type { Remotes } from "./network/remotes.ts";
import { fault } from "./read-file.ts";
import { sameStat } from "./reader.ts";

/** What the engine hands in for one group of actions that commit together. */
export interface GroupParts {
  readonly system: System;
  readonly contents: ContentStore;
  readonly accounts: Accounts;
  readonly directories: Directories;
  readonly remotes: Remotes;
  /** The beginning of the names of this run's temp files; nobody else can guess it. */
  readonly tempPrefix: string;
  /** Makes the content of a file about to go durable together with the intents. */
  keep(before: Digest, path: string, stat: FileStat): void;
  /** Makes a content that another machine holds, and that is about to go, durable together with the intents. */
  keepContent(before: Digest): void;
  /** What the last reading of a path was based on. */
  lastStat(path: string): FileStat | undefined;
  /** That a file of this content was put at a path just now, and what its descriptor tells of it since then. */
  placed?(path: string, content: Digest, stat: FileStat): void;
  /** A descriptor that tells as long as it is open somewhere that an action's child lives. */
  live(action: number): number;
  warn(text: string): void;
}

/** An operation that can no longer fail for want of room or permission, until it is committed or abandoned. */
export interface Prepared {
  // biome-ignore lint/suspicious/noConfusingVoidType: most performers have nothing to tell
  commit(): void | Promise<Outcome | void>;
  abandon(): void | Promise<void>;
  /** For a participant of a two-phase transaction, between `prepare` and `commit`: from here on it cannot fail. Throws SystemFault. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most participants have nothing to tell
  vote?(): Promise<Outcome | void>;
  /** The other machine that it is for; such a commit may be tried again after a fault that allows it. */
  readonly origin?: string;
  /** Where the other side's log ends before it: what is sent is looked for behind that, if it is ever in doubt. */
  readonly mark?: JsonObject;
}

/** What a commit or a vote learned. */
export interface Outcome {
  /** What the other side answered. */
  readonly answer?: Json;
}

/** Options of one action's operations. */
export interface ActionContext {
  readonly action: number;
  readonly attempt: number;
  /** The run that it belongs to. */
  readonly run: string;
  readonly manner: Manner;
  /** On the way back: an inode that was put aside takes its place again. */
  readonly back: boolean;
  /** The digest of the file that stands there now, where one does. */
  readonly standing?: Digest;
  /** The effect's key, and that of what takes it back. */
  readonly key?: string;
  readonly undoKey?: string;
  /** What takes an effect back was sent before: wall ms, and where the other side's log ended. Whether it arrived is not known. */
  readonly sent?: { readonly at: number; readonly mark?: JsonObject };
  /** In a two-phase transaction, the participant's name. */
  readonly gid?: string;
}

/** What the performers of one group share: what was opened and touched, and the small steps that they are made of. */
export class Workbench {
  readonly parts: GroupParts;
  /** Open temp files, and what each is to become. */
  readonly temps: { readonly fd: number; readonly path: string }[] = [];
  readonly touched = new Set<string>();
  /** Folders in which inodes were put aside. */
  readonly asides = new Set<string>();
  readonly open: number[] = [];
  xattrs: ReadonlyMap<string, { readonly [name: string]: string }> = new Map();
  private serial = 0;

  constructor(parts: GroupParts) {
    this.parts = parts;
  }

  /** The name of a temp file beside its target, and the path it is reached by. */
  temp(path: string, context: ActionContext): { readonly direct: string; readonly name: string } {
    const name = `${this.parts.tempPrefix}-${context.action}-${context.attempt}${this.serial++ === 0 ? "" : `.${this.serial}`}`;
    const direct = `${path.slice(0, path.lastIndexOf("/"))}/${name}`;
    return { direct, name: this.parts.directories.leaf(direct) };
  }

  /** A new, private file under a temp name; what an earlier attempt of ours left there goes. */
  createTemp(path: string): number {
    const { files } = this.parts.system;
    try {
      return files.createNew(path, 0o600);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
      // Left by an earlier attempt of ours: nobody else knows the name. Anything but a plain file of ours is not touched.
      const stat = files.lstat(path);
      if (stat?.type !== "file" || stat.uid !== this.parts.system.host.uid || stat.nlink !== 1) throw thrown;
      files.unlink(path);
      return files.createNew(path, 0o600);
    }
  }

  /** Before-image of the file that stands at a path, where one does. */
  keepStanding(path: string, context: ActionContext): FileStat | undefined {
    const last = this.parts.lastStat(path);
    if (context.standing === undefined) return last;
    const stat = last ?? this.parts.system.files.lstat(this.parts.directories.leaf(path));
    if (stat === undefined) throw new SystemFault("moved", `${path} went away`);
    this.parts.keep(context.standing, path, stat);
    return last;
  }

  /** Step 5 of reliability.md §6: what stands there is what was read. */
  stillThere(path: string, target: string, last: FileStat | undefined): void {
    if (last === undefined) return;
    const now = this.parts.system.files.lstat(target);
    if (now === undefined || !sameStat(now, last)) throw new SystemFault("moved", `${path} was changed by somebody else just now`);
  }

  /** Gives a temp its place where nothing stands: a rename would take the place of what somebody made just now. */
  linkInto(name: string, target: string, path: string): void {
    try {
      this.parts.system.files.link(name, target);
    } catch (thrown) {
      if (errnoOf(thrown) === "EEXIST") throw new SystemFault("moved", `${path}: something stands there now that was not there before`);
      throw fault(thrown, `creating ${path}`);
    }
  }

  /** Throws SystemFault that names the way out where the target is a mount point. */
  rename(from: string, to: string, path: string): void {
    try {
      this.parts.system.files.rename(from, to);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "EBUSY" || code === "EXDEV")
        throw new SystemFault(
          code,
          `replacing ${path}: the file itself is a mount point (bind-mounted, as in containers); write: in-place on the resource allows it`,
        );
      throw fault(thrown, `replacing ${path}`);
    }
  }

  /** Owner first, which clears setuid bits and capabilities; then ACLs, whose mask the mode then sets. */
  setMetadata(
    fd: number,
    path: string,
    to: { readonly mode?: number; readonly owner?: string; readonly group?: string; readonly xattrs?: { readonly [name: string]: string } },
  ): void {
    const { system, accounts } = this.parts;
    if (to.owner !== undefined || to.group !== undefined) {
      const stat = system.files.fstat(fd);
      const uid = to.owner === undefined ? stat.uid : accounts.uid(to.owner);
      const gid = to.group === undefined ? stat.gid : accounts.gid(to.group);
      if (uid !== stat.uid || gid !== stat.gid) system.files.chown(fd, uid, gid);
    }
    if (to.xattrs !== undefined) system.files.setXattrs(path, to.xattrs);
    if (to.mode !== undefined) system.files.chmod(fd, to.mode);
  }

  /** Its folder is to be made durable after the commits. */
  touch(path: string): void {
    this.touched.add(path.slice(0, path.lastIndexOf("/")) || "/");
  }
}

import {
  type Digest,
  errnoOf,
  type FileStat,
  isKeyed,
  type Manner,
  type Operation,
  type System,
  SystemFault,
  sha256,
} from "../core/index.ts";
import type { Accounts } from "./accounts.ts";
import type { ContentStore } from "./contents.ts";
import { copyContent } from "./copy-content.ts";
import type { Directories } from "./directories.ts";
import { digestOpen, fault } from "./read-file.ts";
import { sameStat } from "./reader.ts";

/** What the engine hands in for one group of actions that commit together. */
export interface GroupParts {
  readonly system: System;
  readonly contents: ContentStore;
  readonly accounts: Accounts;
  readonly directories: Directories;
  /** The beginning of the names of this run's temp files; nobody else can guess it. */
  readonly tempPrefix: string;
  /** Makes the content of a file about to go durable together with the intents. */
  keep(before: Digest, path: string, stat: FileStat): void;
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
  commit(): void | Promise<void>;
  abandon(): void;
}

/** Options of one action's operations. */
export interface ActionContext {
  readonly action: number;
  readonly attempt: number;
  readonly manner: Manner;
  /** On the way back: an inode that was put aside takes its place again. */
  readonly back: boolean;
  /** The digest of the file that stands there now, where one does. */
  readonly standing?: Digest;
}

/** Number of temp files from which one syncfs is cheaper than an fsync each. */
const SYNCFS_FROM = 256;

/**
 * Actions that are prepared one by one, made durable together, and then committed in order: the group commit of
 * reliability.md §3. What must be durable before the commits, and which directories after them, the performers say here.
 */
export class CommitGroup {
  private readonly parts: GroupParts;
  private readonly temps: { readonly fd: number; readonly directory: string }[] = [];
  private readonly touched = new Set<string>();
  /** Folders in which inodes were put aside. */
  private readonly asides = new Set<string>();
  private readonly open: number[] = [];
  private xattrs: ReadonlyMap<string, { readonly [name: string]: string }> = new Map();
  private serial = 0;

  constructor(parts: GroupParts) {
    this.parts = parts;
  }

  /** Reads, in one go, the extended attributes of the files that will be replaced, so that they are kept. */
  keepAttributesOf(paths: readonly string[]): void {
    if (paths.length > 0) this.xattrs = this.parts.system.files.xattrs(paths);
  }

  /** Does all that can fail or take long. Throws SystemFault, having left nothing behind. */
  prepare(operation: Operation, context: ActionContext): Prepared | Promise<Prepared> {
    switch (operation.do) {
      case "replaceFile":
        return this.replaceFile(operation, context);
      case "writeInPlace":
        return this.writeInPlace(operation, context);
      case "setAttributes":
        return this.setAttributes(operation);
      case "remove":
        return this.remove(operation, context);
      case "makeDirectory":
        return this.makeDirectory(operation);
      case "makeLink":
        return this.makeLink(operation, context);
      case "makeHardLink":
        return this.makeHardLink(operation, context);
      case "sync":
        return this.settle(operation);
      case "run":
        return this.run(operation, context);
      case "record":
        return { commit: () => undefined, abandon: () => undefined };
      default:
        throw new SystemFault("unknown-operation", `this version cannot perform ${(operation as { do: string }).do}`);
    }
  }

  /** Makes the temp files durable. Throws SystemFault: final (W5). */
  async syncBefore(): Promise<void> {
    const { files } = this.parts.system;
    try {
      const asides = [...this.asides].map((folder) => this.parts.directories.descriptor(folder));
      const whole = this.temps.length > SYNCFS_FROM && (await this.syncWhole());
      await files.syncAll([...(whole ? [] : this.temps.map((temp) => temp.fd)), ...asides]);
    } catch (thrown) {
      throw fault(thrown, "making new files durable");
    }
  }

  /** One syncfs a file system in place of many fsyncs, where little else is waiting to be written. */
  private async syncWhole(): Promise<boolean> {
    const { files } = this.parts.system;
    if (!fewDirtyPages(this.parts.system)) return false;
    const byDevice = new Map<number, string>();
    for (const { fd, directory } of this.temps) {
      const { dev } = files.fstat(fd);
      if (!byDevice.has(dev)) byDevice.set(dev, directory);
    }
    for (const directory of byDevice.values()) if (!(await files.syncFileSystem(directory))) return false;
    return true;
  }

  /** Makes the commits durable: each touched directory once. */
  async syncAfter(): Promise<void> {
    const { system, directories } = this.parts;
    const fds: number[] = [...this.open];
    try {
      for (const directory of this.touched) {
        // What was removed in this group needs no sync; the nearest that stands has it.
        fds.push(directories.descriptor(directory));
      }
      await system.files.syncAll(fds);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "EINVAL" || code === "ENOTSUP")
        this.parts.warn("a file system here cannot make directories durable: after a power cut a change may be missing (durability: weak)");
      else throw fault(thrown, "making changes durable", "maybe");
    } finally {
      this.close();
    }
  }

  /** Closes what the group holds open; after abandoning or syncing. */
  close(): void {
    const { files } = this.parts.system;
    for (const temp of this.temps) files.close(temp.fd);
    for (const fd of this.open) files.close(fd);
    this.temps.length = 0;
    this.open.length = 0;
    this.parts.directories.trim();
  }

  /** The name of a temp file beside its target, and the path it is reached by. */
  private temp(path: string, context: ActionContext): { readonly direct: string; readonly name: string } {
    const name = `${this.parts.tempPrefix}-${context.action}-${context.attempt}${this.serial++ === 0 ? "" : `.${this.serial}`}`;
    const direct = `${path.slice(0, path.lastIndexOf("/"))}/${name}`;
    return { direct, name: this.parts.directories.leaf(direct) };
  }

  private createTemp(path: string): number {
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

  private replaceFile(operation: Operation & { do: "replaceFile" }, context: ActionContext): Prepared | Promise<Prepared> {
    const { system, directories } = this.parts;
    const { files } = system;
    const { path } = operation;
    const target = directories.leaf(path);
    const last = this.keepStanding(path, context);
    const restored = context.back ? this.restoreInode(operation, context, target, last) : undefined;
    if (restored) return restored;
    const { direct, name } = this.temp(path, context);
    let fd: number | undefined;
    const abandon = () => {
      if (files.lstat(name)) files.unlink(name);
    };
    try {
      fd = this.createTemp(name);
      copyContent(files, this.parts.contents, operation.content, fd);
      const stays = operation.over === "file" ? this.xattrs.get(path) : undefined;
      this.setMetadata(fd, direct, {
        ...operation,
        mode: operation.mode ?? 0o644,
        ...((operation.xattrs ?? stays) && { xattrs: operation.xattrs ?? stays ?? {} }),
      });
    } catch (thrown) {
      if (fd !== undefined) {
        files.close(fd);
        abandon();
      }
      throw fault(thrown, `writing ${path}`);
    }
    const temp = fd;
    let standing = last;
    let forget: () => void = () => undefined;
    try {
      if (operation.breaks && !context.back) ({ standing, forget } = this.keepInode(path, target, context, last));
    } catch (thrown) {
      files.close(temp);
      abandon();
      throw thrown;
    }
    this.temps.push({ fd: temp, directory: direct.slice(0, direct.lastIndexOf("/")) || "/" });
    const prepared: Prepared = {
      commit: () => {
        if (operation.over === "absent") {
          this.linkInto(name, target, path);
          files.unlink(name);
        } else {
          this.stillThere(path, target, standing);
          this.rename(name, target, path);
        }
        this.touch(path);
        this.parts.placed?.(path, operation.content, files.fstat(temp));
      },
      abandon: () => {
        forget();
        abandon();
      },
    };
    const validate = context.manner.validate ?? [];
    return validate.length === 0 ? prepared : this.validated(prepared, path, direct, validate);
  }

  /** The name beside a file under which the inode that it shares with other names is kept while the run can be reverted. */
  private stash(path: string, context: ActionContext): string {
    return this.parts.directories.leaf(stashPath(path, this.parts.tempPrefix, context.action));
  }

  /**
   * Before a name of a shared file gets another one or goes, its inode gets a further name, durable before the commit: a revert
   * gives it back the very inode. Gives how it stands now, and how to forget it where the action is abandoned.
   */
  private keepInode(
    path: string,
    target: string,
    context: ActionContext,
    last: FileStat | undefined,
  ): { readonly standing: FileStat | undefined; readonly forget: () => void } {
    const { files } = this.parts.system;
    const stash = this.stash(path, context);
    const forget = () => {
      if (files.lstat(stash)) files.unlink(stash);
    };
    try {
      forget(); // what an attempt that was cut off left: only we know the name
      files.link(target, stash);
    } catch (thrown) {
      throw fault(thrown, `putting aside what ${path} shares with its other names`);
    }
    this.asides.add(path.slice(0, path.lastIndexOf("/")) || "/");
    // The further name moved the ctime; all else must be as it was read.
    const standing = files.lstat(stash);
    if (last !== undefined && (standing === undefined || !sameStat({ ...standing, ctimeMs: last.ctimeMs }, last))) {
      forget();
      throw new SystemFault("moved", `${path} was changed by somebody else just now`);
    }
    return { standing: last && standing, forget };
  }

  /** The way back to a shared inode that was put aside and still has the content; undefined where there is none such. */
  private restoreInode(
    operation: Operation & { do: "replaceFile" },
    context: ActionContext,
    target: string,
    last: FileStat | undefined,
  ): Prepared | undefined {
    const { files } = this.parts.system;
    const { path } = operation;
    const stash = this.stash(path, context);
    if (files.lstat(stash)?.type !== "file") return undefined;
    const fd = files.openRead(stash);
    this.open.push(fd);
    const wanted = isKeyed(operation.content) ? sha256(this.parts.contents.bytes(operation.content)) : operation.content;
    if (digestOpen(files, fd, files.fstat(fd)).digest !== wanted) return undefined;
    return {
      commit: () => {
        if (operation.over === "absent") {
          this.linkInto(stash, target, path);
          files.unlink(stash);
        } else {
          this.stillThere(path, target, last);
          this.rename(stash, target, path);
        }
        this.setMetadata(fd, path, operation);
        this.touch(path);
      },
      abandon: () => undefined,
    };
  }

  private async validated(prepared: Prepared, path: string, temp: string, validate: readonly (readonly string[])[]): Promise<Prepared> {
    for (const words of validate) {
      const argv = words.map((word) => word.replaceAll("%s", temp));
      const ran = await this.parts.system.processes.run({ argv });
      if (ran.code === 0) continue;
      prepared.abandon();
      const said = `${ran.stdout}${ran.stderr}`.trim().replaceAll(temp, path);
      const how =
        ran.failed !== undefined
          ? `cannot be run (${ran.failed})`
          : ran.code === undefined
            ? `was ended by ${ran.signal}`
            : `refused it with exit code ${ran.code}`;
      throw new SystemFault(
        "validate",
        `the new content of ${path} was not accepted: ${argv[0]} ${how}${said === "" ? "" : `: ${said.slice(0, 4000)}`}`,
      );
    }
    return prepared;
  }

  /** Before-image of the file that stands at a path, where one does. */
  private keepStanding(path: string, context: ActionContext): FileStat | undefined {
    const last = this.parts.lastStat(path);
    if (context.standing === undefined) return last;
    const stat = last ?? this.parts.system.files.lstat(this.parts.directories.leaf(path));
    if (stat === undefined) throw new SystemFault("moved", `${path} went away`);
    this.parts.keep(context.standing, path, stat);
    return last;
  }

  /** Step 5 of reliability.md §6: what stands there is what was read. */
  private stillThere(path: string, target: string, last: FileStat | undefined): void {
    if (last === undefined) return;
    const now = this.parts.system.files.lstat(target);
    if (now === undefined || !sameStat(now, last)) throw new SystemFault("moved", `${path} was changed by somebody else just now`);
  }

  /** Gives a temp its place where nothing stands: a rename would take the place of what somebody made just now. */
  private linkInto(name: string, target: string, path: string): void {
    try {
      this.parts.system.files.link(name, target);
    } catch (thrown) {
      if (errnoOf(thrown) === "EEXIST") throw new SystemFault("moved", `${path}: something stands there now that was not there before`);
      throw fault(thrown, `creating ${path}`);
    }
  }

  private rename(from: string, to: string, path: string): void {
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
  private setMetadata(
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

  private writeInPlace(operation: Operation & { do: "writeInPlace" }, context: ActionContext): Prepared {
    const { system, directories } = this.parts;
    const { path } = operation;
    const target = directories.leaf(path);
    const last = this.keepStanding(path, context);
    // Everything that can be known to fail is known before the first byte of the old content goes.
    const size = this.parts.contents.size(operation.content) ?? 0;
    const free = system.files.freeSpace(target);
    if (free.bytes + (last?.size ?? 0) < size)
      throw new SystemFault("ENOSPC", `writing ${path}: ${size} bytes are needed and ${free.bytes} free`);
    return {
      commit: () => {
        this.stillThere(path, target, last);
        const fd = system.files.openWrite(target);
        this.open.push(fd);
        try {
          system.files.truncate(fd, 0);
          copyContent(system.files, this.parts.contents, operation.content, fd);
          this.setMetadata(fd, path, operation);
        } catch (thrown) {
          throw fault(thrown, `writing ${path}`, "maybe");
        }
      },
      abandon: () => undefined,
    };
  }

  private setAttributes(operation: Operation & { do: "setAttributes" }): Prepared {
    const { system, directories } = this.parts;
    const { path } = operation;
    let fd: number;
    try {
      const target = directories.leaf(path);
      fd = operation.is === "directory" ? system.files.openDirectory(target) : system.files.openRead(target);
      if (operation.owner !== undefined) this.parts.accounts.uid(operation.owner);
      if (operation.group !== undefined) this.parts.accounts.gid(operation.group);
    } catch (thrown) {
      throw fault(thrown, `opening ${path} to set its attributes`);
    }
    this.open.push(fd);
    return {
      commit: () => {
        try {
          this.setMetadata(fd, path, operation);
        } catch (thrown) {
          throw fault(thrown, `setting the attributes of ${path}`, errnoOf(thrown) === "EPERM" ? "no" : "maybe");
        }
      },
      abandon: () => undefined,
    };
  }

  private remove(operation: Operation & { do: "remove" }, context: ActionContext): Prepared {
    const { system, directories } = this.parts;
    const { path } = operation;
    const target = directories.leaf(path);
    const last = operation.is === "file" ? this.keepStanding(path, context) : undefined;
    const shared = (last?.nlink ?? 1) > 1 && !context.back;
    const { standing, forget } = shared ? this.keepInode(path, target, context, last) : { standing: last, forget: () => undefined };
    return {
      commit: () => {
        try {
          if (operation.is === "directory") {
            directories.forget(path);
            system.files.removeDirectory(target);
            this.touched.delete(path);
          } else {
            if (operation.is === "file") this.stillThere(path, target, standing);
            system.files.unlink(target);
          }
        } catch (thrown) {
          throw fault(thrown, `removing ${path}`);
        }
        this.touch(path);
      },
      abandon: forget,
    };
  }

  private makeDirectory(operation: Operation & { do: "makeDirectory" }): Prepared {
    const { system, directories, accounts } = this.parts;
    const { path } = operation;
    const target = directories.leaf(path);
    if (operation.owner !== undefined) accounts.uid(operation.owner);
    if (operation.group !== undefined) accounts.gid(operation.group);
    return {
      commit: () => {
        try {
          system.files.makeDirectory(target, operation.mode ?? 0o755);
        } catch (thrown) {
          if (errnoOf(thrown) === "EEXIST") throw new SystemFault("moved", `${path}: something stands there now that was not there before`);
          throw fault(thrown, `creating ${path}`);
        }
        try {
          const fd = system.files.openDirectory(target);
          this.open.push(fd);
          // mkdir takes setuid, setgid and sticky away on some systems, and a parent's setgid bit adds one.
          this.setMetadata(fd, path, operation);
          const mode = operation.mode ?? 0o755;
          if ((mode & 0o7000) !== 0) system.files.chmod(fd, mode);
        } catch (thrown) {
          throw fault(thrown, `setting the attributes of ${path}`, "maybe");
        }
        this.touch(path);
      },
      abandon: () => undefined,
    };
  }

  private makeLink(operation: Operation & { do: "makeLink" }, context: ActionContext): Prepared {
    const { files } = this.parts.system;
    const { host } = this.parts.system;
    const uid = operation.owner === undefined ? host.uid : this.parts.accounts.uid(operation.owner);
    const gid = operation.group === undefined ? host.gid : this.parts.accounts.gid(operation.group);
    const given = uid !== host.uid || gid !== host.gid;
    return this.placed(operation.path, operation.over, context, given, (name) => {
      files.symlink(operation.to, name);
      if (given) files.chownLink(name, uid, gid);
    });
  }

  private makeHardLink(operation: Operation & { do: "makeHardLink" }, context: ActionContext): Prepared {
    const { files } = this.parts.system;
    return this.placed(operation.path, operation.over, context, false, (name) =>
      files.link(this.parts.directories.leaf(operation.to), name),
    );
  }

  /**
   * Something that is made in one call: in its place where nothing stands there, else under a temp name and renamed. What takes
   * `several` calls to make gets its place by a link, so that it is never seen half made.
   */
  private placed(
    path: string,
    over: "absent" | "file" | "symlink",
    context: ActionContext,
    several: boolean,
    make: (name: string) => void,
  ): Prepared {
    const { files } = this.parts.system;
    const target = this.parts.directories.leaf(path);
    const last = this.keepStanding(path, context);
    if (over === "absent" && !several) {
      return {
        commit: () => {
          try {
            make(target);
          } catch (thrown) {
            if (errnoOf(thrown) === "EEXIST")
              throw new SystemFault("moved", `${path}: something stands there now that was not there before`);
            throw fault(thrown, `creating ${path}`);
          }
          this.touch(path);
        },
        abandon: () => undefined,
      };
    }
    const { name } = this.temp(path, context);
    const abandon = () => {
      if (files.lstat(name)) files.unlink(name);
    };
    try {
      abandon();
      make(name);
    } catch (thrown) {
      abandon();
      throw fault(thrown, `creating ${path}`);
    }
    return {
      commit: () => {
        if (over === "file") this.stillThere(path, target, last);
        if (over === "absent") this.linkInto(name, target, path);
        else this.rename(name, target, path);
        // A rename between two names of one file does nothing and leaves the temp.
        abandon();
        this.touch(path);
      },
      abandon,
    };
  }

  private settle(operation: Operation & { do: "sync" }): Prepared {
    const { path } = operation;
    const { files } = this.parts.system;
    const target = this.parts.directories.leaf(path);
    return {
      commit: () => {
        if (operation.is === "file") this.open.push(files.openRead(target));
        else if (operation.is === "directory") this.open.push(files.openDirectory(target));
        this.touch(path);
      },
      abandon: () => undefined,
    };
  }

  private run(operation: Operation & { do: "run" }, context: ActionContext): Prepared {
    const { processes } = this.parts.system;
    const { do: _, ...command } = operation;
    return {
      commit: async () => {
        const ran = await processes.run(command, this.parts.live(context.action));
        const name = command.argv[0] ?? "";
        if (ran.failed !== undefined)
          throw new SystemFault(
            ran.failed,
            `${name} cannot be run: ${ran.failed === "ENOENT" ? "there is no such program or working folder" : ran.failed}`,
          );
        const said = `${ran.stdout}${ran.stderr}`.trim();
        const tail = said === "" ? "" : `:\n${said.slice(-4000)}`;
        if (ran.timedOut)
          throw new SystemFault("timeout", `${name} did not end in ${command.timeout} ms and was ended${tail}`, { mutated: "maybe" });
        if (ran.code === undefined) throw new SystemFault("signal", `${name} was ended by ${ran.signal}${tail}`, { mutated: "maybe" });
        if (!(command.ok ?? [0]).includes(ran.code))
          throw new SystemFault("exit", `${name} ended with exit code ${ran.code}${tail}`, { mutated: "maybe" });
      },
      abandon: () => undefined,
    };
  }

  private touch(path: string): void {
    this.touched.add(path.slice(0, path.lastIndexOf("/")) || "/");
  }
}

/** syncfs flushes strangers' pages too: only where under 256 MiB wait in all. */
function fewDirtyPages(system: System): boolean {
  let text = "";
  try {
    const fd = system.files.openRead("/proc/meminfo");
    const buffer = Buffer.alloc(4096);
    text = buffer.toString("latin1", 0, system.files.read(fd, buffer, 0, buffer.length, null));
    system.files.close(fd);
  } catch {
    return false; // no /proc/meminfo: nothing is known, so each file is synced for itself
  }
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
  return kilobytes("Dirty") + kilobytes("Writeback") < 256 * 1024;
}

/** Where the inode of a shared file is kept while the run that took its name away can be reverted. */
export function stashPath(path: string, tempPrefix: string, action: number): string {
  return `${path.slice(0, path.lastIndexOf("/"))}/${tempPrefix}-${action}-stash`;
}

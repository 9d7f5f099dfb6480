import {
  type Command,
  type Digest,
  type DirectoryEntry,
  errnoOf,
  type FileStat,
  type PathSight,
  type Reader,
  type Receipt,
  type Remote,
  type System,
  SystemFault,
} from "../core/index.ts";
import { Accounts } from "./accounts.ts";
import type { ContentStore } from "./contents.ts";
import { followLinks } from "./follow-links.ts";
import { digestOpen, fault } from "./read-file.ts";

export interface ReaderOptions {
  receipt(key: string): Receipt | undefined;
  /** Beginnings of names that are ours and that no listing shows: temp files of runs that are under way or were killed. */
  readonly hidden: readonly string[];
  readonly mayAsk: boolean;
  readonly remote: Remote;
}

/** What a path's last look was based on, so that an unchanged file need not be read again. */
interface Look {
  readonly sight: PathSight;
  readonly stat: FileStat;
  /** Wall ms when it was read. */
  readonly at: number;
}

/** A file written to within this time before it was read could change again without new times: it is read anew. */
const TIME_GRAIN = 50;

/** A reader over a system, which also remembers what it saw. */
export class SystemReader implements Reader {
  readonly contents: ContentStore;
  readonly accounts: Accounts;
  readonly mayAsk: boolean;
  readonly remote: Remote;
  private readonly system: System;
  private readonly options: ReaderOptions;
  private readonly looks = new Map<string, Look>();
  private readonly directories = new Map<string, string>();

  constructor(system: System, contents: ContentStore, options: ReaderOptions) {
    this.system = system;
    this.contents = contents;
    this.options = options;
    this.mayAsk = options.mayAsk;
    this.remote = options.remote;
    this.accounts = new Accounts(system);
  }

  lookAt(paths: readonly string[], { again = false } = {}): readonly PathSight[] {
    // A child of an absent directory needs no system call.
    const absent = new Set<string>();
    let parent = "";
    let parentAbsent = false;
    return paths.map((path) => {
      const cut = path.lastIndexOf("/");
      if (cut !== parent.length || !path.startsWith(parent)) {
        parent = path.slice(0, cut);
        parentAbsent = absent.has(parent);
      }
      if (parentAbsent) {
        absent.add(path);
        return ABSENT;
      }
      const sight = (again && this.unchanged(path)) || this.look(path);
      if (sight.is === "absent") {
        absent.add(path);
        if (path === parent) parentAbsent = true;
      }
      return sight;
    });
  }

  /** The same reader, which does not read a file again whose device, inode, size and times are as at its last look. */
  trusting(): Reader {
    return Object.create(this, { lookAt: { value: (paths: readonly string[]) => this.lookAt(paths, { again: true }) } });
  }

  /** Forgets what may have changed outside of what was read. */
  forget(): void {
    this.directories.clear();
    this.accounts.forget();
  }

  /** The last look's device, inode, size and times: what a compare-and-set just before a commit compares. */
  lastStat(path: string): FileStat | undefined {
    return this.looks.get(path)?.stat;
  }

  private unchanged(path: string): PathSight | undefined {
    const last = this.looks.get(path);
    if (last === undefined) {
      // Most likely nothing stands there yet, and lstat says so without the cost of an exception.
      return this.lstat(path) === undefined ? ABSENT : undefined;
    }
    if (last.at - last.stat.ctimeMs < TIME_GRAIN) return undefined;
    const stat = this.lstat(path);
    return stat && sameStat(stat, last.stat) ? last.sight : undefined;
  }

  /**
   * Takes what was written as a look, so that it need not be read back whole: its bytes are known, and lie where a reading
   * would find them. `stat` is of the file's own descriptor, taken once it had its name. As naming it came later than
   * writing it (its ctime tells), whoever writes to it from now on leaves another mtime; where the two times are one tick,
   * nothing could be told from them, and the file is read.
   */
  remember(path: string, content: Digest, stat: FileStat): void {
    if (stat.mtimeMs < stat.ctimeMs)
      this.looks.set(path, { sight: this.fileSight(content, stat.size, stat), stat, at: Number.POSITIVE_INFINITY });
    else this.looks.delete(path);
  }

  private fileSight(content: Digest, size: number, stat: FileStat): PathSight {
    const owner = this.accounts.user(stat.uid);
    const group = this.accounts.group(stat.gid);
    const sight = { is: "file", content, size, mode: stat.mode, owner, group } as const;
    return stat.nlink > 1 ? { ...sight, links: stat.nlink } : sight;
  }

  private look(path: string): PathSight {
    const { files } = this.system;
    let fd: number;
    try {
      // Opening a device can do something: only what is known to be none is opened first.
      if (path.startsWith("/dev/")) {
        const stat = files.lstat(path);
        if (stat && stat.type !== "file" && stat.type !== "directory") return this.lookWithoutOpening(path, stat);
      }
      fd = files.openRead(path);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "ENOENT" || code === "ENOTDIR") {
        this.looks.delete(path);
        return ABSENT;
      }
      if (code === "ELOOP" || code === "EACCES" || code === "ENXIO" || code === "EPERM" || code === "ENODEV") {
        const stat = this.lstat(path);
        if (stat === undefined) return ABSENT;
        if (stat.type !== "file") return this.lookWithoutOpening(path, stat);
      }
      throw fault(thrown, `reading ${path}`);
    }
    try {
      const stat = files.fstat(fd);
      if (stat.type !== "file") return this.lookWithoutOpening(path, stat);
      const read = digestOpen(files, fd, stat);
      // Large files can be written to while they are read.
      if (read.bytes === undefined && !sameStat(files.fstat(fd), stat))
        throw new SystemFault("changing", `${path} is being written to while it is read`);
      this.contents.note(read.digest, path, read.size);
      const sight = this.fileSight(read.digest, read.size, stat);
      this.looks.set(path, { sight, stat, at: this.system.clock.now() });
      return sight;
    } catch (thrown) {
      throw fault(thrown, `reading ${path}`);
    } finally {
      files.close(fd);
    }
  }

  private lookWithoutOpening(path: string, stat: FileStat): PathSight {
    this.looks.delete(path);
    switch (stat.type) {
      case "directory":
        return { is: "directory", mode: stat.mode, owner: this.accounts.user(stat.uid), group: this.accounts.group(stat.gid) };
      case "symlink":
        return {
          is: "symlink",
          to: this.system.files.readLink(path),
          owner: this.accounts.user(stat.uid),
          group: this.accounts.group(stat.gid),
        };
      case "file":
        throw new SystemFault("EACCES", `reading ${path}: permission denied`);
      default:
        return { is: "other", what: stat.type };
    }
  }

  list(path: string): readonly DirectoryEntry[] | undefined {
    try {
      const entries = this.system.files.readDirectory(path);
      const shown =
        this.options.hidden.length === 0
          ? [...entries]
          : entries.filter((entry) => !this.options.hidden.some((prefix) => entry.name.startsWith(prefix)));
      return shown.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw fault(thrown, `listing ${path}`);
    }
  }

  resolve(path: string): string {
    const cut = path.lastIndexOf("/");
    if (cut <= 0) return path;
    const parent = this.resolveDirectory(path.slice(0, cut));
    return parent === "/" ? path.slice(cut) : parent + path.slice(cut);
  }

  private resolveDirectory(path: string): string {
    const known = this.directories.get(path);
    if (known !== undefined) return known;
    let real: string;
    try {
      real = this.system.files.realpath(path);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code !== "ENOENT" && code !== "ENOTDIR") throw fault(thrown, `resolving ${path}`);
      real = this.resolve(path);
    }
    // Another look may lead elsewhere than the kernel's: only links that were judged are followed.
    if (real !== path) real = followLinks(this.system, path);
    this.directories.set(path, real);
    return real;
  }

  source(path: string): { readonly content: Digest; readonly mode: number; readonly size: number } | undefined {
    const { files } = this.system;
    let fd: number;
    try {
      fd = files.openRead(path);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      if (code !== "ELOOP") throw fault(thrown, `reading ${path}`);
      try {
        fd = files.openRead(files.realpath(path));
      } catch (inner) {
        if (errnoOf(inner) === "ENOENT") return undefined;
        throw fault(inner, `reading ${path}`);
      }
    }
    try {
      const stat = files.fstat(fd);
      if (stat.type !== "file") throw new SystemFault("not-a-file", `${path} is a ${stat.type}, not a file`);
      const read = digestOpen(files, fd, stat);
      this.contents.learn(read.digest, path, read.bytes, read.size);
      return { content: read.digest, mode: stat.mode, size: read.size };
    } finally {
      files.close(fd);
    }
  }

  sameFile(a: string, b: string): boolean {
    const one = this.lstat(a);
    const other = this.lstat(b);
    return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
  }

  device(path: string): number | undefined {
    return this.lstat(path)?.dev;
  }

  private lstat(path: string): FileStat | undefined {
    try {
      return this.system.files.lstat(path);
    } catch (thrown) {
      throw fault(thrown, `reading ${path}`);
    }
  }

  xattrs(paths: readonly string[]): ReadonlyMap<string, { readonly [name: string]: string }> {
    return paths.length === 0 ? new Map() : this.system.files.xattrs(paths);
  }

  async ask(command: Command, answers: readonly number[] | "any"): ReturnType<Reader["ask"]> {
    const ran = await this.system.processes.run(command);
    const name = command.argv[0] ?? "";
    if (ran.failed !== undefined)
      throw new SystemFault(
        ran.failed === "ENOENT" ? "guard-missing" : ran.failed,
        `${name} cannot be run: ${ran.failed === "ENOENT" ? "there is no such program (or no such working folder)" : ran.failed}`,
      );
    if (ran.timedOut) throw new SystemFault("timeout", `${name} did not answer in ${command.timeout} ms`);
    if (ran.code === undefined) throw new SystemFault("signal", `${name} was ended by ${ran.signal}`);
    if (answers !== "any" && !answers.includes(ran.code))
      throw new SystemFault(
        "guard-failed",
        `${name} ended with exit code ${ran.code}, which is no answer: ${ran.stderr.trim().slice(0, 2000)}`,
      );
    return ran;
  }

  receipt(key: string): Receipt | undefined {
    return this.options.receipt(key);
  }

  ownerName(owner: string): string {
    return /^\d+$/.test(owner) ? this.accounts.user(Number(owner)) : owner;
  }

  groupName(group: string): string {
    return /^\d+$/.test(group) ? this.accounts.group(Number(group)) : group;
  }
}

const ABSENT: PathSight = { is: "absent" };

/** Whether two looks met the same, untouched file. */
export function sameStat(a: FileStat, b: FileStat): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

import type { FileStat } from "../../core/index.ts";

/** What of an inode survives a power cut once it was synced. */
interface Metadata {
  mode: number;
  uid: number;
  gid: number;
  xattrs: { readonly [name: string]: string };
}

/** One thing of the file system. `data` and `entries` are what processes see; `durable…` is what a power cut leaves for certain. */
export interface Inode extends Metadata {
  readonly ino: number;
  readonly type: FileStat["type"];
  nlink: number;
  data: Buffer;
  /** A symlink's text. */
  readonly target: string;
  readonly entries: Map<string, number>;
  mtimeMs: number;
  ctimeMs: number;
  durableData: Buffer;
  durableMetadata: Metadata | undefined;
  readonly durableEntries: Map<string, number>;
}

/** A change of directories that happens in one go: a rename changes two names. */
interface EntryChange {
  readonly changes: readonly { readonly folder: number; readonly name: string; readonly to: number | undefined }[];
}

/** Decides what of the unsynced reaches the disk; from a seed, so that an image can be made again. */
export type Chooser = (options: number) => number;

/** How a power cut treats what was not synced. */
export type Cut = "random" | "nothing" | "everything";

/**
 * An in-memory POSIX file system with a persistence model: data, metadata and each change of a directory become durable
 * separately and in any order, unless they were synced. After a kill processes see what was written; after a power cut
 * any legal image stands there (as in ALICE, OSDI 2014: no order but that of syncs).
 */
export class Disk {
  readonly inodes = new Map<number, Inode>();
  readonly root: Inode;
  private next = 1;
  private pending: EntryChange[] = [];
  private time = 1_000;

  constructor() {
    this.root = this.create("directory", 0o755, 0, 0);
    this.root.nlink = 1;
    this.root.durableMetadata = metadataOf(this.root);
  }

  /** A moment later than all before. */
  tick(): number {
    this.time += 1;
    return this.time;
  }

  create(type: Inode["type"], mode: number, uid: number, gid: number, target = ""): Inode {
    const now = this.tick();
    const inode: Inode = {
      ino: this.next++,
      type,
      mode,
      uid,
      gid,
      xattrs: {},
      nlink: 0,
      data: Buffer.alloc(0),
      target,
      entries: new Map(),
      mtimeMs: now,
      ctimeMs: now,
      durableData: Buffer.alloc(0),
      durableMetadata: undefined,
      durableEntries: new Map(),
    };
    this.inodes.set(inode.ino, inode);
    return inode;
  }

  inode(ino: number): Inode {
    return this.inodes.get(ino) as Inode;
  }

  /** Changes names, at once for processes and some time for the disk. */
  change(...changes: EntryChange["changes"]): void {
    for (const { folder, name, to } of changes) {
      const { entries } = this.inode(folder);
      const before = entries.get(name);
      if (before !== undefined) this.inode(before).nlink -= 1;
      if (to === undefined) entries.delete(name);
      else {
        entries.set(name, to);
        this.inode(to).nlink += 1;
      }
      const inode = this.inode(folder);
      inode.mtimeMs = this.tick();
      inode.ctimeMs = inode.mtimeMs;
    }
    this.pending.push({ changes });
  }

  /** fsync: data, metadata and, of a directory, its names. */
  sync(inode: Inode): void {
    inode.durableData = Buffer.from(inode.data);
    inode.durableMetadata = metadataOf(inode);
    if (inode.type !== "directory") return;
    this.pending = this.pending.filter((entry) => {
      if (!entry.changes.some(({ folder }) => folder === inode.ino)) return true;
      this.settle(entry);
      return false;
    });
  }

  syncAll(): void {
    for (const inode of this.inodes.values()) this.sync(inode);
    for (const entry of this.pending) this.settle(entry);
    this.pending = [];
  }

  private settle({ changes }: EntryChange): void {
    for (const { folder, name, to } of changes) {
      const { durableEntries } = this.inode(folder);
      if (to === undefined) durableEntries.delete(name);
      else durableEntries.set(name, to);
    }
  }

  /** How much is waiting: changes of names and files with unsynced data or metadata. */
  waiting(): number {
    return this.pending.length + [...this.inodes.values()].filter((inode) => !inode.data.equals(inode.durableData)).length;
  }

  /** The power goes: what was synced stays; of the rest whatever is chosen. */
  powerCut(cut: Cut, choose: Chooser): void {
    const reaches = () => (cut === "random" ? choose(2) === 1 : cut === "everything");
    for (const entry of this.pending) if (reaches()) this.settle(entry);
    this.pending = [];
    for (const inode of this.inodes.values()) {
      if (!inode.data.equals(inode.durableData)) inode.durableData = this.tornData(inode, cut, choose);
      inode.data = Buffer.from(inode.durableData);
      const metadata = inode.durableMetadata === undefined || reaches() ? metadataOf(inode) : inode.durableMetadata;
      Object.assign(inode, metadata);
      inode.durableMetadata = metadata;
      inode.entries.clear();
      for (const [name, to] of inode.durableEntries) inode.entries.set(name, to);
      inode.nlink = 0;
    }
    this.root.nlink = 1;
    for (const inode of [...this.reachable()]) for (const to of inode.entries.values()) this.inode(to).nlink += 1;
    for (const inode of [...this.inodes.values()]) if (inode.nlink === 0) this.inodes.delete(inode.ino);
  }

  /** Appended bytes reach the disk as a prefix; a file that was rewritten is old, new, empty or cut. */
  private tornData(inode: Inode, cut: Cut, choose: Chooser): Buffer {
    if (cut === "nothing") return inode.durableData;
    if (cut === "everything") return Buffer.from(inode.data);
    const appended =
      inode.data.length > inode.durableData.length && inode.data.subarray(0, inode.durableData.length).equals(inode.durableData);
    switch (choose(3)) {
      case 0:
        return inode.durableData;
      case 1:
        return Buffer.from(inode.data);
      default: {
        const from = appended ? inode.durableData.length : 0;
        return Buffer.from(inode.data.subarray(0, from + choose(inode.data.length - from + 1)));
      }
    }
  }

  private *reachable(): Generator<Inode> {
    const seen = new Set<number>([this.root.ino]);
    const queue = [this.root];
    for (let inode = queue.pop(); inode !== undefined; inode = queue.pop()) {
      yield inode;
      for (const to of inode.entries.values()) {
        if (seen.has(to)) continue;
        seen.add(to);
        queue.push(this.inode(to));
      }
    }
  }
}

function metadataOf({ mode, uid, gid, xattrs }: Inode): Metadata {
  return { mode, uid, gid, xattrs };
}

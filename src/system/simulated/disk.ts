import { hash } from "node:crypto";
import type { FileStat } from "../../core/index.ts";

/** What of an inode survives a power cut once it was synced. */
interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: { readonly [name: string]: string };
}

/**
 * One thing of the file system. `data` and `entries` are what processes see; `durable…` is what a power cut leaves for
 * certain. The bytes of `data` are never changed in place, so that forks of a disk can share them.
 */
export interface Inode {
  readonly ino: number;
  readonly type: FileStat["type"];
  mode: number;
  uid: number;
  gid: number;
  xattrs: { readonly [name: string]: string };
  nlink: number;
  data: Buffer;
  /** A symlink's text. */
  readonly target: string;
  readonly entries: Map<string, number>;
  mtimeMs: number;
  ctimeMs: number;
  durableData: Buffer;
  durableMetadata: Metadata;
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

const EMPTY = Buffer.alloc(0);

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

  constructor(from?: Disk) {
    if (from === undefined) {
      this.root = this.create("directory", 0o755, 0, 0);
      this.root.nlink = 1;
      return;
    }
    for (const inode of from.inodes.values())
      this.inodes.set(inode.ino, { ...inode, entries: new Map(inode.entries), durableEntries: new Map(inode.durableEntries) });
    this.root = this.inode(from.root.ino);
    this.next = from.next;
    this.pending = [...from.pending];
    this.time = from.time;
  }

  /** The same disk once more, with what waits to become durable; the two go their own ways from here. */
  fork(): Disk {
    return new Disk(this);
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
      data: EMPTY,
      target,
      entries: new Map(),
      mtimeMs: now,
      ctimeMs: now,
      durableData: EMPTY,
      // An inode reaches the disk with the mode it was made with; what was changed since may come later.
      durableMetadata: { mode, uid, gid, xattrs: {} },
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
      const inode = this.inode(folder);
      const before = inode.entries.get(name);
      if (before !== undefined) this.inode(before).nlink -= 1;
      if (to === undefined) inode.entries.delete(name);
      else {
        inode.entries.set(name, to);
        this.inode(to).nlink += 1;
      }
      inode.mtimeMs = this.tick();
      inode.ctimeMs = inode.mtimeMs;
    }
    this.pending.push({ changes });
  }

  /** fsync: data, metadata and, of a directory, its names. */
  sync(inode: Inode): void {
    this.syncData(inode);
    inode.durableMetadata = metadataOf(inode);
    if (inode.type !== "directory") return;
    this.pending = this.pending.filter((entry) => {
      if (!entry.changes.some(({ folder }) => folder === inode.ino)) return true;
      this.settle(entry);
      return false;
    });
  }

  /** fdatasync: what is needed to read the data back, and no more. */
  syncData(inode: Inode): void {
    inode.durableData = inode.data;
  }

  syncAll(): void {
    for (const inode of this.inodes.values()) this.sync(inode);
    for (const entry of this.pending) this.settle(entry);
    this.pending = [];
  }

  private settle({ changes }: EntryChange): void {
    for (const { folder, name, to } of changes) {
      const durable = this.inodes.get(folder)?.durableEntries;
      if (to === undefined) durable?.delete(name);
      else durable?.set(name, to);
    }
  }

  /** How many outcomes a power cut has for each thing that waits: a change of names, a file's data, an inode's metadata. */
  undecided(): readonly number[] {
    const options: number[] = this.pending.map(() => 2);
    for (const inode of this.inodes.values()) {
      const data = dataOutcomes(inode);
      if (data.length > 1) options.push(data.length);
      if (!sameMetadata(inode)) options.push(2);
    }
    return options;
  }

  /** The power goes: what was synced stays; of each thing that waits, in the order of `undecided`, the outcome of that number. */
  cut(outcomes: readonly number[]): void {
    let place = 0;
    const outcome = () => outcomes[place++] ?? 0;
    this.lose(
      () => outcome() === 1,
      (inode) => dataOutcomes(inode)[outcome()] as Buffer,
    );
  }

  /** The power goes: what was synced stays; of the rest whatever is chosen. */
  powerCut(cut: Cut, choose: Chooser): void {
    const reaches = () => (cut === "random" ? choose(2) === 1 : cut === "everything");
    this.lose(reaches, (inode) => {
      if (cut === "nothing") return inode.durableData;
      return cut === "everything" ? inode.data : tornData(inode, choose);
    });
  }

  private lose(reaches: () => boolean, dataOf: (inode: Inode) => Buffer): void {
    for (const entry of this.pending) if (reaches()) this.settle(entry);
    this.pending = [];
    for (const inode of this.inodes.values()) {
      if (!sameData(inode)) inode.data = dataOf(inode);
      inode.durableData = inode.data;
      if (!sameMetadata(inode) && !reaches()) Object.assign(inode, inode.durableMetadata);
      inode.durableMetadata = metadataOf(inode);
      if (inode.type === "directory") {
        inode.entries.clear();
        for (const [name, to] of inode.durableEntries) inode.entries.set(name, to);
      }
      inode.nlink = 0;
    }
    this.root.nlink = 1;
    for (const inode of [...this.reachable()]) for (const to of inode.entries.values()) this.inode(to).nlink += 1;
    for (const inode of [...this.inodes.values()]) if (inode.nlink === 0) this.inodes.delete(inode.ino);
  }

  /** A digest of all that stands on the disk: two images with the same one are the same to whoever looks, but for times. */
  digest(): string {
    const lines: string[] = [];
    const visit = (folder: Inode, path: string): void => {
      for (const name of [...folder.entries.keys()].sort()) {
        const inode = this.inode(folder.entries.get(name) as number);
        const { type, mode, uid, gid, xattrs, target, nlink, ino } = inode;
        const content = type === "file" ? contentDigest(inode.data) : target;
        lines.push(
          `${path}/${name} ${type} ${mode} ${uid} ${gid} ${content} ${nlink > 1 && type === "file" ? ino : ""} ${Object.entries(xattrs)}`,
        );
        if (type === "directory") visit(inode, `${path}/${name}`);
      }
    };
    visit(this.root, "");
    return hash("sha256", lines.join("\n"), "hex");
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

const digests = new WeakMap<Buffer, string>();

/** The digest of an inode's bytes, worked out once for all forks that share them. */
export function contentDigest(data: Buffer): string {
  const known = digests.get(data);
  if (known !== undefined) return known;
  const digest = hash("sha256", data, "hex");
  digests.set(data, digest);
  return digest;
}

function sameData({ data, durableData }: Inode): boolean {
  return data === durableData || data.equals(durableData);
}

function isAppended({ data, durableData }: Inode): boolean {
  return data.length > durableData.length && data.subarray(0, durableData.length).equals(durableData);
}

/** Nothing was written since, only cut off: that happens or it does not. */
function isShortened({ data, durableData }: Inode): boolean {
  return data.length < durableData.length && durableData.subarray(0, data.length).equals(data);
}

/**
 * What a power cut can make of a file's data. Appended bytes reach the disk as a prefix, or as zeros where the size came
 * first; a file that was rewritten is old, new, empty or cut. Of the many prefixes one stands for all.
 */
function dataOutcomes(inode: Inode): readonly Buffer[] {
  if (sameData(inode)) return [inode.data];
  const { data, durableData } = inode;
  if (isShortened(inode)) return [durableData, data];
  const from = isAppended(inode) ? durableData.length : 0;
  const outcomes = [durableData, data, data.subarray(0, from + Math.floor((data.length - from) / 2))];
  if (isAppended(inode)) outcomes.push(zeroTail(inode));
  return outcomes;
}

function zeroTail({ data, durableData }: Inode): Buffer {
  return Buffer.concat([durableData, Buffer.alloc(data.length - durableData.length)]);
}

function tornData(inode: Inode, choose: Chooser): Buffer {
  const { data, durableData } = inode;
  switch (choose(4)) {
    case 0:
      return durableData;
    case 1:
      return data;
    case 2:
      if (isAppended(inode)) return zeroTail(inode);
      return data;
    default: {
      if (isShortened(inode)) return durableData;
      const from = isAppended(inode) ? durableData.length : 0;
      return data.subarray(0, from + choose(data.length - from + 1));
    }
  }
}

function metadataOf({ mode, uid, gid, xattrs }: Inode): Metadata {
  return { mode, uid, gid, xattrs };
}

function sameMetadata({ mode, uid, gid, xattrs, durableMetadata }: Inode): boolean {
  const { xattrs: durable } = durableMetadata;
  return (
    mode === durableMetadata.mode &&
    uid === durableMetadata.uid &&
    gid === durableMetadata.gid &&
    (xattrs === durable || JSON.stringify(xattrs) === JSON.stringify(durable))
  );
}

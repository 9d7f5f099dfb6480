import type { DirectoryEntry, FileStat, Files } from "../../core/index.ts";
import { writeFully } from "../write-fully.ts";
import type { Disk, Inode } from "./disk.ts";

interface Open {
  readonly inode: Inode;
  /** As it was opened, with pinned folders by their own path. */
  readonly path: string;
  position: number;
  readonly append: boolean;
}

/** An error as node:fs throws it, without a stack, which would cost more than the call that it is of. */
function errno(code: string, path: string): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(`${code}: ${path}`), { code });
  Error.stackTraceLimit = limit;
  return error;
}

/** Whether a sync of that path is to be lost: what a barrier is for is seen by leaving it out. */
export type Lies = (path: string) => boolean;

/** How many of the bytes given to it a write call takes, or an errno that it throws in place of taking any. */
export type Appetite = (length: number) => number | string;

const PINNED = /^\/proc\/self\/fd\/(\d+)(?:\/|$)/;

/** The Files port over a simulated disk, for one process. */
export class SimulatedFiles implements Files {
  private readonly disk: Disk;
  private readonly uid: number;
  private readonly gid: number;
  private readonly fds = new Map<number, Open>();
  private nextFd = 3;
  private readonly lies: Lies;
  /** Asked at each write call; a kernel may take fewer bytes than it is given. */
  appetite: Appetite | undefined;

  constructor(disk: Disk, uid: number, gid: number, lies: Lies = () => false) {
    this.lies = lies;
    this.disk = disk;
    this.uid = uid;
    this.gid = gid;
  }

  /** The inode behind a descriptor. */
  at(fd: number): Inode {
    return this.opened(fd).inode;
  }

  private opened(fd: number): Open {
    const open = this.fds.get(fd);
    if (!open) throw errno("EBADF", String(fd));
    return open;
  }

  /** The path that an open descriptor was opened by, with pinned folders by their own path. */
  nameOf(fd: number): string {
    return this.opened(fd).path;
  }

  /** A path with the pinned folder that it goes through by its own path. */
  unpinned(path: string): string {
    const pinned = PINNED.exec(path);
    if (!pinned) return path;
    const base = this.opened(Number(pinned[1])).path;
    return `${base === "/" ? "" : base}/${path.slice(pinned[0].length)}`.replace(/\/$/, "");
  }

  /** Walks to the folder of a path's last name. Symlinks on the way are followed, as the kernel does. */
  private parent(path: string, depth = 0): { readonly folder: Inode; readonly name: string; readonly at: string } {
    if (depth > 40) throw errno("ELOOP", path);
    const pinned = PINNED.exec(path);
    const parts = (pinned ? path.slice(pinned[0].length) : path).split("/");
    let folder = pinned ? this.at(Number(pinned[1])) : this.disk.root;
    let at = pinned ? this.nameOf(Number(pinned[1])) : "";
    if (at === "/") at = "";
    while (parts.at(-1) === "") parts.pop();
    const name = parts.pop() ?? ".";
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as string;
      if (part === "") continue;
      const next = folder.entries.get(part);
      if (next === undefined) throw errno("ENOENT", path);
      const inode = this.disk.inode(next);
      if (inode.type === "symlink") {
        const rest = [...parts.slice(index + 1), name].join("/");
        const base = inode.target.startsWith("/") ? inode.target : `${at}/${inode.target}`;
        return this.parent(`${base}/${rest}`, depth + 1);
      }
      if (inode.type !== "directory") throw errno("ENOTDIR", path);
      folder = inode;
      at = `${at}/${part}`;
    }
    return { folder, name, at };
  }

  /** What stands at a path; a symlink at its end is not followed. */
  private find(path: string): Inode | undefined {
    const { folder, name } = this.parent(path);
    if (name === ".") return folder;
    const ino = folder.entries.get(name);
    return ino === undefined ? undefined : this.disk.inode(ino);
  }

  private must(path: string): Inode {
    const inode = this.find(path);
    if (!inode) throw errno("ENOENT", path);
    return inode;
  }

  private open(inode: Inode, path: string, append = false): number {
    const fd = this.nextFd++;
    this.fds.set(fd, { inode, path: this.unpinned(path) || "/", position: 0, append });
    return fd;
  }

  private syncOne(fd: number, onlyData = false): void {
    const { inode, path } = this.opened(fd);
    if (this.lies(path)) return;
    if (onlyData) this.disk.syncData(inode);
    else this.disk.sync(inode);
  }

  private make(path: string, type: Inode["type"], mode: number, target = ""): Inode {
    const { folder, name } = this.parent(path);
    if (folder.entries.has(name) || name === ".") throw errno("EEXIST", path);
    const inode = this.disk.create(type, mode, this.uid, this.gid, target);
    this.disk.change({ folder: folder.ino, name, to: inode.ino });
    return inode;
  }

  openRead(path: string): number {
    const inode = this.must(path);
    if (inode.type === "symlink") throw errno("ELOOP", path);
    return this.open(inode, path);
  }

  openDirectory(path: string): number {
    const inode = this.must(path);
    if (inode.type === "symlink") throw errno("ELOOP", path);
    if (inode.type !== "directory") throw errno("ENOTDIR", path);
    return this.open(inode, path);
  }

  createNew(path: string, mode: number): number {
    return this.open(this.make(path, "file", mode), path);
  }

  openAppend(path: string, create: boolean): number {
    const inode = this.find(path) ?? (create ? this.make(path, "file", 0o600) : undefined);
    if (!inode) throw errno("ENOENT", path);
    return this.open(inode, path, true);
  }

  openLock(path: string): number {
    return this.open(this.find(path) ?? this.make(path, "file", 0o600), path);
  }

  openWrite(path: string): number {
    return this.open(this.must(path), path);
  }

  close(fd: number): void {
    this.opened(fd);
    this.fds.delete(fd);
  }

  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number {
    const open = this.opened(fd);
    const from = position ?? open.position;
    const count = open.inode.data.copy(buffer, offset, from, Math.min(from + length, open.inode.data.length));
    if (position === null) open.position += count;
    return count;
  }

  writeAll(fd: number, bytes: Uint8Array): void {
    const open = this.opened(fd);
    if (open.append) open.position = open.inode.data.length;
    this.writeAt(fd, bytes, open.position);
    open.position += bytes.length;
  }

  writeAt(fd: number, bytes: Uint8Array, position: number): void {
    const { inode } = this.opened(fd);
    writeFully(bytes.length, (offset, count) => {
      const taken = this.appetite?.(count) ?? count;
      if (typeof taken === "string") throw errno(taken, "write");
      if (taken > 0) this.write(inode, bytes.subarray(offset, offset + taken), position + offset);
      return taken;
    });
  }

  private write(inode: Inode, bytes: Uint8Array, position: number): void {
    const { data } = inode;
    if (position === 0 && bytes.length >= data.length) {
      this.written(inode, Buffer.from(bytes));
      return;
    }
    const grown = Buffer.allocUnsafe(Math.max(data.length, position + bytes.length));
    data.copy(grown);
    if (position > data.length) grown.fill(0, data.length, position);
    grown.set(bytes, position);
    this.written(inode, grown);
  }

  truncate(fd: number, size: number): void {
    const { inode } = this.opened(fd);
    const grown = Buffer.alloc(Math.max(0, size - inode.data.length));
    this.written(inode, grown.length === 0 ? inode.data.subarray(0, size) : Buffer.concat([inode.data, grown]));
  }

  private written(inode: Inode, data: Buffer): void {
    inode.data = data;
    inode.mtimeMs = this.disk.tick();
    inode.ctimeMs = inode.mtimeMs;
  }

  fstat(fd: number): FileStat {
    return statOf(this.at(fd));
  }

  lstat(path: string): FileStat | undefined {
    try {
      const inode = this.find(path);
      return inode && statOf(inode);
    } catch (thrown) {
      const { code } = thrown as { code?: string };
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw thrown;
    }
  }

  readDirectory(path: string): readonly DirectoryEntry[] {
    const inode = this.must(path);
    if (inode.type !== "directory") throw errno("ENOTDIR", path);
    return [...inode.entries].map(([name, ino]) => ({ name, type: this.disk.inode(ino).type }));
  }

  readLink(path: string): string {
    return this.must(path).target;
  }

  realpath(path: string): string {
    return this.parent(`${path}/.`).at || "/";
  }

  makeDirectory(path: string, mode: number): void {
    this.make(path, "directory", mode);
  }

  removeDirectory(path: string): void {
    const inode = this.must(path);
    if (inode.type !== "directory") throw errno("ENOTDIR", path);
    if (inode.entries.size > 0) throw errno("ENOTEMPTY", path);
    this.drop(path);
  }

  unlink(path: string): void {
    if (this.must(path).type === "directory") throw errno("EISDIR", path);
    this.drop(path);
  }

  private drop(path: string): void {
    const { folder, name } = this.parent(path);
    this.disk.change({ folder: folder.ino, name, to: undefined });
  }

  rename(from: string, to: string): void {
    const inode = this.must(from);
    const source = this.parent(from);
    const target = this.parent(to);
    const over = target.folder.entries.get(target.name);
    if (over === inode.ino) return;
    if (over !== undefined && this.disk.inode(over).type === "directory") throw errno("EISDIR", to);
    this.disk.change(
      { folder: source.folder.ino, name: source.name, to: undefined },
      { folder: target.folder.ino, name: target.name, to: inode.ino },
    );
  }

  link(existing: string, path: string): void {
    const inode = this.must(existing);
    const { folder, name } = this.parent(path);
    if (folder.entries.has(name)) throw errno("EEXIST", path);
    this.disk.change({ folder: folder.ino, name, to: inode.ino });
    inode.ctimeMs = this.disk.tick();
  }

  symlink(to: string, path: string): void {
    this.make(path, "symlink", 0o777, to);
  }

  chmod(fd: number, mode: number): void {
    const inode = this.at(fd);
    inode.mode = mode;
    inode.ctimeMs = this.disk.tick();
  }

  chown(fd: number, uid: number, gid: number): void {
    Object.assign(this.at(fd), { uid, gid, ctimeMs: this.disk.tick() });
  }

  chownLink(path: string, uid: number, gid: number): void {
    Object.assign(this.must(path), { uid, gid, ctimeMs: this.disk.tick() });
  }

  sync(fd: number): void {
    this.syncOne(fd);
  }

  syncData(fd: number): void {
    this.syncOne(fd, true);
  }

  async syncAll(fds: readonly number[]): Promise<void> {
    for (const fd of fds) this.syncOne(fd);
  }

  async syncFileSystem(): Promise<boolean> {
    this.disk.syncAll();
    return true;
  }

  clone(): boolean {
    return false;
  }

  freeSpace(): { readonly bytes: number; readonly files: number; readonly fileSystem: number } {
    return { bytes: 2 ** 40, files: 2 ** 30, fileSystem: 0xef53 };
  }

  xattrs(paths: readonly string[]): ReadonlyMap<string, { readonly [name: string]: string }> {
    const found = new Map<string, { readonly [name: string]: string }>();
    for (const path of paths) {
      const inode = this.find(path);
      if (inode && Object.keys(inode.xattrs).length > 0) found.set(path, inode.xattrs);
    }
    return found;
  }

  setXattrs(path: string, attributes: { readonly [name: string]: string }): void {
    const inode = this.must(path);
    inode.xattrs = { ...inode.xattrs, ...attributes };
    inode.ctimeMs = this.disk.tick();
  }
}

function statOf(inode: Inode): FileStat {
  const { type, ino, mode, uid, gid, nlink, mtimeMs, ctimeMs } = inode;
  return {
    type,
    dev: 1,
    ino,
    size: inode.data.length,
    mode,
    uid,
    gid,
    nlink,
    mtimeMs,
    ctimeMs,
    blocks: Math.ceil(inode.data.length / 512),
  };
}

import { createHash } from "node:crypto";
import { type Digest, type Files, isKeyed, SystemFault, sha256 } from "../core/index.ts";
import { fault, readWhole } from "../system/index.ts";
import { makeDirectories, syncDirectory } from "./durable.ts";
import type { Keys } from "./keys.ts";

const buffer = Buffer.allocUnsafe(1 << 20);

/** Contents by digest, a file each: `blobs/<aa>/<digest>`; sensitive ones encrypted under `k-<fingerprint>`. */
export class Blobs {
  private readonly files: Files;
  private readonly folder: string;
  private readonly keys: () => Keys;
  /** Blobs that this process knows to be durable. */
  private readonly synced = new Set<string>();
  /** Whether the names of the folders of blobs are durable, as far as an earlier process made them. */
  private settled = false;

  constructor(files: Files, folder: string, keys: () => Keys) {
    this.files = files;
    this.folder = folder;
    this.keys = keys;
  }

  pathOf(digest: Digest): string {
    const name = isKeyed(digest) ? `k-${digest.slice("keyed:".length)}` : digest;
    return `${this.folder}/${isKeyed(digest) ? name.slice(2, 4) : name.slice(0, 2)}/${name}`;
  }

  has(digest: Digest): boolean {
    return this.files.lstat(this.pathOf(digest)) !== undefined;
  }

  /** Whether it is there, and from now on for certain (W4). */
  hasDurably(digest: Digest): boolean {
    return this.adopt(this.pathOf(digest));
  }

  /** The plain bytes; undefined where there is no such blob. Throws SystemFault where it is rotten. */
  get(digest: Digest): Buffer | undefined {
    const bytes = readWhole(this.files, this.pathOf(digest));
    if (bytes === undefined) return undefined;
    if (!isKeyed(digest)) {
      if (sha256(bytes) !== digest) throw rotten(digest);
      return bytes;
    }
    try {
      const plain = this.keys().open(bytes);
      if (this.keys().fingerprint(plain) === digest) return plain;
    } catch {
      throw rotten(digest); // the tag does not hold: other key or damage, and the reason changes nothing
    }
    throw rotten(digest);
  }

  /** Keeps bytes under a digest, encrypted where the digest is a fingerprint; durable on return (W1). */
  put(digest: Digest, bytes: Buffer): void {
    this.create(digest, (fd) => this.files.writeAll(fd, isKeyed(digest) ? this.keys().seal(bytes) : bytes));
  }

  /**
   * Keeps a large file's content: sharing its blocks where the file system can, else by a copy that leaves holes as
   * they are. Throws SystemFault `ENOSPC` where there is no room, `changing` where its digest is not the one.
   */
  keepFile(digest: Digest, path: string, size: number): void {
    const target = this.pathOf(digest);
    if (this.adopt(target)) return;
    const free = this.files.freeSpace(this.folder);
    const temp = this.temp(target);
    try {
      if (!this.files.clone(path, temp)) {
        if (free.bytes < size + (4 << 20)) {
          throw new SystemFault(
            "ENOSPC",
            `there is no room for what stands at ${path} now: ${size} bytes are needed in ${this.folder} and ${free.bytes} free; make room, or use another --state-dir`,
          );
        }
        this.copy(path, temp);
      }
      if (this.digestFile(temp) !== digest) throw new SystemFault("changing", `${path} is being written to`);
      const fd = this.files.openRead(temp);
      try {
        this.files.sync(fd);
      } finally {
        this.files.close(fd);
      }
      this.files.rename(temp, target);
      syncDirectory(this.files, target.slice(0, target.lastIndexOf("/")));
    } catch (thrown) {
      if (this.files.lstat(temp)) this.files.unlink(temp);
      throw fault(thrown, `keeping what stands at ${path}`);
    }
    this.synced.add(target);
  }

  private copy(from: string, to: string): void {
    const source = this.files.openRead(from);
    try {
      const stat = this.files.fstat(source);
      const sparse = stat.blocks * 512 < stat.size;
      const zeros = Buffer.alloc(1 << 16);
      const fd = this.files.createNew(to, 0o600);
      try {
        let position = 0;
        for (;;) {
          const count = this.files.read(source, buffer, 0, sparse ? zeros.length : buffer.length, position);
          if (count === 0) break;
          const part = buffer.subarray(0, count);
          if (!sparse || !part.equals(zeros.subarray(0, count))) this.files.writeAt(fd, part, position);
          position += count;
        }
        this.files.truncate(fd, position);
      } finally {
        this.files.close(fd);
      }
    } finally {
      this.files.close(source);
    }
  }

  private digestFile(path: string): string {
    const fd = this.files.openRead(path);
    try {
      const hash = createHash("sha256");
      let position = 0;
      for (;;) {
        const count = this.files.read(fd, buffer, 0, buffer.length, position);
        if (count === 0) return hash.digest("hex");
        hash.update(buffer.subarray(0, count));
        position += count;
      }
    } finally {
      this.files.close(fd);
    }
  }

  private create(digest: Digest, fill: (fd: number) => void): void {
    const target = this.pathOf(digest);
    if (this.adopt(target)) return;
    const temp = this.temp(target);
    try {
      const fd = this.files.createNew(temp, 0o600);
      try {
        fill(fd);
        this.files.sync(fd);
      } finally {
        this.files.close(fd);
      }
      this.files.rename(temp, target);
      syncDirectory(this.files, target.slice(0, target.lastIndexOf("/")));
    } catch (thrown) {
      if (this.files.lstat(temp)) this.files.unlink(temp);
      throw fault(thrown, "keeping a content");
    }
    this.synced.add(target);
  }

  /** A blob found present may only be in the page cache of a killed process: it is synced once before it is relied on (W4). */
  private adopt(target: string): boolean {
    if (this.synced.has(target)) return true;
    if (!this.files.lstat(target)) return false;
    this.settle();
    const fd = this.files.openRead(target);
    try {
      this.files.sync(fd);
    } finally {
      this.files.close(fd);
    }
    syncDirectory(this.files, target.slice(0, target.lastIndexOf("/")));
    this.synced.add(target);
    return true;
  }

  /** A folder found present may be in the memory of the kernel alone, where a process was killed that had just made it (W4). */
  private settle(): void {
    if (!this.settled) syncDirectory(this.files, this.folder);
    this.settled = true;
  }

  private temp(target: string): string {
    this.settle();
    makeDirectories(this.files, target.slice(0, target.lastIndexOf("/")), 0o700);
    const temp = `${target}.new`;
    if (this.files.lstat(temp)) this.files.unlink(temp);
    return temp;
  }

  /** All digests that are kept. */
  list(): readonly { readonly digest: Digest; readonly path: string }[] {
    const found: { digest: Digest; path: string }[] = [];
    if (!this.files.lstat(this.folder)) return found;
    for (const folder of this.files.readDirectory(this.folder)) {
      if (folder.type !== "directory") continue;
      for (const entry of this.files.readDirectory(`${this.folder}/${folder.name}`)) {
        const path = `${this.folder}/${folder.name}/${entry.name}`;
        if (/^[0-9a-f]{64}$/.test(entry.name)) found.push({ digest: entry.name as Digest, path });
        else if (/^k-[0-9a-f]{64}$/.test(entry.name)) found.push({ digest: `keyed:${entry.name.slice(2)}` as Digest, path });
      }
    }
    return found;
  }
}

function rotten(digest: Digest): SystemFault {
  return new SystemFault("rotten", `the kept content ${digest} no longer has its digest: it is not used`);
}

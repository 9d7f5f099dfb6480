import { type Digest, type Files, sha256 } from "../core/index.ts";
import { fault, readWhole } from "../system/index.ts";
import { syncDirectory } from "./durable.ts";

/** Contents from this size on, and sensitive ones, are blobs of their own. */
export const PACK_LIMIT = 1 << 20;

const HEAD = 64 + 1 + 8 + 1;

/**
 * An append-only file of small contents: `<64 hex> <len:8 hex>\n<bytes>\n`. One file for thousands of contents costs
 * one fsync where a file each would cost thousands.
 */
export class Pack {
  private readonly files: Files;
  readonly path: string;
  private readonly entries = new Map<string, { readonly at: number; readonly size: number }>();
  private length = 0;
  private named = false;
  private pending: Buffer[] = [];
  private fd: number | undefined;
  private readFd: number | undefined;
  /** Entries that this process wrote itself. */
  private readonly fresh = new Set<string>();

  /** Reads what is there; nothing is written until `flush`. */
  constructor(files: Files, path: string) {
    this.files = files;
    this.path = path;
    const bytes = readWhole(files, path);
    if (bytes) this.index(bytes);
  }

  /** Keeps the longest well-framed prefix. */
  private index(bytes: Buffer): void {
    let at = 0;
    while (at + HEAD <= bytes.length) {
      const head = /^([0-9a-f]{64}) ([0-9a-f]{8})\n$/.exec(bytes.toString("latin1", at, at + HEAD));
      if (!head) break;
      const size = Number.parseInt(head[2] as string, 16);
      const end = at + HEAD + size + 1;
      if (end > bytes.length || bytes[end - 1] !== 0x0a) break;
      this.entries.set(head[1] as string, { at: at + HEAD, size });
      at = end;
    }
    this.length = at;
  }

  /** Whether the content is there with its digest: after a power cut an entry can stand there without its bytes. */
  has(digest: Digest): boolean {
    return this.fresh.has(digest) || (this.entries.has(digest) && this.get(digest) !== undefined);
  }

  add(digest: Digest, bytes: Buffer): void {
    if (this.has(digest)) return;
    this.fresh.add(digest);
    this.entries.set(digest, { at: this.length + HEAD, size: bytes.length });
    this.pending.push(Buffer.from(`${digest} ${bytes.length.toString(16).padStart(8, "0")}\n`), bytes, Buffer.from("\n"));
    this.length += HEAD + bytes.length + 1;
  }

  /** Writes and syncs what was added since; true where there was anything. */
  flush(): boolean {
    if (this.pending.length === 0) return false;
    try {
      this.fd ??= this.open();
      this.files.writeAll(this.fd, Buffer.concat(this.pending));
      this.pending = [];
      this.files.syncData(this.fd);
      // The first time its name must be durable too, or a power cut takes the whole pack (W1).
      if (!this.named) syncDirectory(this.files, this.path.slice(0, this.path.lastIndexOf("/")));
      this.named = true;
    } catch (thrown) {
      throw fault(thrown, `writing ${this.path}`);
    }
    return true;
  }

  private open(): number {
    const fd = this.files.openAppend(this.path, true);
    const written = this.pending.reduce((sum, part) => sum + part.length, 0);
    // What a crash tore off is cut away, or new entries would stand behind a hole in the frame.
    if (this.files.fstat(fd).size !== this.length - written) this.files.truncate(fd, this.length - written);
    return fd;
  }

  /** Makes durable what a killed process may have left in memory alone, before anything relies on it (W4). */
  settle(): void {
    if (!this.files.lstat(this.path)) return;
    this.fd ??= this.open();
    this.files.syncData(this.fd);
    syncDirectory(this.files, this.path.slice(0, this.path.lastIndexOf("/")));
    this.named = true;
  }

  /** The bytes, if they are there and have the digest. */
  get(digest: Digest): Buffer | undefined {
    const entry = this.entries.get(digest) ?? this.grown().get(digest);
    if (!entry) return undefined;
    if (this.pending.length > 0) this.flush();
    this.readFd ??= this.files.openRead(this.path);
    const bytes = Buffer.allocUnsafe(entry.size);
    let length = 0;
    while (length < entry.size) {
      const count = this.files.read(this.readFd, bytes, length, entry.size - length, entry.at + length);
      if (count === 0) return undefined;
      length += count;
    }
    return sha256(bytes) === digest ? bytes : undefined;
  }

  /** The entries, with those that a writer of the same file added since it was read; what this pack itself writes it knows. */
  private grown(): ReadonlyMap<string, { readonly at: number; readonly size: number }> {
    const isWriter = this.fd !== undefined || this.pending.length > 0;
    if (isWriter || (this.files.lstat(this.path)?.size ?? 0) <= this.length) return this.entries;
    const bytes = readWhole(this.files, this.path);
    if (bytes) this.index(bytes);
    return this.entries;
  }

  digests(): IterableIterator<string> {
    return this.entries.keys();
  }

  close(): void {
    for (const fd of [this.fd, this.readFd]) if (fd !== undefined) this.files.close(fd);
    this.fd = undefined;
    this.readFd = undefined;
  }
}

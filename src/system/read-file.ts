import { createHash } from "node:crypto";
import { type Digest, type FileStat, type Files, SystemFault, sha256 } from "../core/index.ts";

/** One buffer for all reads of the process: an allocation a file would cost more than reading it. */
const buffer = Buffer.allocUnsafe(1 << 20);

/** What an open regular file holds. `bytes` is a view of a shared buffer, good until the next read; undefined for large files. */
export interface FileRead {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Buffer | undefined;
}

/** Digests an open regular file from its start. */
export function digestOpen(files: Files, fd: number, stat: FileStat): FileRead {
  if (stat.size < buffer.length) {
    let length = 0;
    for (;;) {
      // One byte more than the size: a short read is the end, and saves the call that would say so.
      const wanted = Math.min(buffer.length - length, Math.max(stat.size + 1 - length, 1));
      const count = files.read(fd, buffer, length, wanted, length);
      length += count;
      if (count < wanted) break;
      if (length === buffer.length) return digestLarge(files, fd);
    }
    const bytes = buffer.subarray(0, length);
    return { digest: sha256(bytes), size: length, bytes };
  }
  return digestLarge(files, fd);
}

function digestLarge(files: Files, fd: number): FileRead {
  const hash = createHash("sha256");
  let size = 0;
  for (;;) {
    const count = files.read(fd, buffer, 0, buffer.length, size);
    if (count === 0) break;
    hash.update(buffer.subarray(0, count));
    size += count;
  }
  return { digest: hash.digest("hex") as Digest, size, bytes: undefined };
}

/** All bytes of a regular file; undefined where there is none at the path. Throws SystemFault for other things. */
export function readWhole(files: Files, path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = files.openRead(path);
  } catch (thrown) {
    const code = (thrown as { code?: string }).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fault(thrown, `reading ${path}`);
  }
  try {
    const stat = files.fstat(fd);
    if (stat.type !== "file") throw new SystemFault("not-a-file", `${path} is a ${stat.type}, not a file`);
    // Files of /proc and /sys have no size and a content all the same.
    if (stat.size === 0) return readToEnd(files, fd);
    const bytes = Buffer.allocUnsafe(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const count = files.read(fd, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    files.close(fd);
  }
}

function readToEnd(files: Files, fd: number): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.allocUnsafe(1 << 16);
    const count = files.read(fd, part, 0, part.length, null);
    if (count === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, count));
  }
}

/** The system's words for an errno. */
const WORDS: { readonly [code: string]: string } = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOSPC: "no space left on the device",
  EDQUOT: "disk quota exceeded",
  EROFS: "the file system is read-only",
  EIO: "input/output error",
  ELOOP: "a symlink stands in the way",
  ENOTDIR: "a part of the path is not a directory",
  ENOTEMPTY: "the directory is not empty",
  EMFILE: "too many open files",
  EBUSY: "the file is in use by the system (a mount point?)",
  EXDEV: "the path is on another file system (a bind-mounted file?)",
  EISDIR: "a directory stands there",
  EEXIST: "something stands there already",
  ENOENT: "there is no such file or directory",
  ENAMETOOLONG: "the name is too long",
};

/** A SystemFault from what a call threw: what was tried, and why the system refused. */
export function fault(thrown: unknown, doing: string, mutated: "no" | "maybe" = "no"): SystemFault {
  if (thrown instanceof SystemFault) return thrown;
  const code = (thrown as { code?: string } | null)?.code ?? "unknown";
  return new SystemFault(code, `${doing}: ${WORDS[code] ?? (thrown as Error).message ?? code}`, { mutated, cause: thrown });
}

/** A SystemFault that was thrown, or what a system call threw where nobody said what was being done; undefined for all else, which are bugs. */
export function faultIn(thrown: unknown): SystemFault | undefined {
  if (thrown instanceof SystemFault) return thrown;
  const { syscall, path } = (thrown ?? {}) as { syscall?: unknown; path?: unknown };
  if (typeof syscall !== "string") return undefined;
  return fault(thrown, typeof path === "string" ? `${syscall} of ${path}` : syscall, "maybe");
}

/** Whether a fault comes of a failed fsync or fdatasync: it is final, and nothing may be set any more in this process (W5). */
export function isSyncFailure(thrown: unknown): boolean {
  const { syscall, cause } = (thrown ?? {}) as { syscall?: unknown; cause?: unknown };
  return syscall === "fsync" || syscall === "fdatasync" || (cause !== undefined && isSyncFailure(cause));
}

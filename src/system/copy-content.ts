import { createHash } from "node:crypto";
import { type Digest, type Files, SystemFault } from "../core/index.ts";
import type { ContentStore } from "./contents.ts";

const buffer = Buffer.allocUnsafe(1 << 20);
const HOLE = 1 << 16;
const zeros = Buffer.alloc(HOLE);

/**
 * Writes a content to an empty, open file: from memory, or, where it is large, block by block from the file that has it,
 * holes staying holes. Throws SystemFault `content-moved` where that file no longer has the digest.
 */
export function copyContent(files: Files, contents: ContentStore, digest: Digest, fd: number): void {
  const origin = contents.fileOf(digest);
  if (origin === undefined) {
    files.writeAll(fd, contents.bytes(digest));
    return;
  }
  let source: number;
  try {
    source = files.openRead(origin);
  } catch {
    files.writeAll(fd, contents.bytes(digest)); // the file is gone: a pack or blob may still have it, or says what is missing
    return;
  }
  try {
    const stat = files.fstat(source);
    const sparse = stat.blocks * 512 < stat.size;
    const hash = createHash("sha256");
    let position = 0;
    for (;;) {
      const count = files.read(source, buffer, 0, buffer.length, position);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
      if (sparse) writeSparse(files, fd, position, count);
      else files.writeAll(fd, buffer.subarray(0, count));
      position += count;
    }
    if (sparse) files.truncate(fd, position);
    if (hash.digest("hex") !== digest) {
      files.truncate(fd, 0);
      throw moved(origin, digest);
    }
  } finally {
    files.close(source);
  }
}

/** Reads a content through where it is to be copied from a file, and throws SystemFault `content-moved` where that no longer has the digest. */
export function checkContent(files: Files, contents: ContentStore, digest: Digest): void {
  const origin = contents.fileOf(digest);
  if (origin === undefined || !files.lstat(origin)) return;
  const source = files.openRead(origin);
  try {
    const hash = createHash("sha256");
    for (let position = 0; ; ) {
      const count = files.read(source, buffer, 0, buffer.length, position);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
      position += count;
    }
    if (hash.digest("hex") !== digest) throw moved(origin, digest);
  } finally {
    files.close(source);
  }
}

/** A source that somebody edited, or a kept content that is rotten: the bytes are not those that were planned or kept. */
function moved(origin: string, digest: Digest): SystemFault {
  return new SystemFault("content-moved", `${origin} no longer has its digest ${digest}: it is not used`);
}

/** Writes the parts of the shared buffer that are not all zeros at their places. */
function writeSparse(files: Files, fd: number, position: number, count: number): void {
  for (let from = 0; from < count; from += HOLE) {
    const part = buffer.subarray(from, Math.min(count, from + HOLE));
    if (part.equals(zeros.subarray(0, part.length))) continue;
    files.writeAt(fd, part, position + from);
  }
}

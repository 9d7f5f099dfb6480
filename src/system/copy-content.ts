import { createHash } from "node:crypto";
import { type Digest, type Files, SystemFault } from "../core/index.ts";
import type { ContentStore } from "./contents.ts";

const buffer = Buffer.allocUnsafe(1 << 20);
const HOLE = 1 << 16;
const zeros = Buffer.alloc(HOLE);

/**
 * Writes a content to an empty, open file: from memory, or, where it is large, block by block from the file that has it,
 * holes staying holes. Throws SystemFault `content-moved` where the content is to be had nowhere.
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
      files.writeAt(fd, elsewhere(contents, digest, origin), 0);
    }
  } finally {
    files.close(source);
  }
}

/**
 * The bytes of a content, or undefined where they are to be copied from a file that has them at this moment: for what is written
 * in place, where nothing else may stand even for a moment. Throws SystemFault `content-moved` where they are to be had nowhere.
 */
export function bytesUnlessInFile(files: Files, contents: ContentStore, digest: Digest): Buffer | undefined {
  const origin = contents.fileOf(digest);
  if (origin === undefined || !files.lstat(origin)) return contents.bytes(digest);
  const source = files.openRead(origin);
  try {
    const hash = createHash("sha256");
    for (let position = 0; ; ) {
      const count = files.read(source, buffer, 0, buffer.length, position);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
      position += count;
    }
    return hash.digest("hex") === digest ? undefined : elsewhere(contents, digest, origin);
  } finally {
    files.close(source);
  }
}

/**
 * The bytes where their file no longer has the digest: the run itself may have set it since, and a pack or another file has
 * them. Else somebody edited a source, or a kept content is rotten: the bytes are not those that were planned or kept.
 */
function elsewhere(contents: ContentStore, digest: Digest, origin: string): Buffer {
  try {
    return contents.bytes(digest);
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
    throw new SystemFault("content-moved", `${origin} no longer has its digest ${digest}: it is not used`, { cause: thrown });
  }
}

/** Writes the parts of the shared buffer that are not all zeros at their places. */
function writeSparse(files: Files, fd: number, position: number, count: number): void {
  for (let from = 0; from < count; from += HOLE) {
    const part = buffer.subarray(from, Math.min(count, from + HOLE));
    if (part.equals(zeros.subarray(0, part.length))) continue;
    files.writeAt(fd, part, position + from);
  }
}

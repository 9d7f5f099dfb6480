import { type Files, isObject, type JsonObject } from "../core/index.ts";
import { fault } from "./read-file.ts";

/** A line and where the next one begins, in bytes. */
export interface JsonLine {
  readonly value: JsonObject;
  readonly next: number;
}

/** Reads once, from a place to the end. */
const CHUNK = 1 << 16;

/**
 * The whole lines of a file of JSON from a place on, and where the last of them ends. What a killed writer left without an
 * end is not read yet; a line that is no JSON, because another writer ended it, is passed over. None where there is no file.
 */
export function readJsonLines(files: Files, path: string, from = 0): { readonly lines: readonly JsonLine[]; readonly end: number } {
  if (!files.lstat(path)) return { lines: [], end: 0 };
  try {
    const fd = files.openRead(path);
    try {
      // A shorter file took the place of the one that was read before.
      const start = from > files.fstat(fd).size ? 0 : from;
      return split(readFrom(files, fd, start), start);
    } finally {
      files.close(fd);
    }
  } catch (thrown) {
    throw fault(thrown, `reading ${path}`);
  }
}

function readFrom(files: Files, fd: number, start: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const part = Buffer.allocUnsafe(CHUNK);
    const count = files.read(fd, part, 0, CHUNK, at);
    if (count === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, count));
    at += count;
  }
}

function split(bytes: Buffer, start: number): { readonly lines: readonly JsonLine[]; readonly end: number } {
  const lines: JsonLine[] = [];
  let at = 0;
  for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, at)) {
    const value = parsed(bytes.toString("utf8", at, newline));
    at = newline + 1;
    if (value !== undefined) lines.push({ value, next: start + at });
  }
  return { lines, end: start + at };
}

function parsed(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // the rest of a write that was cut off: whoever wrote it writes it again
  }
}

/** Appends lines to an open file (O_APPEND) and makes them durable. A torn last line is ended first, so that it spoils no other. */
export function appendJsonLines(files: Files, fd: number, values: readonly JsonObject[]): void {
  const { size } = files.fstat(fd);
  const last = Buffer.alloc(1);
  const isTorn = size > 0 && files.read(fd, last, 0, 1, size - 1) === 1 && last[0] !== 10;
  files.writeAll(fd, Buffer.from(`${isTorn ? "\n" : ""}${values.map((value) => `${JSON.stringify(value)}\n`).join("")}`));
  files.sync(fd);
}

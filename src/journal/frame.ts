import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { isObject } from "../core/index.ts";
import type { JournalRecord } from "./records.ts";

/**
 * One record a line, ASCII only, so that a journal can be read with `less` in an emergency:
 *
 *     <len:8 hex> <crc:8 hex> <chain:32 hex> <json>\n
 *
 * `chain` is the first 128 bits of sha256(previous chain ‖ len ‖ json), so that a record cannot be left out, moved or
 * taken from another run.
 */
const HEAD = 8 + 1 + 8 + 1 + 32 + 1;

export function firstChain(run: string): string {
  return hash("sha256", `setpoint/1/${run}`, "hex").slice(0, 32);
}

function chainOf(previous: string, length: string, json: string): string {
  return hash("sha256", previous + length + json, "hex").slice(0, 32);
}

/** JSON with everything outside ASCII as \u escapes. */
function ascii(json: string): string {
  return /^[\x00-\x7f]*$/.test(json)
    ? json
    : json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The line of a record and the chain that the next one goes on from. */
export function frame(record: JournalRecord, previous: string): { readonly line: string; readonly chain: string } {
  const json = ascii(JSON.stringify(record));
  const length = json.length.toString(16).padStart(8, "0");
  const chain = chainOf(previous, length, json);
  return { line: `${length} ${crc32(json).toString(16).padStart(8, "0")} ${chain} ${json}\n`, chain };
}

/** What the bytes of a journal hold. */
export interface Parsed {
  readonly records: readonly JournalRecord[];
  /** Where each of them ends, in bytes from the start. */
  readonly ends: readonly number[];
  /** Bytes of the longest prefix whose length, crc, chain and seq hold. */
  readonly length: number;
  readonly chain: string;
  /** `torn`: what follows the prefix was never durable; `damaged`: it was. */
  readonly rest: "none" | "torn" | "damaged";
  /** Readable records behind the prefix, for a salvage. */
  readonly salvage: readonly JournalRecord[];
}

/** One line that passes its own check, wherever it stands. */
function readLine(
  bytes: Buffer,
  start: number,
):
  | { readonly end: number; readonly length: string; readonly chain: string; readonly json: string; readonly record: JournalRecord }
  | undefined {
  if (start + HEAD > bytes.length) return undefined;
  const head = bytes.toString("latin1", start, start + HEAD);
  if (!/^[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{32} $/.test(head)) return undefined;
  const length = head.slice(0, 8);
  const size = Number.parseInt(length, 16);
  const end = start + HEAD + size + 1;
  if (end > bytes.length || bytes[end - 1] !== 0x0a) return undefined;
  const json = bytes.toString("latin1", start + HEAD, end - 1);
  if (crc32(json).toString(16).padStart(8, "0") !== head.slice(9, 17)) return undefined;
  const record = recordOf(json);
  return record && { end, length, chain: head.slice(18, 50), json, record };
}

/** A line that holds its checksum and no record was written by no setpoint: it is as unreadable as one that does not. */
function recordOf(json: string): JournalRecord | undefined {
  try {
    const record: unknown = JSON.parse(json);
    const isRecord = isObject(record) && typeof record.t === "string" && typeof record.seq === "number" && typeof record.d === "number";
    return isRecord ? (record as unknown as JournalRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Judges a journal's bytes: reliability.md §3, "Opening an existing journal". */
export function parseJournal(bytes: Buffer, run: string): Parsed {
  const records: JournalRecord[] = [];
  const ends: number[] = [];
  let at = 0;
  let chain = firstChain(run);
  let durable = -1;
  while (at < bytes.length) {
    const line = readLine(bytes, at);
    if (!line || line.chain !== chainOf(chain, line.length, line.json)) break;
    const { record } = line;
    if (record.seq !== records.length) break;
    records.push(record);
    durable = Math.max(durable, record.d);
    chain = line.chain;
    at = line.end;
    ends.push(at);
  }
  // It gets its name with its first record in it: without one it is no journal that was just begun.
  if (at === bytes.length && records.length > 0) return { records, ends, length: at, chain, rest: "none", salvage: [] };
  const salvage: JournalRecord[] = [];
  for (let start = at; start < bytes.length; ) {
    const line = readLine(bytes, start);
    if (line) {
      salvage.push(line.record);
      durable = Math.max(durable, line.record.d);
      start = line.end;
    } else {
      const next = bytes.indexOf(0x0a, start);
      start = next < 0 ? bytes.length : next + 1;
    }
  }
  // The first bad record has the seq that would have come next.
  const torn = records.length > 0 && records.length > durable;
  return { records, ends, length: at, chain, rest: torn ? "torn" : "damaged", salvage };
}

import { type Clock, type Files, SystemFault } from "../core/index.ts";
import { readWhole } from "../system/index.ts";
import { makeDirectories, writeDurably } from "./durable.ts";
import { firstChain, frame, parseJournal } from "./frame.ts";
import { Ledger } from "./ledger.ts";
import type { JournalRecord } from "./records.ts";

/** The name in place of a run id in the chain of its records. */
const BASE = "base";

/**
 * What the ledger is rebuilt from once journals are gone: `runs/base/journal`, the ledger's lines as records of a journal.
 * It is written whole, so that it stays as small as the ledger, and is wholly as before or wholly new after any crash.
 */
export function writeBase(files: Files, clock: Clock, state: string, ledger: Ledger): void {
  const lines = ledger
    .toText()
    .split("\n")
    .filter((line) => line !== "");
  const framed: string[] = [];
  let chain = firstChain(BASE);
  lines.forEach((line, seq) => {
    // All of it is durable before it has its name: whatever is missing later is damage and no torn tail.
    const record: JournalRecord = { t: "kept", line, v: 1, seq, at: clock.now(), mono: Math.round(clock.mono()), d: lines.length - 1 };
    const next = frame(record, chain);
    chain = next.chain;
    framed.push(next.line);
  });
  makeDirectories(files, `${state}/runs/base`, 0o700);
  writeDurably(files, `${state}/runs/base/journal`, framed.join(""));
}

/** The ledger as it was when journals were last given up; undefined where none ever was. Throws SystemFault where it is damaged. */
export function readBase(files: Files, state: string): Ledger | undefined {
  const path = `${state}/runs/base/journal`;
  const bytes = readWhole(files, path);
  if (bytes === undefined) return undefined;
  const parsed = parseJournal(bytes, BASE);
  if (parsed.rest !== "none")
    throw new SystemFault(
      "damaged-base",
      `${path} is damaged at byte ${parsed.length}: what it says of runs whose journals are gone cannot be read; restore it from a backup, or move it away to go on without`,
    );
  return Ledger.parse(parsed.records.map((record) => (record.t === "kept" ? `${record.line}\n` : "")).join(""));
}

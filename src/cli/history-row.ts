import type { RunLine } from "../journal/index.ts";
import type { HistoryRow } from "../report/index.ts";

/** A run's line of the ledger for a list. */
export function historyRow({ run, stack, kind, status, began, changed, conflicts, failed }: RunLine): HistoryRow {
  return { run, stack, kind, status, at: began, changed, conflicts, failed };
}

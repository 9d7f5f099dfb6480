import type { Clock } from "../core/index.ts";
import { confirmStatus } from "../engine/index.ts";
import type { RunLine, RunState } from "../journal/index.ts";
import type { HistoryRow, Unconfirmed } from "../report/index.ts";

/** A run's line of the ledger for a list. */
export function historyRow(line: RunLine, clock: Clock): HistoryRow {
  const { run, stack, kind, status, began, changed, conflicts, failed } = line;
  const confirm = awaitedNow(line, clock);
  return { run, stack, kind, status, at: began, changed, conflicts, failed, ...(confirm && { confirm }) };
}

/** Whether a run is reverted unless it is confirmed, and until when. */
export function awaitedNow(run: Pick<RunState, "confirm" | "status" | "kind">, clock: Clock): Unconfirmed | undefined {
  const now = confirmStatus(run, clock);
  if (now.is === "overdue") return {};
  return now.is === "awaits" ? { until: Math.round(now.until) } : undefined;
}

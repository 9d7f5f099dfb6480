import type { Clock } from "../core/index.ts";
import { type Confirmation, type LockedDirectory, type RunFolder, RunJournal, type RunState } from "../journal/index.ts";
import type { Tools } from "./work.ts";

/**
 * How a run stands that is to be reverted unless it is confirmed.
 *
 *     idle ─ first intent ─▶ awaits ─ the time is over ─▶ overdue ─ revert ─▶ reverted
 *                              └ confirm ─▶ confirmed        ▲            │
 *                                                            └─ killed ◀──┘
 *
 * none: it needs no confirmation, or nothing would be reverted by itself any more.
 */
export type ConfirmStatus =
  | { readonly is: "none" | "overdue" }
  /** `left` in ms, 0 or more while awaited; `until` in wall ms. */
  | { readonly is: "idle" | "awaits"; readonly left: number; readonly until: number }
  | { readonly is: "confirmed"; readonly at: number }
  /** `unconfirmed`: for that reason, and not because somebody reverted it. */
  | { readonly is: "reverted"; readonly unconfirmed: boolean };

/** How a run stands now, by its journal or by its line of the ledger. */
export function confirmStatus({ confirm, status, kind }: Pick<RunState, "confirm" | "status" | "kind">, clock: Clock): ConfirmStatus {
  if (confirm === undefined || status === "abandoned") return { is: "none" };
  if (confirm.confirmed !== undefined) return { is: "confirmed", at: confirm.confirmed };
  // A revert that was cut off is gone on with at once: it was wanted, and half of it is no state to be left in.
  if (kind === "revert")
    return status === "interrupted" ? { is: "overdue" } : { is: "reverted", unconfirmed: confirm.unconfirmed === true };
  const left = timeLeft(confirm, clock);
  if (!confirm.acted) return status === "applied" ? { is: "none" } : { is: "idle", left, until: clock.now() + left };
  return left <= 0 ? { is: "overdue" } : { is: "awaits", left, until: clock.now() + left };
}

/**
 * The ms that are left. Within one boot they are counted by the clock that nobody can set. After a reboot the wall clock
 * decides, and where that went back nobody can tell: then the time is over, as a run that was reverted too early is applied again sooner
 * than a machine is mended that nobody reaches.
 */
function timeLeft({ within, at, mono, boot }: Confirmation, clock: Clock): number {
  const known = boot === clock.bootId() && boot !== "unknown";
  const passed = known ? clock.mono() - mono : clock.now() - at;
  // A record has whole ms, so that its own time may lie up to half a ms ahead.
  return passed < -1 ? 0 : Math.max(0, within - passed);
}

/** Makes a run that awaits it permanent; durable before it returns. Throws SystemFault. */
export function confirmRun(tools: Pick<Tools, "system" | "ledger"> & { readonly state: LockedDirectory }, folder: RunFolder): void {
  const { files, clock } = tools.system;
  const journal = RunJournal.open(files, clock, folder.path, folder.run);
  try {
    journal.append({ t: "confirm", opt: true });
    journal.sync();
  } finally {
    journal.close();
  }
  tools.state.record(tools.ledger, folder.plan(), folder);
}

import type { Plan } from "../core/index.ts";
import { heldBy } from "../engine/index.ts";
import type { JournalRecord } from "../journal/index.ts";
import { kinds } from "../registers/index.ts";
import type { PreparedRow } from "../report/index.ts";

/** What a run's records leave prepared at other machines, as it is shown. Asks none of them. */
export function preparedIn(plan: Plan, records: readonly JournalRecord[]): readonly PreparedRow[] {
  return heldBy(plan, records, kinds).map((one) => ({ ...one, address: one.address ?? one.register }));
}

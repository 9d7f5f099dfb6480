import { type Address, type Change, type Plan, participantKey, type Register, type RegisterId, registerId } from "../core/index.ts";
import { fromRanges, type JournalRecord, runState } from "../journal/index.ts";
import { isEffect } from "./pass-book.ts";
import { DROPPED, gidOf, mayBeHeld } from "./two-phase.ts";
import type { Tools } from "./work.ts";

/** A member of a two-phase transaction that another machine may keep prepared, with its locks, until it is told. */
export interface Held {
  readonly transaction: string;
  /** What it is to be told; `none`: it was not decided, so it will be taken back. */
  readonly decision: "commit" | "abort" | "none";
  readonly address: Address | undefined;
  readonly register: RegisterId;
  readonly server: string;
  /** Under which the other machine knows it. */
  readonly name: string;
  /** Wall ms when it was begun. */
  readonly since: number;
}

/** What the records of a run leave prepared at other machines. Asks none of them. */
export function heldBy(plan: Plan, records: readonly JournalRecord[], kinds: Tools["kinds"]): readonly Held[] {
  const run = runState(records);
  if (run === undefined) return [];
  return (plan.transactions ?? []).flatMap((transaction): readonly Held[] => {
    if (transaction.mode !== "two_phase") return [];
    const decision = run.transactions.get(transaction.name) ?? "none";
    return plan.changes.flatMap((change): readonly Held[] => {
      const own = run.steps.get(change.n);
      const kind = kinds.get(change.register.kind);
      if (change.transaction !== transaction.name || kind?.origin === undefined || own === undefined) return [];
      // Of what is in doubt it is known that it is not there.
      if (!mayBeHeld(own) || own.status === "unknown") return [];
      const since = begun(change, records);
      if (since === undefined) return [];
      const gid = gidOf({ run }, transaction, change.n);
      const name = isEffect(kind, change.register) ? participantKey(gid, own.attempt) : gid;
      const { register, resources } = change;
      const server = serverOf(register);
      return [
        { transaction: transaction.name, decision, address: resources[0]?.address, register: registerId(register), server, name, since },
      ];
    });
  });
}

/** When a member was last begun; undefined where it was told after that that its transaction was dropped. */
function begun({ n }: Change, records: readonly JournalRecord[]): number | undefined {
  const told = records.findLastIndex((record) => record.t === "fail" && record.action === n && record.class === DROPPED);
  const last = records.findLastIndex(
    (record) => record.t === "intent" && ("action" in record ? record.action === n : [...fromRanges(record.n)].includes(n)),
  );
  return last > told ? records[last]?.at : undefined;
}

/** A frozen plan does not tell the URL of a database, which may hold a password: its register does, without that. */
function serverOf({ about, key }: Register): string {
  return typeof about?.origin === "string" ? about.origin : (/^[\w+.-]+:\/\/[^/]*/.exec(key)?.[0] ?? key);
}

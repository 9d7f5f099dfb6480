import {
  type Address,
  CannotConverge,
  type Goal,
  type PlannedSetting,
  type Reader,
  type Register,
  type RegisterId,
  registerId,
  type State,
} from "../core/index.ts";
import { aspectKey, type Ledger, type Owned } from "../journal/index.ts";
import { type Fingerprint, matches } from "./compare.ts";

/** Aspects of a register that a stack owns and its whole playbook no longer declares. */
export interface FoundOrphan {
  readonly id: RegisterId;
  readonly register: Register;
  readonly address: Address;
  readonly aspects: readonly string[];
  readonly owned: Owned;
}

/** What a prune makes of an orphan. */
export interface OrphanChange {
  readonly id: RegisterId;
  readonly register: Register;
  readonly address: Address;
  readonly aspects: readonly string[];
  readonly after: State;
}

/**
 * What is owned and no longer declared, judged by all settings of the playbook, selected or not. A register that is
 * declared absent, or only to be kept in order, is let go of without a word.
 */
export function findOrphans(ledger: Ledger, stack: string, settings: readonly PlannedSetting[]): readonly FoundOrphan[] {
  const declared = new Map<RegisterId, readonly string[]>();
  for (const setting of settings) {
    if (setting.implied) continue;
    const id = registerId(setting.register);
    const known = declared.get(id);
    declared.set(id, known ? [...known, ...setting.aspects] : setting.aspects);
  }
  const found: FoundOrphan[] = [];
  for (const id of ledger.registersOf(stack)) {
    const aspects = declared.get(id);
    // The usual case costs a comparison of two texts.
    if (aspects !== undefined && (aspects.length === 0 || ledger.aspectsOf(stack, id) === aspectKey(aspects))) continue;
    for (const owned of ledger.ownedBy(stack, id)) {
      const gone = owned.aspects.filter((aspect) => !aspects?.includes(aspect));
      if (gone.length < owned.aspects.length || gone.length === 0) continue;
      const colon = id.indexOf(":");
      found.push({
        id,
        register: { kind: id.slice(0, colon), key: id.slice(colon + 1), ...(owned.about && { about: owned.about }) },
        address: owned.address,
        aspects: gone,
        owned,
      });
    }
  }
  return found;
}

/** The changes of a prune; an orphan that has none is left alone because somebody else set it. */
export async function orphanChanges(
  orphans: readonly FoundOrphan[],
  states: ReadonlyMap<RegisterId, State>,
  parts: {
    readonly goals: ReadonlyMap<string, Goal>;
    readonly reader: Reader;
    readonly ledger: Ledger;
    readonly stack: string;
    readonly fingerprint: Fingerprint;
  },
): Promise<readonly OrphanChange[]> {
  const changes: OrphanChange[] = [];
  const folded = new Map(states);
  for (const { id, register, address, aspects, owned } of orphans) {
    const goal = parts.goals.get(`${register.kind} ${owned.goal}`);
    const now = folded.get(id);
    if (!goal || !now) continue;
    await goal.prepare?.(owned.want);
    const view = { contents: parts.reader.contents, state: () => now, sets: () => 0 };
    let after: State | undefined;
    try {
      if (goal.release) after = goal.release(now, owned.want, owned.was, view);
      else if (stillOurs(now, owned, goal, parts, id)) after = owned.was;
    } catch (thrown) {
      if (!(thrown instanceof CannotConverge)) throw thrown;
    }
    if (after === undefined) continue;
    folded.set(id, after);
    changes.push({ id, register, address, aspects, after });
  }
  return changes;
}

/** Nobody else set the register since: what we wanted of it still holds, and no other stack owns a part. */
function stillOurs(
  now: State,
  owned: Owned,
  goal: Goal,
  parts: { readonly reader: Reader; readonly ledger: Ledger; readonly stack: string; readonly fingerprint: Fingerprint },
  id: RegisterId,
): boolean {
  if (parts.ledger.ownersOf(id).some((stack) => stack !== parts.stack)) return false;
  const view = { contents: parts.reader.contents, state: () => now, sets: () => 0 };
  return matches(now, goal.converge(now, owned.want, view), parts.fingerprint);
}

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
import type { Vault } from "./vault.ts";

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
export function findOrphans(
  ledger: Ledger,
  stack: string,
  settings: readonly PlannedSetting[],
  secrets: Pick<Vault, "seal">,
): readonly FoundOrphan[] {
  if (ledger.ownsNothing(stack)) return [];
  const declared = new Map<RegisterId, readonly string[]>();
  for (const setting of settings) {
    if (setting.implied) continue;
    const id = registerId(setting.register);
    const known = declared.get(id);
    const aspects = secrets.seal(setting.aspects);
    declared.set(id, known ? [...known, ...aspects] : aspects);
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

/** What a prune does, and why it leaves some orphans alone. */
export interface Pruned {
  readonly changes: readonly OrphanChange[];
  readonly kept: ReadonlyMap<FoundOrphan, string>;
}

export const NOTHING_PRUNED: Pruned = { changes: [], kept: new Map() };

/** What pruning works with. */
interface PruneParts {
  readonly goals: ReadonlyMap<string, Goal>;
  readonly reader: Reader;
  readonly ledger: Ledger;
  readonly stack: string;
  readonly fingerprint: Fingerprint;
  readonly secrets: Pick<Vault, "unsealKnown">;
}

/** The changes of a prune, folded over what the plan has made of the registers by then. */
export async function orphanChanges(
  orphans: readonly FoundOrphan[],
  drafting: { stateOf(id: RegisterId): State; whyUnknown(id: RegisterId): string | undefined },
  parts: PruneParts,
): Promise<Pruned> {
  const changes: OrphanChange[] = [];
  const kept = new Map<FoundOrphan, string>();
  const folded = new Map<RegisterId, State>();
  for (const orphan of orphans) {
    const { id, register, address, aspects } = orphan;
    // A secret that is given no more stays a mark: most releases do not need it.
    const owned = parts.secrets.unsealKnown(orphan.owned);
    const goal = parts.goals.get(`${register.kind} ${owned.goal}`);
    const now = folded.get(id) ?? drafting.stateOf(id);
    if (!goal) continue;
    await goal.prepare?.(owned.want);
    const after = drafting.whyUnknown(id) ?? releasedState(now, { ...orphan, owned }, goal, parts);
    if (typeof after === "string") {
      kept.set(orphan, after);
      continue;
    }
    folded.set(id, after);
    changes.push({ id, register, address, aspects, after });
  }
  return { changes, kept };
}

/** The register without what was owned of it, or why that is left alone. */
function releasedState(now: State, orphan: FoundOrphan, goal: Goal, parts: PruneParts): State | string {
  const { id, owned } = orphan;
  const view = { contents: parts.reader.contents, state: () => now, sets: () => 0, fingerprint: parts.fingerprint };
  try {
    if (!goal.release) return stillOurs(now, owned, goal, parts, id) ? owned.was : "somebody else set it since, so it is left as it is";
    const after = goal.release(now, owned.want, owned.was, view);
    if (after === now && JSON.stringify(owned.want).includes("⟦secret:"))
      return "it holds a secret that is given no more, so it cannot be found: give it once again with --var";
    return after;
  } catch (thrown) {
    if (!(thrown instanceof CannotConverge)) throw thrown;
    return `${thrown.summary}: ${thrown.message}`;
  }
}

/** Nobody else set the register since: what we wanted of it still holds, and no other stack owns a part. */
function stillOurs(now: State, owned: Owned, goal: Goal, parts: PruneParts, id: RegisterId): boolean {
  if (parts.ledger.ownersOf(id).some((stack) => stack !== parts.stack)) return false;
  const view = { contents: parts.reader.contents, state: () => now, sets: () => 0, fingerprint: parts.fingerprint };
  return matches(now, goal.converge(now, owned.want, view), parts.fingerprint);
}

import {
  CannotConverge,
  error,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type Register,
  type RegisterId,
  registerId,
  type State,
} from "../core/index.ts";
import { matches } from "./compare.ts";
import { converged, type FoldParts, proof } from "./fold.ts";
import type { OrphanChange } from "./orphans.ts";
import type { Draft, PlanParts } from "./plan-parts.ts";
import { kindOf } from "./read.ts";

/** The fold in progress: the state of every register by now, and the steps so far. */
export class Drafting {
  readonly drafts: Draft[] = [];
  readonly problems: Problem[] = [];
  /** The address of each opaque change, by the number of the segment that begins behind it. */
  readonly openers: string[] = [];
  private readonly folded = new Map<RegisterId, State>();
  private readonly open = new Map<RegisterId, Draft>();
  private readonly parts: PlanParts;
  private readonly settings: readonly PlannedSetting[];
  /** The settings with the results that are known by now, and those that wait for one. */
  private readonly ready: { readonly live: readonly PlannedSetting[]; readonly waits: ReadonlyMap<number, string> };
  private readonly resources: readonly PlannedResource[];
  private readonly states: ReadonlyMap<RegisterId, State>;
  private readonly byResource: readonly (readonly number[])[];
  private changes = 0;
  readonly fold: FoldParts;

  constructor(
    parts: PlanParts,
    settings: readonly PlannedSetting[],
    resources: readonly PlannedResource[],
    states: ReadonlyMap<RegisterId, State>,
    ready: { readonly live: readonly PlannedSetting[]; readonly waits: ReadonlyMap<number, string> },
  ) {
    this.parts = parts;
    this.ready = ready;
    this.settings = settings;
    this.resources = resources;
    this.states = states;
    const lists: number[][] = resources.map(() => []);
    settings.forEach((setting, index) => {
      lists[setting.by]?.push(index);
    });
    this.byResource = lists;
    this.fold = {
      goals: parts.goals,
      contents: parts.reader.contents,
      fingerprint: parts.fingerprint,
      state: (id) => this.stateOf(id),
      sets: (id) => (parts.ledger.sets.get(id) ?? 0) + (this.changesNow(id) ? 1 : 0),
    };
  }

  stateOf(id: RegisterId): State {
    return this.folded.get(id) ?? this.states.get(id) ?? { is: "absent" };
  }

  private changesNow(id: RegisterId): boolean {
    const start = this.states.get(id);
    return start !== undefined && !matches(start, this.stateOf(id), this.parts.fingerprint);
  }

  takeResource(index: number): void {
    for (const setting of this.byResource[index] ?? []) this.takeSetting(setting);
  }

  private takeSetting(index: number): void {
    const setting = this.settings[index] as PlannedSetting;
    const id = registerId(setting.register);
    const draft = this.draftFor(index, setting, id);
    if (this.ready.waits.has(index)) {
      draft.unknown = true;
      this.changes += 1;
      return;
    }
    let after: State;
    try {
      after = converged(this.stateOf(id), this.ready.live[index] as PlannedSetting, this.fold);
    } catch (thrown) {
      if (!(thrown instanceof CannotConverge)) throw thrown;
      if (draft.segment > 0) draft.unknown = true;
      else {
        const resource = this.resources[setting.by] as PlannedResource;
        this.problems.push(
          error("cannot-converge", thrown.summary, `${setting.register.key}: ${thrown.message}`, resource.at, resource.address),
        );
      }
      return;
    }
    if (after.is === "unknown") {
      draft.unknown = true;
      this.awaitBringers(draft);
      // Nothing before it can bring what its guard lacks.
      if (typeof after.why === "string" && draft.tentative === undefined) {
        const resource = this.resources[setting.by] as PlannedResource;
        this.problems.push(error("cannot-read", "the system cannot be read", after.why, resource.at, resource.address));
      }
    }
    if (after !== draft.after || this.folded.has(id)) this.folded.set(id, after);
    const changedBefore = !matches(draft.before, draft.after, this.parts.fingerprint);
    draft.after = after;
    const changes = !matches(draft.before, after, this.parts.fingerprint);
    if (changes && !changedBefore) {
      this.changes += 1;
      if (kindOf(this.parts.kinds, setting.register.kind).opaque) this.openers.push(this.resources[setting.by]?.address ?? id);
    }
  }

  /** What cannot be read yet may come with what this plan changes before it on the same machine: a row with its table. */
  private awaitBringers(draft: Draft): void {
    const originOf = ({ register }: Draft) => kindOf(this.parts.kinds, register.kind).origin?.(register);
    const origin = originOf(draft);
    if (origin === undefined || draft.tentative !== undefined) return;
    const isChange = ({ unknown, before, after }: Draft) => unknown || !matches(before, after, this.parts.fingerprint);
    const bringers = [...this.drafts.entries()].filter(([, other]) => other !== draft && originOf(other) === origin && isChange(other));
    const [, last] = bringers.at(-1) ?? [];
    if (last === undefined) return;
    draft.awaits = bringers.map(([place]) => place);
    draft.tentative = `known after ${this.resources[this.settings[last.settings[0] ?? -1]?.by ?? -1]?.address ?? last.id}`;
  }

  private draftFor(index: number, setting: PlannedSetting, id: RegisterId): Draft {
    const segment = this.openers.length;
    const known = this.open.get(id);
    if (known && known.segment === segment) {
      known.settings.push(index);
      return known;
    }
    const state = this.stateOf(id);
    const kind = kindOf(this.parts.kinds, setting.register.kind);
    const behind = this.openers[segment - 1];
    const awaited = this.ready.waits.get(index);
    const guarded = kind.tentative?.(setting.register) === true && this.changes > 0;
    const draft: Draft = {
      register: setting.register,
      id,
      settings: [index],
      before: state,
      after: state,
      segment,
      tentative:
        awaited !== undefined
          ? `known after ${awaited}`
          : behind !== undefined
            ? `known after ${behind}`
            : guarded
              ? "its guard is asked again first"
              : undefined,
      unknown: false,
      pruned: [],
    };
    this.open.set(id, draft);
    this.drafts.push(draft);
    return draft;
  }

  /** What is taken back is one change with what is set of the same register, so that it is read and written once. */
  takePruned(change: OrphanChange): void {
    const { id, register, after } = change;
    const segment = this.openers.length;
    const known = this.open.get(id);
    const before = this.stateOf(id);
    const draft: Draft =
      known?.segment === segment
        ? known
        : { register, id, settings: [], before, after: before, segment, tentative: undefined, unknown: false, pruned: [] };
    if (draft !== known) {
      this.open.set(id, draft);
      this.drafts.push(draft);
    }
    if (draft.pruned.length === 0 && matches(draft.before, draft.after, this.parts.fingerprint)) draft.prunedOnly = true;
    this.folded.set(id, after);
    draft.after = after;
    draft.pruned.push(change);
  }

  /** Why a register's state is only known during the run, so that nothing can be taken back of it yet. */
  whyUnknown(id: RegisterId): string | undefined {
    const draft = this.open.get(id);
    if (draft === undefined || (draft.tentative === undefined && !draft.unknown)) return undefined;
    return `it is only ${draft.tentative ?? "known during the run"}: prune again when that is done`;
  }

  /** Folds every register again from its result. */
  prove(): readonly Problem[] {
    const found: Problem[] = [];
    const all = new Map<RegisterId, Draft[]>();
    for (const draft of this.drafts) {
      if (draft.settings.length === 0) continue;
      // One setting that found nothing to do has proved itself; where no segment begins, a register has but one draft.
      if (this.openers.length === 0 && draft.settings.length === 1 && draft.after === draft.before) continue;
      const known = all.get(draft.id);
      if (known) known.push(draft);
      else all.set(draft.id, [draft]);
    }
    for (const [id, drafts] of all) {
      const [first] = drafts as [Draft];
      if (drafts.some((draft) => draft.unknown)) continue;
      const settings = drafts.flatMap((draft) => draft.settings.map((index) => this.ready.live[index] as PlannedSetting));
      // One setting that found nothing to do has proved itself.
      if (settings.length === 1 && first.after === first.before) continue;
      const problem = proof(first.before, this.stateOf(id), settings, this.resources, this.fold);
      if (problem) found.push(problem);
    }
    return found;
  }

  /** The state that the plan gives a register; undefined where it leaves it alone. */
  changed(register: Register): State | undefined {
    const id = registerId(register);
    return this.changesNow(id) ? this.stateOf(id) : undefined;
  }

  /** The state of a register that is not among the plan's, as `stateOf` has it for those that are. */
  known(id: RegisterId): State | undefined {
    return this.folded.get(id) ?? this.states.get(id);
  }
}

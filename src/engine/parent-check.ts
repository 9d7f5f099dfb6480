import {
  error,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type Register,
  type RegisterId,
  registerId,
  type State,
} from "../core/index.ts";
import type { Drafting } from "./drafting.ts";
import type { Draft, PlanParts } from "./plan-parts.ts";
import { kindOf } from "./read.ts";

/** What each change needs of its parents, and whether it fits below them. */
export class ParentCheck {
  private readonly byId = new Map<RegisterId, number>();
  private readonly needed: number[][] = [];
  private readonly removals: { readonly parent: number; readonly child: number }[] = [];

  constructor(
    drafting: Drafting,
    parts: PlanParts,
    settings: readonly PlannedSetting[],
    resources: readonly PlannedResource[],
    drafts: readonly Draft[],
    changing: readonly boolean[],
    problems: Problem[],
  ) {
    if (!changing.includes(true)) return;
    // The first draft of a register is where it comes to be; the last one where it goes.
    drafts.forEach((draft, index) => {
      if (changing[index] || !this.byId.has(draft.id)) this.byId.set(draft.id, index);
    });
    const unread = new Map<RegisterId, Register>();
    const parentsOf = (draft: Draft) => kindOf(parts.kinds, draft.register.kind).parents?.(draft.register) ?? [];
    drafts.forEach((draft, index) => {
      if (!changing[index]) return;
      for (const key of parentsOf(draft)) {
        const register = { kind: draft.register.kind, key };
        if (drafting.known(registerId(register)) === undefined) unread.set(registerId(register), register);
      }
    });
    const outside = new Map<RegisterId, State>();
    for (const kind of new Set([...unread.values()].map((register) => register.kind))) {
      const registers = [...unread.values()].filter((register) => register.kind === kind);
      const states = kindOf(parts.kinds, kind).read(registers, parts.reader);
      if (Array.isArray(states))
        registers.forEach((register, place) => {
          outside.set(registerId(register), states[place] as State);
        });
    }
    drafts.forEach((draft, index) => {
      this.needed[index] = [];
      if (!changing[index]) return;
      const kind = kindOf(parts.kinds, draft.register.kind);
      for (const key of parentsOf(draft)) {
        const id = registerId({ kind: draft.register.kind, key });
        const parent = this.byId.get(id);
        if (parent !== undefined && changing[parent] && parent !== index) {
          if (drafts[parent]?.after.is === "absent") this.removals.push({ parent, child: index });
          else this.needed[index]?.push(parent);
        }
        const resource = resources[settings[draft.settings[0] ?? -1]?.by ?? -1];
        const later = parent !== undefined ? drafts[parent] : undefined;
        if (
          later &&
          changing[parent as number] &&
          later.segment > draft.segment &&
          later.before.is === "absent" &&
          draft.after.is !== "absent"
        ) {
          const other = resources[settings[later.settings[0] ?? -1]?.by ?? -1];
          problems.push(
            error(
              "parent-behind-opaque",
              "a parent is declared behind a step that may change anything",
              `${draft.register.key} needs ${key}, which ${other?.address} (line ${other?.at.line}) only makes after ${drafting.openers[later.segment - 1]}: list it earlier`,
              resource?.at,
              resource?.address,
            ),
          );
          continue;
        }
        const state = drafting.known(id) ?? outside.get(id);
        if (state === undefined || draft.unknown || draft.segment > 0) continue;
        const misfit = kind.misfit?.(draft.register, draft.after, { key, state });
        if (misfit) problems.push(error("misfit", misfit.summary, misfit.detail, resource?.at, resource?.address));
      }
    });
  }

  of(index: number): readonly number[] {
    return this.needed[index] ?? [];
  }

  /** A parent goes after all that is in it. */
  addRemovals(needs: number[][]): void {
    for (const { parent, child } of this.removals) if (!needs[parent]?.includes(child)) needs[parent]?.push(child);
  }
}

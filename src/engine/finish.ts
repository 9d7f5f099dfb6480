import {
  type Action,
  type Change,
  error,
  type JsonObject,
  type Label,
  type Manner,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type Reason,
  type RegisterId,
  type RegisterKind,
  type State,
  type Steady,
} from "../core/index.ts";
import { matches } from "./compare.ts";
import type { Drafting } from "./drafting.ts";
import { converged, type FoldParts } from "./fold.ts";
import { circleProblem, pulledForward } from "./order.ts";
import { ParentCheck } from "./parent-check.ts";
import type { Draft, PlanParts } from "./plan-parts.ts";
import { kindOf } from "./read.ts";

interface Finished {
  readonly changes: readonly Change[];
  readonly steady: readonly Steady[];
  readonly problems: readonly Problem[];
}

/** From drafts to numbered steps: labels, refusals, parents, order. */
export function finish(
  drafting: Drafting,
  parts: PlanParts,
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
): Finished {
  const { drafts } = drafting;
  const problems: Problem[] = [];
  const changing = drafts.map((draft) => draft.unknown || !matches(draft.before, draft.after, parts.fingerprint));
  const enriched = enrich(drafts, changing, parts);
  const parents = new ParentCheck(drafting, parts, settings, resources, drafts, changing, problems);
  const byResource = new Map<number, number[]>();
  drafts.forEach((draft, index) => {
    for (const setting of draft.settings) {
      const by = settings[setting]?.by ?? -1;
      const list = byResource.get(by);
      if (list) list.push(index);
      else byResource.set(by, [index]);
    }
  });
  const byRegister = placesByRegister(drafts, settings);
  const needs = drafts.map((draft, index) => {
    if (!changing[index]) return [];
    const needed = new Set<number>(parents.of(index));
    for (const need of draft.awaits ?? []) if (changing[need]) needed.add(need);
    for (const setting of draft.settings) {
      const one = settings[setting] as PlannedSetting;
      for (const other of resources[one.by]?.needs ?? [])
        for (const need of byResource.get(other) ?? []) if (changing[need] && need !== index) needed.add(need);
      for (const id of one.reads ?? []) for (const need of byRegister.get(id) ?? []) if (changing[need] && need < index) needed.add(need);
    }
    return [...needed];
  });
  parents.addRemovals(needs);
  const order = pulledForward(needs.map((list) => ({ needs: list })));
  if ("circle" in order) {
    const names = order.circle.map((index) => ({
      name: drafts[index]?.register.key ?? "",
      at: resources[settings[drafts[index]?.settings[0] ?? -1]?.by ?? -1]?.at,
    }));
    return { changes: [], steady: [], problems: [...problems, circleProblem(names)] };
  }
  const number = new Uint32Array(drafts.length);
  order.order.forEach((index, n) => {
    number[index] = n;
  });
  const changes: Change[] = [];
  const steady: Steady[] = [];
  const places = new Map<number, Change["resources"]>();
  const placeOf = (by: number) => {
    const known = places.get(by);
    if (known !== undefined) return known;
    const resource = resources[by];
    const made = resource ? [{ address: resource.address, at: resource.at }] : [];
    places.set(by, made);
    return made;
  };
  for (const index of order.order) {
    const draft = drafts[index] as Draft;
    const n = number[index] as number;
    const manner = mannerOf(draft, settings);
    const base = {
      n,
      register: draft.register,
      settings: draft.settings,
      ...(draft.tentative !== undefined && { tentative: draft.tentative }),
      ...(manner && { manner }),
      ...(draft.pruned.length > 0 && { releases: draft.pruned.flatMap(({ aspects }) => aspects) }),
    };
    const kind = kindOf(parts.kinds, draft.register.kind);
    if (!changing[index]) {
      steady.push({ ...base, before: kind.lean?.(draft.before, draft.after) ?? draft.before });
      continue;
    }
    const found = enriched.get(index) ?? draft.before;
    const before = kind.lean?.(found, draft.after) ?? found;
    const change: Change = {
      ...base,
      before,
      after: draft.after,
      action: actionOf(kind, before, draft.after),
      label: labelOf(kind, draft, before, manner ?? {}),
      reason: reasonOf(draft, settings, parts, drafting.fold),
      resources: placesOf(draft, settings, resources, placeOf),
      ...(needs[index] && needs[index].length > 0 && { needs: needs[index].map((need) => number[need] as number).sort((a, b) => a - b) }),
      ...(draft.unknown && {
        unknown: true as const,
        ...(draft.tentative === undefined && { tentative: "not known without running its guard" }),
      }),
      ...transactionOf(draft, settings, resources),
      ...foreignOf(draft.id, parts),
    };
    const note = draft.unknown ? undefined : kind.note?.(draft.register, draft.before, draft.after);
    changes.push(note === undefined ? change : { ...change, note });
    problems.push(...refusals(change, kind, resources, settings));
  }
  return { changes, steady, problems };
}

/** The drafts of each register; none where no setting looks at another register. */
function placesByRegister(drafts: readonly Draft[], settings: readonly PlannedSetting[]): ReadonlyMap<RegisterId, readonly number[]> {
  const places = new Map<RegisterId, number[]>();
  if (!settings.some((setting) => setting.reads !== undefined)) return places;
  drafts.forEach(({ id }, index) => {
    const known = places.get(id);
    if (known) known.push(index);
    else places.set(id, [index]);
  });
  return places;
}

/** The further fields of states that would be lost, asked of each kind in one go. */
function enrich(drafts: readonly Draft[], changing: readonly boolean[], parts: PlanParts): ReadonlyMap<number, State> {
  const found = new Map<number, State>();
  const byKind = new Map<string, number[]>();
  drafts.forEach((draft, index) => {
    if (!changing[index] || draft.unknown || !kindOf(parts.kinds, draft.register.kind).enrich) return;
    const list = byKind.get(draft.register.kind);
    if (list) list.push(index);
    else byKind.set(draft.register.kind, [index]);
  });
  for (const [name, indexes] of byKind) {
    const items = indexes.map((index) => drafts[index] as Draft);
    const states = kindOf(parts.kinds, name).enrich?.(items, parts.reader) ?? [];
    indexes.forEach((index, place) => {
      found.set(index, states[place] ?? (drafts[index] as Draft).before);
    });
  }
  return found;
}

function actionOf(kind: RegisterKind, before: State, after: State): Action {
  if (kind.opaque) return "run";
  if (before.is === "absent") return "create";
  return after.is === "absent" ? "delete" : "update";
}

function labelOf(kind: RegisterKind, draft: Draft, before: State, manner: Manner): Label {
  return kind.label?.(draft.register, before, draft.after, manner) ?? "exact";
}

function placesOf(
  draft: Draft,
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
  known: (resource: number) => Change["resources"],
): Change["resources"] {
  const [first] = draft.settings;
  // One list for all the files of a tree.
  if (first !== undefined && draft.settings.length === 1 && draft.pruned.length === 0) return known(settings[first]?.by ?? -1);
  const seen = new Set<number>();
  const places: { address: PlannedResource["address"]; at: PlannedResource["at"] }[] = [];
  for (const index of draft.settings) {
    const by = settings[index]?.by ?? -1;
    const resource = resources[by];
    if (!resource || seen.has(by)) continue;
    seen.add(by);
    places.push({ address: resource.address, at: resource.at });
  }
  for (const { address } of draft.pruned) places.push({ address, at: { file: "", line: 0, column: 0 } });
  return places;
}

function transactionOf(
  draft: Draft,
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
): { readonly transaction?: string } {
  const names = draft.settings.map((index) => resources[settings[index]?.by ?? -1]?.transaction);
  const name = names.find((one) => one !== undefined);
  return name === undefined ? {} : { transaction: name };
}

/** How the settings together want it done. */
function mannerOf(draft: Draft, settings: readonly PlannedSetting[]): Manner | undefined {
  let manner: Manner | undefined;
  for (const index of draft.settings) {
    const more = settings[index]?.manner;
    if (!more) continue;
    const validate = [...(manner?.validate ?? []), ...(more.validate ?? [])];
    manner = { ...manner, ...more, ...(validate.length > 0 && { validate }) };
  }
  return manner;
}

function reasonOf(draft: Draft, settings: readonly PlannedSetting[], parts: PlanParts, fold: FoldParts): Reason {
  if (draft.prunedOnly) return "prune";
  if (draft.before.is === "watching") return "debt";
  const owned = parts.ledger.ownedBy(parts.stack, draft.id);
  if (owned.length === 0) return "intent";
  const declared = draft.settings.map((index) => settings[index] as PlannedSetting);
  // The ledger has marks for secrets and fingerprints for contents that hold them.
  const isWanted = (want: JsonObject, one: JsonObject) =>
    Object.keys(want).length === Object.keys(one).length && matches(parts.secrets.seal(want) as State, one as State, parts.fingerprint);
  const same = declared.every((setting) => owned.some((one) => one.goal === setting.goal && isWanted(setting.want, one.want)));
  if (same) return "drift";
  const held = owned.every((one) => {
    const earlier: PlannedSetting = {
      register: draft.register,
      goal: one.goal,
      want: parts.secrets.unsealKnown(one.want),
      aspects: one.aspects,
      by: -1,
    };
    if (!parts.goals.has(`${draft.register.kind} ${one.goal}`)) return true;
    try {
      return matches(draft.before, converged(draft.before, earlier, fold), parts.fingerprint);
    } catch {
      return false; // the old want cannot even be worked out now: somebody moved the register
    }
  });
  return held ? "intent" : "both";
}

function foreignOf(id: RegisterId, parts: PlanParts): { readonly foreign?: string } {
  const other = parts.ledger.ownersOf(id).find((stack) => stack !== parts.stack);
  return other === undefined ? {} : { foreign: other };
}

function refusals(
  change: Change,
  kind: RegisterKind,
  resources: readonly PlannedResource[],
  settings: readonly PlannedSetting[],
): readonly Problem[] {
  const [first] = change.resources;
  const found: Problem[] = [];
  const refused = change.unknown ? undefined : kind.refuse?.(change.register, change.before, change.after, change.manner ?? {});
  if (refused) found.push(error("refused-change", refused.summary, refused.detail, first?.at, first?.address));
  const shield =
    change.action === "delete"
      ? change.settings.map((index) => resources[settings[index]?.by ?? -1]).find((resource) => resource?.protect)
      : undefined;
  if (shield)
    found.push(
      error(
        "protected",
        "a protected resource would be removed",
        `${change.register.key} is protected by \`protect: true\` on ${shield.address}: take that away first if it should go`,
        shield.at,
        shield.address,
      ),
    );
  return found;
}

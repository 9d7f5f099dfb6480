import { dirname, resolve } from "node:path";
import {
  type Action,
  CannotConverge,
  type Change,
  error,
  type Goal,
  isObject,
  type Json,
  type JsonObject,
  type Label,
  type Manner,
  type Orphan,
  type Plan,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type Reader,
  type Reason,
  type Register,
  type RegisterId,
  type RegisterKind,
  registerId,
  type State,
  type Steady,
  sameJson,
} from "../core/index.ts";
import type { Ledger } from "../journal/index.ts";
import { type Fingerprint, matches } from "./compare.ts";
import type { Expanded } from "./expand.ts";
import { converged, type FoldParts, goalOf, proof } from "./fold.ts";
import { circleProblem, pulledForward } from "./order.ts";
import { type FoundOrphan, findOrphans, NOTHING_PRUNED, type OrphanChange, orphanChanges } from "./orphans.ts";
import { kindOf, readForPlan } from "./read.ts";
import type { Vault } from "./vault.ts";

/** What planning asks of the vault. */
export type SecretKeeper = Pick<Vault, "hasSecrets" | "secretIn" | "seal" | "unsealKnown">;

/** What planning works with. */
export interface PlanParts {
  readonly kinds: ReadonlyMap<string, RegisterKind>;
  readonly goals: ReadonlyMap<string, Goal>;
  readonly reader: Reader;
  readonly ledger: Ledger;
  readonly fingerprint: Fingerprint;
  readonly secrets: SecretKeeper;
  readonly stack: string;
  readonly setpoint: string;
  readonly playbooks: Plan["playbooks"];
  readonly inputs: JsonObject;
  readonly facts: JsonObject;
  readonly prune: boolean;
}

/** A step while it is worked out. */
interface Draft {
  readonly register: Register;
  readonly id: RegisterId;
  readonly settings: number[];
  readonly before: State;
  after: State;
  /** How many opaque changes stand before it. */
  readonly segment: number;
  readonly tentative: string | undefined;
  unknown: boolean;
  readonly pruned: OrphanChange[];
  /** Its settings alone would change nothing. */
  prunedOnly?: true;
}

/** A plan, still without its digest, and what stands against it. */
export interface Planned {
  readonly plan: Plan;
  readonly problems: readonly Problem[];
  /** The states that were read, by register. */
  readonly states: ReadonlyMap<RegisterId, State>;
}

/**
 * Reads every register, folds its settings over the state in listed order, proves that the fold comes to rest, and
 * orders the changes. Changes nothing. Problems of severity error mean that the plan must not be applied.
 */
export async function makePlan(expanded: Expanded, parts: PlanParts): Promise<Planned> {
  const { resources } = expanded;
  const problems: Problem[] = [];
  const settings = expanded.settings.filter((setting) => resources[setting.by]?.selected !== false);
  await prepareGoals(settings, parts.goals);
  problems.push(...aboutConflicts(settings, resources), ...exposedSecrets(settings, resources, parts.secrets));
  const orphans = findOrphans(parts.ledger, parts.stack, expanded.settings, parts.secrets);
  const read = await readForPlan(
    settings,
    resources,
    [...readRegisters(settings), ...(parts.prune ? orphans.map(({ register }) => register) : [])],
    parts.kinds,
    parts.reader,
  );
  problems.push(...read.problems);
  if (problems.length > 0) return refused(parts, resources, problems, read.states);

  const order = orderOfResources(resources, settings);
  if ("circle" in order) {
    return refused(
      parts,
      resources,
      [circleProblem(order.circle.map((index) => ({ name: resources[index]?.address ?? "", at: resources[index]?.at })))],
      read.states,
    );
  }
  const drafting = new Drafting(parts, settings, resources, read.states);
  for (const index of order.order) drafting.takeResource(index);
  const { changes: pruned, kept } = parts.prune ? await orphanChanges(orphans, drafting, parts) : NOTHING_PRUNED;
  for (const change of pruned) drafting.takePruned(change);
  problems.push(...drafting.problems);
  problems.push(...movedLinks(expanded, drafting));
  if (problems.length === 0) problems.push(...drafting.prove());
  const finished = finish(drafting, parts, settings, resources);
  problems.push(...finished.problems);
  return {
    plan: assemble(parts, resources, settings, finished.changes, finished.steady, orphanLines(orphans, kept)),
    problems,
    states: read.states,
  };
}

/** Loads what the settings' goals need. */
export async function prepareGoals(settings: readonly PlannedSetting[], goals: ReadonlyMap<string, Goal>): Promise<void> {
  // What a goal needs may depend on its want (a format); most need nothing.
  for (const setting of settings) {
    const goal = goalOf(goals, setting);
    // An await costs a turn of the event loop even where there is nothing to wait for.
    if (goal.prepare) await goal.prepare(setting.want);
  }
}

/** Registers that goals look at and that nobody sets. */
function readRegisters(settings: readonly PlannedSetting[]): readonly Register[] {
  return settings.flatMap((setting) =>
    (setting.reads ?? []).map((id) => {
      const colon = id.indexOf(":");
      return { kind: id.slice(0, colon), key: id.slice(colon + 1) };
    }),
  );
}

/** Two settings that name one register with different `about` cannot both be right. */
function aboutConflicts(settings: readonly PlannedSetting[], resources: readonly PlannedResource[]): readonly Problem[] {
  if (!settings.some(({ register }) => register.about !== undefined)) return [];
  const first = new Map<RegisterId, PlannedSetting>();
  const problems: Problem[] = [];
  for (const setting of settings) {
    const id = registerId(setting.register);
    const other = first.get(id);
    if (other === undefined) {
      first.set(id, setting);
    } else if (other.register.about !== setting.register.about && !sameJson(other.register.about ?? null, setting.register.about ?? null)) {
      const one = resources[setting.by] as PlannedResource;
      const that = resources[other.by] as PlannedResource;
      problems.push(
        error(
          "about-conflict",
          "two resources name one thing in two ways",
          `${one.address} and ${that.address} (line ${that.at.line}) both set ${setting.register.key}, but not as the same sort of thing: keep one of them`,
          one.at,
          one.address,
        ),
      );
    }
  }
  return problems;
}

/** A path that leads through a link which the plan itself changes would be another one when it is done. */
function movedLinks({ through, resources }: Expanded, drafting: Drafting): readonly Problem[] {
  return (through ?? []).flatMap(({ path, link, rest, by }) => {
    const resource = resources[by];
    const after = resource?.selected === false ? undefined : drafting.changed({ kind: "path", key: link });
    if (after === undefined) return [];
    const real = resolve(dirname(link), after.is === "symlink" && typeof after.to === "string" ? after.to : link, rest);
    return [
      error(
        "misfit",
        "a path leads through a link",
        `${path} leads through ${link}, which this plan changes: name the real path ${real}`,
        resource?.at,
        resource?.address,
      ),
    ];
  });
}

/** Secrets reach children by stdin or environment, and never stand in what every process list, plan or listing shows. */
function exposedSecrets(
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
  secrets: SecretKeeper,
): readonly Problem[] {
  if (!secrets.hasSecrets) return [];
  return settings.flatMap((setting): readonly Problem[] => {
    const { address, at } = resources[setting.by] as PlannedResource;
    const inKey = secrets.secretIn(setting.register.key);
    if (inKey !== undefined) {
      return [
        error(
          "secret-in-name",
          "a secret in a name",
          `the secret input ${inKey} is part of the name of what ${address} sets, which every plan and listing shows`,
          at,
          address,
        ),
      ];
    }
    const name = secrets.secretIn(shownWords(setting));
    if (name === undefined) return [];
    return [
      error(
        "secret-in-argv",
        "a secret on a command line",
        `the secret input ${name} would stand among the words of a program that ${address} runs, where the process list shows it to everybody: hand it over with \`env\` or \`stdin\``,
        at,
        address,
      ),
    ];
  });
}

/** All that a setting makes a program be started with and that others can see. */
function shownWords({ register, manner }: PlannedSetting): Json {
  const visible = ({ env: _env, stdin: _stdin, ...command }: JsonObject): JsonObject => command;
  const { command, guards, undo, verify } = (register.about ?? {}) as { readonly [name: string]: JsonObject | undefined };
  const asked = Object.values(guards ?? {}).map((guard) => (isObject(guard) ? visible(guard) : guard));
  return [...[command, undo, verify].flatMap((one) => (one === undefined ? [] : [visible(one)])), ...asked, ...(manner?.validate ?? [])];
}

/** Resources in listed order, with those they need or look at pulled in front. */
function orderOfResources(resources: readonly PlannedResource[], settings: readonly PlannedSetting[]): ReturnType<typeof pulledForward> {
  const setters = new Map<RegisterId, Set<number>>();
  const readers = settings.filter((setting) => setting.reads !== undefined);
  if (readers.length > 0) {
    for (const setting of settings) {
      const id = registerId(setting.register);
      const known = setters.get(id);
      if (known) known.add(setting.by);
      else setters.set(id, new Set([setting.by]));
    }
  }
  const looks = new Map<number, Set<number>>();
  for (const setting of readers) {
    const needed = looks.get(setting.by) ?? new Set();
    for (const id of setting.reads ?? []) for (const by of setters.get(id) ?? []) if (by !== setting.by) needed.add(by);
    looks.set(setting.by, needed);
  }
  return pulledForward(resources.map((resource, index) => ({ needs: [...(resource.needs ?? []), ...(looks.get(index) ?? [])] })));
}

/** The fold in progress: the state of every register by now, and the steps so far. */
class Drafting {
  readonly drafts: Draft[] = [];
  readonly problems: Problem[] = [];
  /** The address of each opaque change, by the number of the segment that begins behind it. */
  readonly openers: string[] = [];
  private readonly folded = new Map<RegisterId, State>();
  private readonly open = new Map<RegisterId, Draft>();
  private readonly parts: PlanParts;
  private readonly settings: readonly PlannedSetting[];
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
  ) {
    this.parts = parts;
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
    let after: State;
    try {
      after = converged(this.stateOf(id), setting, this.fold);
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
    const guarded = kind.tentative?.(setting.register) === true && this.changes > 0;
    const draft: Draft = {
      register: setting.register,
      id,
      settings: [index],
      before: state,
      after: state,
      segment,
      tentative: behind !== undefined ? `known after ${behind}` : guarded ? "its guard is asked again first" : undefined,
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
      const settings = drafts.flatMap((draft) => draft.settings.map((index) => this.settings[index] as PlannedSetting));
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

interface Finished {
  readonly changes: readonly Change[];
  readonly steady: readonly Steady[];
  readonly problems: readonly Problem[];
}

/** From drafts to numbered steps: labels, refusals, parents, order. */
function finish(
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
    if (!changing[index]) {
      steady.push({ ...base, before: draft.before });
      continue;
    }
    const kind = kindOf(parts.kinds, draft.register.kind);
    const before = enriched.get(index) ?? draft.before;
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
      ...foreignOf(draft.id, parts),
    };
    changes.push(change);
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

/** What each change needs of its parents, and whether it fits below them. */
class ParentCheck {
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

function orphanLines(orphans: ReturnType<typeof findOrphans>, kept: ReadonlyMap<FoundOrphan, string>): readonly Orphan[] {
  return orphans.map((orphan): Orphan => {
    const { id, aspects, address } = orphan;
    const why = kept.get(orphan);
    return { register: id, aspects, address, ...(why !== undefined && { kept: why }) };
  });
}

function assemble(
  parts: PlanParts,
  resources: readonly PlannedResource[],
  settings: readonly PlannedSetting[],
  changes: readonly Change[],
  steady: readonly Steady[],
  orphans: readonly Orphan[],
): Plan {
  const count = (action: Action) => changes.filter((change) => change.action === action).length;
  return {
    format: 1,
    stack: parts.stack,
    digest: "",
    setpoint: parts.setpoint,
    playbooks: parts.playbooks,
    inputs: parts.inputs,
    facts: parts.facts,
    summary: {
      resources: resources.filter((resource) => resource.selected !== false).length,
      registers: changes.length + steady.length,
      changes: changes.length,
      creates: count("create"),
      updates: count("update"),
      deletes: count("delete"),
      runs: count("run"),
      irreversible: changes.filter((change) => change.label === "irreversible").length,
      tentative: changes.filter((change) => change.tentative !== undefined).length,
    },
    changes,
    steady,
    resources,
    settings,
    orphans,
  };
}

function refused(
  parts: PlanParts,
  resources: readonly PlannedResource[],
  problems: readonly Problem[],
  states: ReadonlyMap<RegisterId, State>,
): Planned {
  return { plan: assemble(parts, resources, [], [], [], []), problems, states };
}

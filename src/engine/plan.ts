import {
  type Action,
  type Change,
  type Goal,
  type Orphan,
  type Plan,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type Register,
  type RegisterId,
  registerId,
  type State,
  type Steady,
} from "../core/index.ts";
import { Drafting } from "./drafting.ts";
import type { Expanded } from "./expand.ts";
import { finish } from "./finish.ts";
import { goalOf } from "./fold.ts";
import { circleProblem, pulledForward } from "./order.ts";
import { type FoundOrphan, findOrphans, NOTHING_PRUNED, orphanChanges } from "./orphans.ts";
import type { PlanParts } from "./plan-parts.ts";
import { readForPlan } from "./read.ts";
import { readySettings } from "./results.ts";
import { aboutConflicts, exposedSecrets, movedLinks } from "./settings-check.ts";
import { transactionProblems } from "./transaction-check.ts";

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
  const { live, waits } = readySettings(settings, resources, parts.reader);
  problems.push(...waits.problems);
  const read = await readForPlan(
    live.filter((_, index) => !waits.unreadable.has(index)),
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
  const drafting = new Drafting(parts, settings, resources, read.states, { live, waits: waits.of });
  for (const index of order.order) drafting.takeResource(index);
  const { changes: pruned, kept } = parts.prune ? await orphanChanges(orphans, drafting, parts) : NOTHING_PRUNED;
  for (const change of pruned) drafting.takePruned(change);
  problems.push(...drafting.problems);
  problems.push(...movedLinks(expanded, drafting));
  if (problems.length === 0) problems.push(...drafting.prove());
  const finished = finish(drafting, parts, settings, resources);
  problems.push(...finished.problems, ...transactionProblems(expanded, finished.changes, parts));
  return {
    plan: {
      ...assemble(parts, resources, settings, finished.changes, finished.steady, orphanLines(orphans, kept)),
      ...(expanded.transactions && { transactions: expanded.transactions }),
    },
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
    ...(Object.keys(parts.peers).length > 0 && { peers: parts.peers }),
    ...(parts.events && { events: parts.events }),
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

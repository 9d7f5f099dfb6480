import {
  Bug,
  CannotConverge,
  type Contents,
  error,
  type Goal,
  type JsonObject,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type RegisterId,
  type State,
  type View,
} from "../core/index.ts";
import { type Fingerprint, matches } from "./compare.ts";

/** What folding needs to see. */
export interface FoldParts {
  readonly goals: ReadonlyMap<string, Goal>;
  readonly contents: Contents;
  readonly fingerprint: Fingerprint;
  /** The folded state of any register of the plan, by now. */
  state(id: RegisterId): State;
  /** How often a register has been set, one more where it changes. */
  sets(id: RegisterId): number;
}

/** There are few, and one is asked for at each of ten thousand files: a lookup is cheaper than a new text. */
const goalKeys = new Map<string, Map<string, string>>();

function goalKey(kind: string, goal: string): string {
  let ofKind = goalKeys.get(kind);
  if (ofKind === undefined) {
    ofKind = new Map();
    goalKeys.set(kind, ofKind);
  }
  let key = ofKind.get(goal);
  if (key === undefined) {
    key = `${kind} ${goal}`;
    ofKind.set(goal, key);
  }
  return key;
}

export function goalOf(goals: ReadonlyMap<string, Goal>, setting: Pick<PlannedSetting, "register" | "goal">): Goal {
  const goal = goals.get(goalKey(setting.register.kind, setting.goal));
  if (!goal) throw new Bug(`no goal ${setting.goal} for ${setting.register.kind}`);
  return goal;
}

/** The state that one setting leads to; throws CannotConverge. */
export function converged(now: State, setting: PlannedSetting, parts: FoldParts): State {
  return goalOf(parts.goals, setting).converge(now, setting.want, viewOf(setting, parts));
}

export function viewOf(setting: Pick<PlannedSetting, "reads">, parts: FoldParts): View {
  const allowed = (id: RegisterId): RegisterId => {
    if (!setting.reads?.includes(id)) throw new Bug(`a goal looked at ${id}, which its setting does not read`);
    return id;
  };
  return {
    contents: parts.contents,
    state: (id) => parts.state(allowed(id)),
    sets: (id) => parts.sets(allowed(id)),
    fingerprint: parts.fingerprint,
  };
}

/**
 * The proof of convergence: folded again from the result, every setting must leave it alone. Gives the problem that
 * names the two that fight, or the one that is not idempotent.
 */
export function proof(
  start: State,
  end: State,
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
  parts: FoldParts,
): Problem | undefined {
  for (const [index, setting] of settings.entries()) {
    if (holds(end, setting, parts)) continue;
    const one = resources[setting.by] as PlannedResource;
    let state = start;
    let spoiler: PlannedSetting | undefined;
    for (const [later, other] of settings.entries()) {
      state = converged(state, other, parts);
      if (later === index && !holds(state, setting, parts)) {
        return error(
          "not-idempotent",
          "a change that never comes to an end",
          `${one.address} would change ${setting.register.key} again at every run: write it so that its result is left alone`,
          one.at,
          one.address,
        );
      }
      if (later > index && !holds(state, setting, parts)) {
        spoiler = other;
        break;
      }
    }
    const other = spoiler && resources[spoiler.by];
    const against = other
      ? `${other.address} (${other.at.file}:${other.at.line}:${other.at.column}) sets it otherwise`
      : "another resource sets it otherwise";
    return error(
      "fight",
      "two resources want one thing otherwise",
      `${one.address} sets ${differences(setting.want)} of ${setting.register.key}, and ${against}: keep one of them`,
      one.at,
      one.address,
    );
  }
  return undefined;
}

function holds(state: State, setting: PlannedSetting, parts: FoldParts): boolean {
  try {
    return matches(state, converged(state, setting, parts), parts.fingerprint);
  } catch (thrown) {
    if (thrown instanceof CannotConverge) return false;
    throw thrown;
  }
}

function differences(want: JsonObject): string {
  const names = Object.keys(want);
  return names.length === 0 ? "the state" : names.join(", ");
}

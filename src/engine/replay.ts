import {
  CannotConverge,
  type Change,
  type Contents,
  type Digest,
  type Goal,
  isKeyed,
  isObject,
  type Json,
  type JsonObject,
  type Plan,
  type PlannedSetting,
  type Reader,
  type RegisterId,
  type RegisterKind,
  registerId,
  type State,
  type Step,
  SystemFault,
  sameJson,
  type View,
} from "../core/index.ts";
import { Ledger } from "../journal/index.ts";
import { hideSensitive } from "./begin.ts";
import { firstSteps } from "./past.ts";
import { makePlan } from "./plan.ts";
import { SECRET_MARK, type Vault } from "./vault.ts";

/** What a replay works with. */
export interface ReplayParts {
  readonly kinds: ReadonlyMap<string, RegisterKind>;
  readonly goals: ReadonlyMap<string, Goal>;
  /** Contents that runs and blobs keep, and nothing of the machine. */
  readonly contents: Contents;
  readonly vault: Vault;
  /** As it was when the plan was made; undefined where that is not known. */
  readonly ledger: Ledger | undefined;
}

/** Something that this version decides otherwise than the frozen plan has it. */
export interface Difference {
  /** Left out where it is of no single register. */
  readonly register?: RegisterId;
  /** A field of the step, `step` where there is none on one side, or `refused`. */
  readonly what: string;
  readonly frozen?: Json;
  readonly now?: Json;
}

/** What came of a replay. */
export interface Replayed {
  /** How many steps were decided anew. */
  readonly replayed: number;
  readonly differences: readonly Difference[];
  /** Steps that were taken as the plan has them, and why. */
  readonly notReplayed: readonly { readonly register: RegisterId; readonly why: string }[];
  /** What was not compared at all. */
  readonly notes: readonly string[];
}

/** Stands for a state that the plan did not record. */
const NOT_RECORDED = { is: "not-recorded" } as const;

/**
 * Makes a frozen plan once more from what it recorded: its settings, and the states that were read, through the same fold,
 * order and labels. Reads nothing of the machine. What cannot be decided anew, because a secret or a content is not at
 * hand, is taken as it was and named.
 */
export async function replayPlan(frozen: Plan, parts: ReplayParts): Promise<Replayed> {
  const plan = parts.vault.unsealKnown(frozen);
  const ledger = parts.ledger ?? new Ledger();
  const recording = new Recording(plan, parts);
  for (const { goal, register, want } of plan.settings) await parts.goals.get(`${register.kind} ${goal}`)?.prepare?.(want);
  const planned = await makePlan(
    { resources: plan.resources, settings: [...plan.settings, ...fillers(plan, ledger)] },
    {
      kinds: recording.kinds(),
      goals: recording.goals(),
      reader: { contents: parts.contents } as Reader,
      ledger,
      fingerprint: (digest) => parts.vault.fingerprint(digest),
      secrets: parts.vault,
      stack: plan.stack,
      setpoint: plan.setpoint,
      playbooks: plan.playbooks,
      inputs: plan.inputs,
      facts: plan.facts,
      prune: parts.ledger !== undefined && wasPruned(plan),
      peers: plan.peers ?? {},
      ...(plan.events && { events: plan.events }),
    },
  );
  hideSensitive(planned.plan, { kinds: parts.kinds, vault: parts.vault, ledger });
  const made = parts.vault.seal(planned.plan);
  const refused = planned.problems
    .filter(({ severity }) => severity === "error")
    .map(({ summary, detail }): Difference => ({ what: "refused", now: parts.vault.seal(`${summary}: ${detail}`) }));
  // A plan that is refused has no steps, which says nothing of each of them.
  const differences = refused.length > 0 ? refused : new Comparison(frozen, made, parts, recording).differences();
  const skipped = [...recording.skipped].map(([register, why]) => ({ register, why: parts.vault.seal(why) }));
  const steps = frozen.changes.length + frozen.steady.length;
  return { replayed: steps - skipped.length, differences, notReplayed: skipped, notes: notesOf(parts, recording, frozen) };
}

function notesOf({ ledger }: ReplayParts, recording: Recording, plan: Plan): readonly string[] {
  const why = "what was owned and counted when it was planned is not known";
  return [
    ...(ledger === undefined ? [`reasons, other owners${wasPruned(plan) ? ", prunes" : ""} and orphans are not compared: ${why}`] : []),
    ...(recording.ownedMissing ? ["reasons and prunes are not compared: a content that they look at is no longer kept"] : []),
  ];
}

/** Whether `--prune` was given; with nothing to prune it made no difference. */
function wasPruned(plan: Plan): boolean {
  return [...plan.changes, ...plan.steady].some((step) => step.releases) || plan.orphans.some(({ kept }) => kept !== undefined);
}

/**
 * The plan has no settings of what `--only` left out, and yet those are declared: for what the stack owns and the plan does
 * not call an orphan, a setting of a resource that was left out stands in.
 */
function fillers(plan: Plan, ledger: Ledger): readonly PlannedSetting[] {
  const by = plan.resources.findIndex(({ selected }) => selected === false);
  if (by < 0) return [];
  const orphans = new Set(plan.orphans.map(({ register }) => register));
  return [...ledger.registersOf(plan.stack)].flatMap((id) => {
    if (orphans.has(id)) return [];
    const colon = id.indexOf(":");
    const register = { kind: id.slice(0, colon), key: id.slice(colon + 1) };
    return [{ register, goal: "", want: {}, aspects: ledger.ownedBy(plan.stack, id).flatMap(({ aspects }) => aspects), by }];
  });
}

/** What cannot be decided anew. */
class Missing extends Error {}

/** Kinds and goals that see what the plan recorded in place of the machine. */
class Recording {
  readonly skipped = new Map<RegisterId, string>();
  /** A setting of the ledger, as reasons and prunes look at it, could not be folded. */
  ownedMissing = false;
  private readonly parts: ReplayParts;
  private readonly read: ReadonlyMap<RegisterId, State>;
  private readonly lost = new Map<RegisterId, Json>();
  private readonly ends = new Map<RegisterId, State>();
  /** The step of each setting, which is known by its want. */
  private readonly stepOf = new Map<JsonObject, Step & Partial<Pick<Change, "after">>>();

  constructor(plan: Plan, parts: ReplayParts) {
    this.parts = parts;
    this.read = new Map([...firstSteps(plan)].map(([id, { before }]) => [id, plain(before)]));
    for (const step of [...plan.changes, ...plan.steady].sort((a, b) => a.n - b.n)) {
      const id = registerId(step.register);
      if (step.before.xattrs !== undefined) this.lost.set(id, step.before.xattrs);
      this.ends.set(id, endOf(step));
      for (const index of step.settings) {
        const setting = plan.settings[index];
        if (setting) this.stepOf.set(setting.want, step);
      }
    }
  }

  kinds(): ReadonlyMap<string, RegisterKind> {
    return new Map([...this.parts.kinds].map(([name, kind]) => [name, this.recorded(kind)]));
  }

  private recorded(kind: RegisterKind): RegisterKind {
    const { enrich, misfit } = kind;
    return {
      ...kind,
      read: (registers) => registers.map((register) => this.read.get(registerId(register)) ?? NOT_RECORDED),
      ...(enrich && {
        enrich: (found) =>
          found.map(({ register, before }) => {
            const xattrs = this.lost.get(registerId(register));
            return xattrs === undefined ? before : ({ ...before, xattrs } as State);
          }),
      }),
      // A parent that the plan does not touch was read and is not recorded; that it fitted, the plan shows.
      ...(misfit && {
        misfit: (register, after, parent) => (parent.state.is === NOT_RECORDED.is ? undefined : misfit(register, after, parent)),
      }),
    };
  }

  goals(): ReadonlyMap<string, Goal> {
    return new Map([...this.parts.goals].map(([key, goal]) => [key, this.guarded(goal)]));
  }

  private guarded(goal: Goal): Goal {
    const { release } = goal;
    return {
      ...goal,
      converge: (now, want, view) => {
        const step = this.stepOf.get(want);
        try {
          if (JSON.stringify([want, step?.register.about]).includes(SECRET_MARK))
            throw new Missing("a secret is not at hand: give it with --var");
          return goal.converge(now, want, this.seen(view));
        } catch (thrown) {
          if (!isMissing(thrown)) throw thrown;
          if (step === undefined) throw this.withoutOwned(thrown);
          return this.taken(step, now, thrown);
        }
      },
      ...(release && {
        release: (now, want, was, view) => {
          try {
            return release(now, want, was, this.seen(view));
          } catch (thrown) {
            if (!isMissing(thrown)) throw thrown;
            throw this.withoutOwned(thrown);
          }
        },
      }),
    };
  }

  private seen(view: View): View {
    return {
      ...view,
      state: (id) => {
        const state = view.state(id);
        if (state.is === NOT_RECORDED.is) throw new Missing(`the state of ${id}, which it looks at, is not recorded`);
        return state;
      },
      sets: (id) => {
        if (this.parts.ledger === undefined) throw new Missing(`how often ${id} had been set is not known`);
        return view.sets(id);
      },
    };
  }

  private withoutOwned(thrown: Error): CannotConverge {
    this.ownedMissing = true;
    return new CannotConverge("it cannot be replayed", thrown.message);
  }

  /** The outcome that the plan has. What stands as it is to be in the end is left alone, as a goal would. */
  private taken(step: Step & Partial<Pick<Change, "after">>, now: State, { message }: Error): State {
    const id = registerId(step.register);
    this.skipped.set(id, message);
    return sameJson(now, this.ends.get(id)) ? now : endOf(step);
  }
}

function isMissing(thrown: unknown): thrown is Error {
  return thrown instanceof Missing || thrown instanceof SystemFault;
}

function endOf(step: Step & Partial<Pick<Change, "after">>): State {
  return step.after ?? step.before;
}

/** A state as a first reading gives it. */
function plain({ xattrs: _, ...rest }: State): State {
  return rest as State;
}

/** The frozen plan against the one that was made anew, step by step. */
class Comparison {
  private readonly frozen: Plan;
  private readonly made: Plan;
  private readonly parts: ReplayParts;
  private readonly recording: Recording;

  constructor(frozen: Plan, made: Plan, parts: ReplayParts, recording: Recording) {
    this.frozen = frozen;
    this.made = made;
    this.parts = parts;
    this.recording = recording;
  }

  differences(): readonly Difference[] {
    const [here, there] = [byName(this.frozen), byName(this.made)];
    const found: Difference[] = [];
    for (const [name, step] of here) {
      const register = registerId(step.register);
      if (this.isLeftOut(step)) continue;
      const other = there.get(name);
      if (other === undefined) found.push({ register, what: "step", frozen: fieldsOf(step, here, this.leftOut()).action ?? "none" });
      else found.push(...this.between(register, fieldsOf(step, here, this.leftOut()), fieldsOf(other, there, this.leftOut())));
    }
    for (const [name, step] of there)
      if (!here.has(name) && !this.isLeftOut(step))
        found.push({ register: registerId(step.register), what: "step", now: fieldsOf(step, there, []).action ?? "none" });
    if (this.parts.ledger !== undefined && !this.recording.ownedMissing) {
      const [frozen, now] = [this.frozen.orphans, this.made.orphans].map((list) => list as unknown as Json);
      if (!this.isSame(frozen, now)) found.push({ what: "orphans", ...given(frozen, now) });
    }
    return found;
  }

  private isLeftOut(step: Step): boolean {
    const isPrune = step.releases !== undefined && (this.parts.ledger === undefined || this.recording.ownedMissing);
    return isPrune || this.recording.skipped.has(registerId(step.register));
  }

  private leftOut(): readonly string[] {
    if (this.parts.ledger === undefined) return ["reason", "foreign"];
    return this.recording.ownedMissing ? ["reason"] : [];
  }

  private between(register: RegisterId, frozen: JsonObject, now: JsonObject): readonly Difference[] {
    const names = new Set([...Object.keys(frozen), ...Object.keys(now)]);
    return [...names].flatMap((what): readonly Difference[] =>
      this.isSame(frozen[what], now[what]) ? [] : [{ register, what, ...given(frozen[what], now[what]) }],
    );
  }

  /** Equal, where a fingerprint is equal to the content that it is of. */
  private isSame(one: Json | undefined, other: Json | undefined): boolean {
    if (typeof one === "string" && typeof other === "string")
      return one === other || this.isPrintOf(one, other) || this.isPrintOf(other, one);
    if (Array.isArray(one) && Array.isArray(other))
      return one.length === other.length && one.every((item, index) => this.isSame(item, other[index]));
    if (!isObject(one) || !isObject(other)) return sameJson(one, other as Json);
    return [...new Set([...Object.keys(one), ...Object.keys(other)])].every((key) => this.isSame(one[key], other[key]));
  }

  private isPrintOf(print: string, content: string): boolean {
    if (!isKeyed(print) || !/^[0-9a-f]{64}$/.test(content)) return false;
    try {
      return this.parts.vault.fingerprint(content as Digest) === print;
    } catch (thrown) {
      if (thrown instanceof SystemFault) return false; // whose bytes are nowhere cannot be shown to be the same
      throw thrown;
    }
  }
}

function given(frozen: Json | undefined, now: Json | undefined): Pick<Difference, "frozen" | "now"> {
  return { ...(frozen !== undefined && { frozen }), ...(now !== undefined && { now }) };
}

type AnyStep = Step & Partial<Change>;

/** Steps by what they are of: their register and settings. */
function byName(plan: Plan): ReadonlyMap<string, AnyStep> {
  const steps: readonly AnyStep[] = [...plan.changes, ...plan.steady];
  return new Map([...steps].sort((a, b) => a.n - b.n).map((step) => [nameOf(step), step]));
}

function nameOf({ register, settings }: Step): string {
  return `${registerId(register)} ${settings.join(",")}`;
}

/** What is decided of a step; what it needs by name, as numbers move with each step that comes or goes. */
function fieldsOf(step: AnyStep, all: ReadonlyMap<string, AnyStep>, without: readonly string[]): JsonObject {
  const { n, register: _register, settings: _settings, resources: _resources, needs, ...rest } = step;
  const names = new Map([...all].map(([name, other]) => [other.n, name]));
  const fields: JsonObject = {
    order: n,
    ...(rest as unknown as JsonObject),
    ...(needs && { needs: needs.map((need) => names.get(need) ?? "") }),
  };
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !without.includes(key)));
}

import {
  type Address,
  isObject,
  type Plan,
  type PlannedSetting,
  type RegisterId,
  type RunId,
  type RunStatus,
  registerId,
  type State,
} from "../core/index.ts";
import { aspectKey, type Ledger, type Owned } from "./ledger.ts";
import { fromRanges } from "./records.ts";
import type { RunState, StepState } from "./run-state.ts";

/** The settings of one register in a plan, with the state before them. */
interface Held {
  readonly id: RegisterId;
  readonly settings: readonly PlannedSetting[];
  readonly was: State;
  readonly changed: boolean;
}

/**
 * Takes what a run did into the ledger. A function of the frozen plan and the journal alone, so that the ledger can be
 * rebuilt. `watched`: registers whose sets are counted.
 */
export function recordRun(ledger: Ledger, plan: Plan, state: RunState, size: number): void {
  const watched = new Set<RegisterId>([...ledger.sets.keys(), ...plan.settings.flatMap((setting) => setting.reads ?? [])]);
  const counted = new Set<RegisterId>(ledger.runs.get(state.run)?.counted ?? []);
  let changed = 0;
  let left = 0;
  let conflicts = 0;
  let failed = 0;
  const held = new Map<RegisterId, Held>();
  for (const step of plan.steady) {
    if (step.releases) release(ledger, plan.stack, registerId(step.register), step.releases);
    hold(held, plan, step.register, step.settings, step.before, false);
  }
  for (const change of plan.changes) {
    const id = registerId(change.register);
    const step = state.steps.get(change.n);
    const undone = step?.status === "undone";
    if (step?.status === "conflict" || step?.status === "kept") conflicts += 1;
    if (step?.status === "failed") failed += 1;
    if (step?.receipt) ledger.receipts.set(step.receipt.key, step.receipt.value);
    if (undone && step.forget !== undefined) ledger.receipts.delete(step.forget);
    if (step?.generation !== undefined) ledger.generations.set(change.register.key, step.generation);
    takeDoubt(ledger, change.register.key, state, step);
    if (step?.status === "done") {
      changed += step.outcome === "already" ? 0 : 1;
      if (watched.has(id) && !counted.has(id)) {
        ledger.sets.set(id, (ledger.sets.get(id) ?? 0) + 1);
        counted.add(id);
      }
      if (change.releases) release(ledger, plan.stack, id, change.releases);
      hold(held, plan, change.register, change.settings, step.before ?? change.before, true);
    } else if (undone) {
      dropNewIn(ledger, plan.stack, id, state.run);
    } else {
      left += 1;
    }
  }
  for (const one of held.values()) own(ledger, plan, one, state.run);
  for (const [origin, breaker] of state.breakers) {
    if (breaker.until === undefined) ledger.breakers.delete(origin);
    else ledger.breakers.set(origin, breaker);
  }
  for (const id of sensitiveRegisters(plan, state)) ledger.keepSensitive(id);
  ledger.runs.set(state.run, {
    run: state.run,
    stack: state.stack,
    plan: state.plan,
    kind: state.kind,
    status: state.status,
    began: state.began,
    ended: state.ended,
    exit: state.exit ?? 0,
    changed,
    left,
    conflicts,
    failed,
    ...(state.confirm && { confirm: state.confirm }),
    ...(sharesInodes(plan, state) && { stashes: true as const }),
    counted: [...counted],
    ...(state.cause && { cause: state.cause }),
    ...(plan.events && { emits: true as const }),
    size,
    ...(state.turn > 0 && { turn: state.turn }),
  });
}

/** An effect of which nobody knows whether it happened is a state of its receipt, until that is answered. */
function takeDoubt(ledger: Ledger, key: string, state: RunState, step: StepState | undefined): void {
  // Whoever gives a run up was told what it leaves in doubt.
  if (step?.status === "unknown" && state.status !== "abandoned") {
    const { sentAt, mark } = step;
    const doubt = sentAt === undefined ? {} : { sentAt, ...(mark && { mark }) };
    ledger.receipts.set(key, { run: state.run, at: state.ended, doubt });
    return;
  }
  const known = ledger.receipts.get(key);
  if (known?.doubt !== undefined && known.run === state.run) ledger.receipts.delete(key);
}

/**
 * The registers of a run that hold a secret, as its first record says. One of before that was said has them by what its
 * plan shows of it: marks of secrets, and contents that are hidden where there are secret inputs.
 */
function sensitiveRegisters(plan: Plan, { sensitive }: RunState): readonly RegisterId[] {
  if (sensitive?.length === 0) return [];
  const numbers = sensitive && new Set(fromRanges(sensitive));
  const hasSecrets = Object.values(plan.inputs).some((input) => isObject(input) && input.$secret !== undefined);
  if (numbers === undefined && !hasSecrets) return [];
  return [...plan.changes, ...plan.steady].flatMap((step) => {
    const shown = () => JSON.stringify([step, step.settings.map((index) => plan.settings[index]?.want)]);
    return (numbers?.has(step.n) ?? /⟦secret:|"keyed:/.test(shown())) ? [registerId(step.register)] : [];
  });
}

/**
 * Takes in what is known of a run whose plan or journal cannot be read: its receipts, as far as the journal tells them, and that
 * it is open, so that no command passes over it. Its size stays as it was, so that it is read again until it is whole or given up.
 */
export function recordUnreadable(ledger: Ledger, run: RunId, stack: string, state: RunState | undefined, status: RunStatus): void {
  for (const { receipt, status: step, forget } of state?.steps.values() ?? []) {
    if (receipt) ledger.receipts.set(receipt.key, receipt.value);
    if (step === "undone" && forget !== undefined) ledger.receipts.delete(forget);
  }
  const known = ledger.runs.get(run);
  const at = state?.began ?? known?.began ?? 0;
  const unknown = { kind: "apply" as const, exit: 0, changed: 0, left: 0, conflicts: 0, failed: 0, counted: [], size: 0 };
  ledger.runs.set(run, {
    ...unknown,
    began: at,
    ended: state?.ended ?? at,
    plan: state?.plan ?? "",
    ...known,
    run,
    stack,
    status,
  });
}

/** Whether the run took a name from a file with several. */
function sharesInodes(plan: Plan, state: RunState): boolean {
  return plan.changes.some((change) => typeof change.before.links === "number" && state.steps.get(change.n)?.acted === true);
}

function hold(
  held: Map<RegisterId, Held>,
  plan: Plan,
  register: PlannedSetting["register"],
  settings: readonly number[],
  was: State,
  changed: boolean,
): void {
  const id = registerId(register);
  const known = held.get(id);
  const more = settings.map((index) => plan.settings[index] as PlannedSetting);
  held.set(
    id,
    known ? { ...known, settings: [...known.settings, ...more], changed: known.changed || changed } : { id, settings: more, was, changed },
  );
}

function own(ledger: Ledger, plan: Plan, held: Held, run: RunId): void {
  const declared = held.settings.filter((setting) => setting.implied !== true);
  const [first] = declared;
  if (first === undefined) return;
  const aspects = declared.length === 1 ? first.aspects : declared.flatMap((setting) => setting.aspects);
  // In sync and known: nothing to say, and no JSON to make.
  if (!held.changed && ledger.owns(plan.stack, held.id, aspects)) return;
  const before = ledger.ownedBy(plan.stack, held.id);
  const owned = declared
    .filter((setting) => setting.aspects.length > 0)
    .map((setting): Owned => {
      const earlier = before.find((one) => one.aspects.some((aspect) => setting.aspects.includes(aspect)));
      return {
        aspects: setting.aspects,
        address: plan.resources[setting.by]?.address as Address,
        ...(setting.register.about && { about: setting.register.about }),
        goal: setting.goal,
        want: setting.want,
        was: earlier?.was ?? held.was,
        run: earlier?.run ?? run,
      };
    });
  // What is declared no longer is owned until a prune lets go of it.
  const orphaned = before.filter((one) => !one.aspects.some((aspect) => aspects.includes(aspect)));
  if (orphaned.length === 0) ledger.setOwned(plan.stack, held.id, owned, aspectKey(aspects));
  else ledger.setOwned(plan.stack, held.id, [...owned, ...orphaned]);
}

function release(ledger: Ledger, stack: string, id: RegisterId, aspects: readonly string[]): void {
  ledger.setOwned(
    stack,
    id,
    ledger.ownedBy(stack, id).filter((one) => !one.aspects.every((aspect) => aspects.includes(aspect))),
  );
}

/** What a run that is undone was the first to own is owned no more. */
function dropNewIn(ledger: Ledger, stack: string, id: RegisterId, run: RunId): void {
  ledger.setOwned(
    stack,
    id,
    ledger.ownedBy(stack, id).filter((one) => one.run !== run),
  );
}

import {
  CannotConverge,
  isObject,
  type Json,
  type JsonObject,
  type PlannedSetting,
  type Register,
  type RegisterId,
  registerId,
  type State,
  sameJson,
} from "../core/index.ts";
import { matches } from "./compare.ts";
import { converged } from "./fold.ts";
import { kindOf, readAll } from "./read.ts";
import { readyRegister, readySetting } from "./results.ts";
import type { Work } from "./work.ts";

/** A register that is not as the plan's settings want it. */
export interface Divergence {
  readonly register: RegisterId;
  readonly found: State;
  readonly wanted: State;
  /** It is on another machine, which may show a moment later what was set. */
  readonly remote: boolean;
}

/** How long another machine may take until a reading shows what was set, in ms. */
const PATIENCE = 10_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;

/** The same, read again for a while where only other machines do not show yet what was set (read-after-write). */
export async function settledDivergences(work: Work): Promise<readonly Divergence[]> {
  const { system, stopped } = work.tools;
  const until = system.clock.mono() + PATIENCE;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    const different = await divergences(work);
    const mayCome = different.length > 0 && different.every(({ remote }) => remote);
    if (!mayCome || stopped() !== undefined || system.clock.mono() + pause > until) return different;
    await system.clock.sleep(pause);
  }
}

/**
 * The final read: folds the settings of every register of the plan over what is there now. What it finds is what a
 * second apply would change. Throws SystemFault where something cannot be read.
 */
async function divergences(work: Work): Promise<readonly Divergence[]> {
  const { plan } = work;
  const steps = [...plan.changes, ...plan.steady].sort((a, b) => a.n - b.n);
  const registers: Register[] = [];
  const settings = new Map<RegisterId, readonly number[]>();
  for (const step of steps) {
    const id = registerId(step.register);
    const known = settings.get(id);
    if (known === undefined) registers.push(readyRegister(step.register, work.tools.reader));
    settings.set(id, known === undefined ? step.settings : [...known, ...step.settings]);
  }
  const ids = [...settings.keys()];
  const found = await readAll(registers, work.tools.kinds, work.trusting);
  const states = new Map(ids.map((id, index) => [id, found[index] as State]));
  for (const setting of plan.settings) {
    for (const id of setting.reads ?? []) {
      if (states.has(id)) continue;
      const colon = id.indexOf(":");
      const [state] = await readAll([{ kind: id.slice(0, colon), key: id.slice(colon + 1) }], work.tools.kinds, work.trusting);
      states.set(id, state as State);
    }
  }
  const parts = work.foldParts(states);
  // Of what a prune left no setting tells: it should be as the plan said.
  const pruned = new Map(
    plan.changes.filter((change) => change.releases !== undefined).map((change) => [registerId(change.register), change.after]),
  );
  const different: Divergence[] = [];
  const isRemote = (place: number) => {
    const register = registers[place] as Register;
    return kindOf(work.tools.kinds, register.kind).origin?.(register) !== undefined;
  };
  for (const [place, id] of ids.entries()) {
    const now = states.get(id) as State;
    let wanted = now;
    try {
      for (const index of settings.get(id) ?? [])
        wanted = converged(wanted, readySetting(plan.settings[index] as PlannedSetting, work.tools.reader), parts);
    } catch (thrown) {
      if (!(thrown instanceof CannotConverge)) throw thrown;
      different.push({ register: id, found: now, wanted: now, remote: isRemote(place) });
      continue;
    }
    wanted = pruned.get(id) ?? wanted;
    if (!matches(now, wanted, parts.fingerprint)) different.push({ register: id, found: now, wanted, remote: isRemote(place) });
  }
  return different;
}

/** The facts that the plan used and that are others now, by dotted path: what it decided by them may no longer hold. */
export function movedFacts(work: Work): readonly string[] {
  const now = work.tools.facts();
  return Object.entries(work.plan.facts)
    .filter(([path, value]) => path !== MACHINE && !sameJson(value, factAt(now, path) ?? null))
    .map(([path]) => path);
}

/** The plan's own name for the machine it is for; checked before it is applied. */
const MACHINE = "machine";

function factAt(facts: JsonObject, path: string): Json | undefined {
  let found: Json | undefined = facts;
  for (const name of path.split(".")) {
    if (Array.isArray(found)) found = found[Number(name)] as Json | undefined;
    else found = isObject(found) ? found[name] : undefined;
  }
  return found;
}

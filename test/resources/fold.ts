import {
  CannotConverge,
  checkFields,
  type Goal,
  type JsonObject,
  type Manner,
  type Reader,
  type Register,
  type ResourceType,
  registerId,
  type Setting,
  type State,
  type View,
  type World,
} from "../../src/core/index.ts";
import { goals, kinds } from "../../src/registers/index.ts";
import type { Reported } from "./world.ts";

/** One register, what was found and what its settings make of it. */
export type Folded = { readonly register: Register; readonly before: State; readonly after: State; readonly manner: Manner };

/** What came of a resource: its registers, or the problems that were reported, refused or thrown. */
export type Outcome = {
  readonly settings: readonly Setting[];
  readonly folded: readonly Folded[];
  readonly problems: readonly { readonly summary: string; readonly detail: string; readonly field?: readonly (string | number)[] }[];
};

/** The settings of a resource as the playbook would come by them, its sweep among them. */
export async function settingsOf(
  type: ResourceType,
  spec: JsonObject,
  world: World & { readonly reported: readonly Reported[] },
  named: readonly string[] = [],
): Promise<{ readonly settings: readonly Setting[]; readonly problems: Outcome["problems"] }> {
  const checked = checkFields(type.fields, spec);
  if (!checked.ok) return { settings: [], problems: checked.issues.map((found) => ({ ...found, field: found.path })) };
  await type.prepare?.(checked.value);
  const settings = [...type.settings(checked.value, world)];
  const keys = new Set([...named, ...settings.map(({ register }) => register.key)]);
  settings.push(...(type.sweep?.(checked.value, world, keys) ?? []));
  return { settings, problems: world.reported.filter(({ severity }) => (severity ?? "error") === "error") };
}

/** Reads the registers of settings and folds the settings over what was found, in order. */
export async function fold(
  settings: readonly Setting[],
  reader: Reader,
  sets: { readonly [id: string]: number } = {},
): Promise<{ readonly folded: readonly Folded[]; readonly problems: Outcome["problems"] }> {
  const registers = new Map<string, Register>();
  for (const { register, reads = [] } of settings) {
    for (const id of reads)
      if (!registers.has(id)) registers.set(id, { kind: id.slice(0, id.indexOf(":")), key: id.slice(id.indexOf(":") + 1) });
    registers.set(registerId(register), register);
  }
  const before = new Map<string, State>();
  for (const [name, kind] of kinds) {
    const own = [...registers].filter(([, register]) => register.kind === name);
    const states = await kind.read(
      own.map(([, register]) => register),
      reader,
    );
    for (const [index, [id]] of own.entries()) before.set(id, states[index] as State);
  }
  const after = new Map(before);
  const manners = new Map<string, Manner>();
  const view: View = {
    contents: reader.contents,
    state: (id) => after.get(id) as State,
    sets: (id) => sets[id] ?? 0,
    fingerprint: (content) => content,
  };
  const problems: { summary: string; detail: string }[] = [];
  for (const { register, goal: name, want, manner } of settings) {
    const id = registerId(register);
    const goal = goals.get(`${register.kind} ${name}`) as Goal;
    await goal.prepare?.(want);
    try {
      after.set(id, goal.converge(after.get(id) as State, want, view));
    } catch (thrown) {
      if (!(thrown instanceof CannotConverge)) throw thrown;
      problems.push({ summary: thrown.summary, detail: thrown.message });
    }
    manners.set(id, { ...manners.get(id), ...manner });
  }
  const folded = [...new Set(settings.map(({ register }) => registerId(register)))].map(
    (id): Folded => ({
      register: registers.get(id) as Register,
      before: before.get(id) as State,
      after: after.get(id) as State,
      manner: manners.get(id) ?? {},
    }),
  );
  for (const { register, before: from, after: to, manner } of folded) {
    const refused = kinds.get(register.kind)?.refuse?.(register, from, to, manner);
    if (refused !== undefined) problems.push(refused);
  }
  return { folded, problems };
}

/** Whether a state found has all fields that are expected, as the engine compares. */
export function matches(found: State, expected: State): boolean {
  return Object.entries(expected).every(([name, value]) => JSON.stringify(found[name]) === JSON.stringify(value));
}

/** The order in which changes of paths can be made: parents first, but for what goes. */
export function inOrder(folded: readonly Folded[]): readonly Folded[] {
  const gone = folded.filter(({ after }) => after.is === "absent").sort((a, b) => b.register.key.length - a.register.key.length);
  return [
    ...gone,
    ...folded
      .filter(({ after }) => after.is !== "absent")
      .sort(
        (a, b) =>
          (a.register.about ? 1 : 0) - (b.register.about ? 1 : 0) || a.register.key.split("/").length - b.register.key.split("/").length,
      ),
  ];
}

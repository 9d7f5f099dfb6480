import {
  error,
  type PlannedResource,
  type PlannedSetting,
  type Problem,
  type Reader,
  type Register,
  type RegisterId,
  type RegisterKind,
  registerId,
  type State,
  SystemFault,
} from "../core/index.ts";

/** Reads registers in bulk, a call a kind; in the order given. Throws SystemFault. */
export async function readAll(
  registers: readonly Register[],
  kinds: ReadonlyMap<string, RegisterKind>,
  reader: Reader,
): Promise<readonly State[]> {
  const [first] = registers;
  if (first === undefined) return [];
  if (registers.every(({ kind }) => kind === first.kind)) return kindOf(kinds, first.kind).read(registers, reader);
  const states: State[] = new Array(registers.length);
  const groups = new Map<string, number[]>();
  registers.forEach(({ kind }, index) => {
    const group = groups.get(kind);
    if (group) group.push(index);
    else groups.set(kind, [index]);
  });
  await Promise.all(
    [...groups].map(async ([kind, indexes]) => {
      const read = await kindOf(kinds, kind).read(
        indexes.map((index) => registers[index] as Register),
        reader,
      );
      for (const [place, index] of indexes.entries()) states[index] = read[place] as State;
    }),
  );
  return states;
}

export function kindOf(kinds: ReadonlyMap<string, RegisterKind>, name: string): RegisterKind {
  const kind = kinds.get(name);
  if (!kind)
    throw new SystemFault(
      "unknown-kind",
      `this version of setpoint knows no registers of the kind ${name}: use the version that made the plan`,
    );
  return kind;
}

/**
 * The states of all registers of a plan, by id. What cannot be read is a problem at the place of each resource that
 * wants it; all of them are found.
 */
export async function readForPlan(
  settings: readonly PlannedSetting[],
  resources: readonly PlannedResource[],
  more: readonly Register[],
  kinds: ReadonlyMap<string, RegisterKind>,
  reader: Reader,
): Promise<{ readonly states: Map<RegisterId, State>; readonly problems: readonly Problem[] }> {
  const wanted = new Map<RegisterId, Register>();
  for (const { register } of settings) {
    const id = registerId(register);
    if (!wanted.has(id)) wanted.set(id, register);
  }
  for (const register of more) {
    const id = registerId(register);
    if (!wanted.has(id)) wanted.set(id, register);
  }
  const states = new Map<RegisterId, State>();
  const ids = [...wanted.keys()];
  const registers = [...wanted.values()];
  try {
    const read = await readAll(registers, kinds, reader);
    ids.forEach((id, index) => {
      states.set(id, read[index] as State);
    });
    return { states, problems: [] };
  } catch (thrown) {
    if (!(thrown instanceof SystemFault)) throw thrown;
  }
  const problems: Problem[] = [];
  for (const [id, register] of wanted) {
    try {
      const [state] = await readAll([register], kinds, reader);
      states.set(id, state as State);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      const wanting = settings.find((setting) => registerId(setting.register) === id);
      const resource = resources[wanting?.by ?? -1];
      problems.push(error("cannot-read", "the system cannot be read", thrown.message, resource?.at, resource?.address));
    }
  }
  return { states, problems };
}

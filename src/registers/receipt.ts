import {
  type Command,
  canonicalJson,
  type Digest,
  type Goal,
  type JsonObject,
  type Label,
  type Operation,
  type Reader,
  type Register,
  type RegisterId,
  type RegisterKind,
  registerId,
  type State,
  SystemFault,
  sha256,
  type View,
} from "../core/index.ts";

/**
 * Whether a command is due, as its guards and its receipt say.
 *
 * | is | says |
 * | --- | --- |
 * | due | every guard lets it run |
 * | settled | a guard holds it back: what it is for is there already |
 * | watching | it runs when what it watches has changed: `watched` is what that was when it last ran, as the receipt has it |
 * | doubt | it was begun, and nobody knows whether it happened: it waits for `setpoint answer` |
 * | unknown | a guard is a program, and none may be run now; `why`: it, or its folder, is not there (yet) |
 *
 * `held` is only in a reading of one that watches: another guard holds it back. A desired state leaves it out, as the run itself may make
 * that guard true.
 */
export type ReceiptState =
  | { readonly is: "due" }
  | { readonly is: "settled" }
  | { readonly is: "doubt" }
  | { readonly is: "unknown"; readonly why?: string }
  | { readonly is: "watching"; readonly watched: Watched; readonly held?: boolean };

/** For each register its state's digest and how often this state directory has set it. */
export type Watched = { readonly [register: string]: string };

/** What must be true for a command to run: all that are given. */
export type Guards = {
  /** Due while one of these paths does not exist. */
  readonly creates?: readonly string[];
  /** Due while one of these paths exists. */
  readonly removes?: readonly string[];
  /** Due unless this succeeds. */
  readonly unless?: CommandData;
  /** Due only if this succeeds. */
  readonly only_if?: CommandData;
  /** Due until there is a receipt. */
  readonly once?: true;
};

/** A command as plain JSON. */
export type CommandData = JsonObject & Command;

/** The `about` of a receipt. */
export type ReceiptAbout = {
  readonly command: CommandData;
  readonly guards: Guards;
  readonly run_when?: readonly RegisterId[];
  readonly undo?: CommandData;
  readonly verify?: CommandData;
  readonly idempotent: boolean;
  readonly in_doubt: "retry" | "skip" | "ask";
};

/** Commands: that one was run, when it was due. */
export const receipt: RegisterKind<ReceiptState> = {
  kind: "receipt",
  opaque: true,

  async read(registers, reader) {
    const states: ReceiptState[] = [];
    // One after another: guards of one playbook are not made to run at the same time.
    for (const register of registers) states.push(await readOne(register, reader));
    return states;
  },

  transition: (register, from, to) => operationsOf(register, from, to),

  label(register, from, to): Label {
    const { undo, run_when } = aboutOf(register);
    // Revert works out anew what is due and runs it for what was restored.
    return undo !== undefined || run_when !== undefined || goesBack(from, to) ? "compensated" : "irreversible";
  },

  torn: (found, before, after) =>
    // It ran, so its other guard holds; only the record is missing.
    found.is === "watching" &&
    before.is === "watching" &&
    after.is === "watching" &&
    found.held === true &&
    before.held !== true &&
    canonicalJson(found.watched) === canonicalJson(before.watched),

  async resolve(register, { reader }) {
    const { verify, idempotent, in_doubt } = aboutOf(register);
    if (verify !== undefined) return (await reader.ask(verify, "any")).code === 0 ? "happened" : "not";
    if (idempotent || in_doubt === "retry") return "again";
    if (in_doubt === "skip") return "happened";
    return {
      unknown:
        "it was begun and no reading tells whether it happened: say so with `setpoint answer`, or declare `verify`, `idempotent: true` or `in_doubt`",
    };
  },

  evidence: (register) => (asksWorld(aboutOf(register).guards) ? "world" : "journal"),
  tentative: (register) => asksWorld(aboutOf(register).guards),
};

/** A command's register. */
export function receiptRegister(stack: string, address: string, about: ReceiptAbout): Register {
  return { kind: "receipt", key: `${stack}/${address}`, about };
}

/** The command was run when it was last due. Watched registers are among those that the setting reads. */
export const ran: Goal = {
  kind: "receipt",
  name: "ran",
  converge(now: ReceiptState, want: { readonly run_when?: readonly RegisterId[] }, view) {
    if (now.is === "due" || now.is === "doubt") return { is: "settled" };
    if (now.is !== "watching" || now.held === true) return now;
    const current: Watched = Object.fromEntries((want.run_when ?? []).map((id) => [id, `${stateDigest(id, view)} ${view.sets(id)}`]));
    return canonicalJson(current) === canonicalJson(now.watched) ? now : { is: "watching", watched: current };
  },
} as Goal<ReceiptState, { readonly run_when?: readonly RegisterId[] }> as unknown as Goal;

/** The goals of receipts. */
export const receiptGoals: readonly Goal[] = [ran];

/** What a prediction may leave out and a reading has: both must give one digest, or the command would be due twice. */
const readOnly: ReadonlySet<string> = new Set(["owner", "group", "links", "xattrs", "held"]);

function stateDigest(id: RegisterId, view: View): string {
  const state: State = view.state(id);
  // Of a second name nothing else is predicted: its file has its own register.
  const isSecondName = typeof state.hardLinkOf === "string" && state.hardLinkOf !== "none";
  const kept = Object.entries(state).filter(([name]) => (isSecondName ? name === "is" || name === "hardLinkOf" : !readOnly.has(name)));
  // A plain digest of a short secret could be guessed from a digest that it is part of.
  const veiled = kept.map(([name, value]) => [name, name === "content" ? view.fingerprint(value as Digest) : value]);
  return sha256(canonicalJson(Object.fromEntries(veiled))).slice(0, 16);
}

function aboutOf(register: Register): ReceiptAbout {
  return register.about as unknown as ReceiptAbout;
}

function asksWorld({ creates, removes, unless, only_if }: Guards): boolean {
  return creates !== undefined || removes !== undefined || unless !== undefined || only_if !== undefined;
}

async function readOne(register: Register, reader: Reader): Promise<ReceiptState> {
  const { guards, run_when } = aboutOf(register);
  if (!asksWorld(guards) && run_when === undefined && reader.receipt(register.key)?.doubt !== undefined) return { is: "doubt" };
  let answer: Awaited<ReturnType<typeof guarded>>;
  try {
    answer = await guarded(register.key, guards, reader);
  } catch (thrown) {
    // An earlier step of the plan may bring the program or the folder: the engine judges whether one can.
    if (thrown instanceof SystemFault && thrown.code === "guard-missing") return { is: "unknown", why: thrown.message };
    throw thrown;
  }
  if (run_when === undefined || answer === "unknown") return { is: answer };
  return {
    is: "watching",
    watched: reader.receipt(register.key)?.watched ?? {},
    ...(asksWorld(guards) || guards.once ? { held: answer === "settled" } : {}),
  };
}

/** What all guards say together: the first that holds the command back decides; programs come last. */
async function guarded(key: string, guards: Guards, reader: Reader): Promise<"due" | "settled" | "unknown"> {
  const stands = (path: string): boolean => reader.device(path) !== undefined;
  if (guards.once && reader.receipt(key) !== undefined) return "settled";
  if (guards.creates?.every(stands)) return "settled";
  if (guards.removes !== undefined && !guards.removes.some(stands)) return "settled";
  if ((guards.unless !== undefined || guards.only_if !== undefined) && !reader.mayAsk) return "unknown";
  if (guards.unless !== undefined && (await reader.ask(guards.unless, "any")).code === 0) return "settled";
  if (guards.only_if !== undefined && (await reader.ask(guards.only_if, "any")).code !== 0) return "settled";
  return "due";
}

/**
 * | from \ to | due | settled | watching |
 * | --- | --- | --- | --- |
 * | due | | run, record | |
 * | settled | undo, record | | |
 * | watching | | | run, record where `watched` differs; record alone where the run is known to have happened |
 */
function operationsOf(register: Register, from: ReceiptState, to: ReceiptState): readonly Operation[] {
  const { command, undo } = aboutOf(register);
  const record: Operation = { do: "record", register: registerId(register) };
  if ((from.is === "due" || from.is === "doubt") && to.is === "settled") return [{ do: "run", ...command }, record];
  if (goesBack(from, to)) return undo === undefined ? [] : [{ do: "run", ...undo }, record];
  if (from.is !== "watching" || to.is !== "watching" || canonicalJson(from.watched) === canonicalJson(to.watched)) return [];
  return from.held === true ? [record] : [{ do: "run", ...command }, record];
}

function goesBack(from: ReceiptState, to: ReceiptState): boolean {
  return from.is === "settled" && (to.is === "due" || to.is === "doubt");
}

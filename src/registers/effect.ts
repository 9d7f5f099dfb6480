import {
  CannotConverge,
  canonicalJson,
  effectKey,
  type Goal,
  type Json,
  type JsonObject,
  type Label,
  type Operation,
  type PublishOperation,
  type Reader,
  type Register,
  type RegisterKind,
  type Resolution,
  registerId,
  type Sought,
  type State,
} from "../core/index.ts";
import { asked, type Question } from "./question.ts";

/**
 * Whether something that another machine was asked to do is done, as its receipt says. It cannot be read back.
 *
 * | is | says |
 * | --- | --- |
 * | absent | it was never done, or it was taken back |
 * | done | it was, with this payload (a fingerprint) |
 * | doubt | nobody knows: it is not sent until `setpoint answer` says so |
 */
export type EffectState = { readonly is: "absent" } | { readonly is: "done"; readonly payload?: string } | { readonly is: "doubt" };

/** What is done, and what takes it back: operations whose protocol knows their key. */
export type EffectData = JsonObject & Operation;

/** The `about` of an effect. */
export type EffectAbout = {
  readonly stack: string;
  readonly address: string;
  /** For sending it again on purpose. */
  readonly occurrence: string;
  readonly effect: EffectData;
  readonly undo?: EffectData;
  /** A question that tells, by key or by a name of its own, whether it happened. */
  readonly verify?: Question;
  /** ms for which the other side does the same key only once. */
  readonly dedupe?: number;
  readonly in_doubt: "retry" | "skip" | "ask";
  readonly origin: string;
};

/** Of a window only so much is used: clocks differ, and so do ideas of when it began. */
const WINDOW_USED = 0.9;

/** What the broker itself tells of a message; undefined where that is nothing. */
async function atBroker(effect: EffectData, key: string, sought: Sought, reader: Reader): Promise<Resolution | undefined> {
  if (effect.do !== "publish") return undefined;
  const { broker, message } = effect as EffectData & PublishOperation;
  const finding = await reader.remote.message(broker, { ...message, key }, sought);
  switch (finding) {
    case "there":
      return "happened";
    case "unknown":
      return undefined;
    default:
      return finding;
  }
}

/** Effects on other machines: that it was done, once, under its key. */
export const effect: RegisterKind<EffectState> = {
  kind: "effect",

  read: (registers, reader) => registers.map((register) => readOne(register, reader)),

  transition(register, from, to): readonly Operation[] {
    const { effect, undo } = aboutOf(register);
    const record: Operation = { do: "record", register: registerId(register) };
    if (from.is !== "done" && to.is === "done") return [effect, record];
    if (from.is === "done" && to.is !== "done") return undo === undefined ? [] : [undo, record];
    return [];
  },

  label: (register): Label => (aboutOf(register).undo === undefined ? "irreversible" : "compensated"),
  evidence: () => "journal",
  origin: (register) => aboutOf(register).origin,
  preparable: (register, from, to) => from.is !== "done" && to.is === "done" && isTry(aboutOf(register).effect),

  effectKey(register, generation, back) {
    const { stack, address, occurrence } = aboutOf(register);
    return effectKey(stack, address, occurrence, generation, back);
  },

  async resolve(register, { reader, key, sentAt, mark, now }) {
    const { effect, verify, dedupe, in_doubt } = aboutOf(register);
    if (isTry(effect)) return afterTry(aboutOf(register), key, reader);
    // The record of its sending is durable before it leaves: without one it never left.
    if (sentAt === undefined) return "not";
    if (verify !== undefined) return asked(verify, key, reader);
    const age = now - sentAt;
    const found = await atBroker(effect, key, { age, ...(mark && { mark }) }, reader);
    if (found !== undefined) return found;
    if (dedupe !== undefined && age >= 0 && age <= dedupe * WINDOW_USED) return "again";
    if (in_doubt === "retry") return "again";
    if (in_doubt === "skip") return "happened";
    const window = dedupe === undefined ? "" : ", and the time in which the other side would know it again has passed";
    return {
      unknown: `it may or may not have been done${window}: find out, and say so with \`setpoint answer\`, or declare \`verify\`, \`dedupe\` or \`in_doubt\``,
    };
  },
};

/** Whether it only prepares, in a two-phase transaction. */
function isTry(effect: EffectData): boolean {
  return effect.do === "http" && "ends" in effect;
}

/**
 * What became of a participant that was to be confirmed and is not there as it was left. One that was never decided on is ended
 * before anybody asks. That a question does not find it is no proof: others were confirmed because this one had voted.
 */
async function afterTry({ verify, in_doubt }: EffectAbout, key: string, reader: Reader): Promise<Resolution> {
  const found = verify === undefined ? "not" : await asked(verify, key, reader);
  if (found !== "not") return found;
  if (in_doubt === "retry") return "again";
  if (in_doubt === "skip") return "happened";
  return {
    unknown:
      "the other side does not have what it had prepared as it was left there: find out what became of it, and say so with `setpoint answer`; `not` prepares and confirms it anew",
  };
}

/** It is done once, with this payload. */
export const done: Goal = {
  kind: "effect",
  name: "done",
  converge(now: EffectState, want: { readonly payload: Json }, view) {
    const payload = view.fingerprint(view.contents.put(canonicalJson(want.payload)));
    if (now.is === "absent" || now.is === "doubt") return { is: "done", payload };
    if (now.payload === undefined || now.payload === payload) return now;
    throw new CannotConverge(
      "an effect that was done with another payload",
      "it was sent before, and what would be sent now is another content under the same key; to send it again on purpose, give it a new `occurrence`",
    );
  },
} as Goal<EffectState, { readonly payload: Json }> as unknown as Goal;

export const effectGoals: readonly Goal[] = [done];

/** The register of an effect. Another occurrence is another effect. */
export function effectRegister(about: EffectAbout): Register {
  const { stack, address, occurrence } = about;
  return { kind: "effect", key: `${stack}/${address}${occurrence === "0" ? "" : `@${occurrence}`}`, about: about as unknown as JsonObject };
}

function aboutOf(register: Register): EffectAbout {
  return register.about as unknown as EffectAbout;
}

function readOne(register: Register, reader: Reader): EffectState {
  const receipt = reader.receipt(register.key);
  if (receipt === undefined) return { is: "absent" };
  if (receipt.doubt !== undefined) return { is: "doubt" };
  return { is: "done", ...(receipt.payload !== undefined && { payload: receipt.payload }) } as State as EffectState;
}

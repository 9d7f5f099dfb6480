import type { Json, JsonObject } from "./json.ts";
import type { Digest, RegisterId } from "./names.ts";
import type { Operation } from "./operation.ts";
import type { Contents } from "./sight.ts";
import type { Reader } from "./system.ts";

/** What a register is in: plain JSON with a tag. Contents stand in it as digests. */
export type State = JsonObject & { readonly is: string };

/** One real thing that can be read and set. `key` alone is its identity within its kind. */
export interface Register {
  readonly kind: string;
  readonly key: string;
  /** What reading and setting need besides: a guard's argv, a connection. Frozen in the plan; a secret only as a reference. */
  readonly about?: JsonObject;
}

export function registerId(register: Register): RegisterId {
  return `${register.kind}:${register.key}` as RegisterId;
}

/** What a goal may see besides its register's own state. */
export interface View {
  readonly contents: Contents;
  /** The folded state of a register that the setting `reads`; a Bug for any other. */
  state(register: RegisterId): State;
  /** How often this state directory has set a register that the setting `reads`, one more where this plan changes it. */
  sets(register: RegisterId): number;
  /** A content's name that tells nobody without the state directory's key what it is: what a receipt may say of it. */
  fingerprint(content: Digest): Digest;
}

/** A converge that cannot be worked out: the register is not what the goal can work on. Becomes an error at the resource's place. */
export class CannotConverge extends Error {
  readonly summary: string;
  constructor(summary: string, detail: string) {
    super(detail);
    this.name = "CannotConverge";
    this.summary = summary;
  }
}

/**
 * A pure, named function from the state found to the state that should be. It changes only what `want` declares
 * and is idempotent whatever the view shows.
 */
export interface Goal<S extends State = State, W extends JsonObject = JsonObject> {
  readonly kind: string;
  readonly name: string;
  /** Throws CannotConverge. */
  converge(now: S, want: W, view: View): S;
  /** Loads what `converge` and `release` need and a start without them should not pay for; awaited before the first of them. */
  prepare?(want: W): Promise<void>;
  /** What `--prune` leaves of a register whose part this was; without it, a prune goes back to `was`. */
  release?(now: S, want: W, was: S, view: View): S;
}

/** How, rather than what: options of the way a register is set, merged over all settings of a change. */
export interface Manner {
  /** Programs that must accept the new content; `%s` in an argument is the temp file's path. */
  readonly validate?: readonly (readonly string[])[];
  readonly write?: "atomic" | "in-place";
  readonly hardlinks?: "break";
  /** May take the place of another type of thing that stands there. */
  readonly replace?: true;
  /** Whether the content may be shown; left out: judged by what it holds and who may read it. */
  readonly sensitive?: boolean;
  /** Leaving the change behind is allowed although it cannot be undone. */
  readonly undo?: "none";
}

/** What a resource wants of one register: data, so that it can be frozen in a plan and folded again without the playbook. */
export interface Setting {
  readonly register: Register;
  readonly goal: string;
  readonly want: JsonObject;
  /** What of the register this setting declares and its stack therefore owns; none: nothing is owned. */
  readonly aspects: readonly string[];
  /** Registers whose folded states the goal sees. */
  readonly reads?: readonly RegisterId[];
  readonly manner?: Manner;
  /** The keys of the receipts whose answers it uses: until they are there it is not known. */
  readonly results?: readonly string[];
  /** A register that does not need to be there for the plan: a directory made only because its child needs it. */
  readonly implied?: true;
}

export type Label = "exact" | "compensated" | "irreversible";

/** How one sort of register is read and moved. The compare-and-set and the journal stand around it. */
export interface RegisterKind<S extends State = State> {
  readonly kind: string;
  /** The states in the same order; throws SystemFault rather than guesses. */
  read(registers: readonly Register[], reader: Reader): readonly S[] | Promise<readonly S[]>;
  /** The operations that lead from one state to another; pure, also from a torn state. */
  transition(register: Register, from: S, to: S, manner: Manner): readonly Operation[];
  /** What people must know of a change besides its label, in a few words. */
  note?(register: Register, from: S, to: S): string | undefined;
  /** `exact` where it is left out. */
  label?(register: Register, from: S, to: S, manner: Manner): Label;
  /** Contents that a state names. */
  contents?(state: S): readonly Digest[];
  /** Registers of the same kind that this one needs to exist; order only, read against the direction. */
  parents?(register: Register): readonly string[];
  /** Whether a state found is half of a killed transition between the two, to be finished. */
  torn?(found: S, before: S, after: S, manner: Manner): boolean;
  /** Why the change must not be made, whatever the plan: shown as an error. */
  refuse?(register: Register, from: S, to: S, manner: Manner): { readonly summary: string; readonly detail: string } | undefined;
  /** More of a state than a first reading gives, for changes that would lose it (the xattrs of what is removed). */
  enrich?(found: readonly { readonly register: Register; readonly before: S; readonly after: S }[], reader: Reader): readonly S[];
  /** What of the state found a plan keeps: what only helps to set it is read again right before. */
  lean?(before: S, after: S): S;
  /** Why a register cannot be as `after` below a parent in that state; undefined where it can. */
  misfit?(
    register: Register,
    after: S,
    parent: { readonly key: string; readonly state: S },
  ): { readonly summary: string; readonly detail: string } | undefined;
  /** Operations that only make a state durable that is already there (W4): after a kill it may stand in memory alone. */
  settle?(register: Register, state: S): readonly Operation[];
  /** Whether what the state's contents say is not for everybody's eyes: others may not read it. */
  private?(state: S): boolean;
  /** `journal`: the reading comes from our own records and proves nothing after a crash. */
  evidence?(register: Register): "world" | "journal";
  /** A change of it may alter any other register. */
  readonly opaque?: true;
  /** A reading runs a program that may answer otherwise after any change. */
  tentative?(register: Register): boolean;
  /** Whether a change can be prepared so far that it cannot fail any more, and then be made or dropped: a part of a two-phase transaction. */
  preparable?(register: Register, from: S, to: S, manner: Manner): boolean;
  /** The other machine that holds it: registers of one are set one after another, those of different ones side by side. */
  origin?(register: Register): string | undefined;
  /**
   * Waits until nothing that a dead process of ours began can still change the register: a database's session goes on after
   * its client's death. Asked before a register in doubt is read. Throws SystemFault.
   */
  quiet?(register: Register, reader: Reader): Promise<void>;
  /** An effect's idempotency key (reliability.md §8). `generation`: how often the effect was compensated to the end. */
  effectKey?(register: Register, generation: number, back: boolean): string;
  /** With evidence from the journal: whether an effect happened of which no record tells. Throws SystemFault. */
  resolve?(register: Register, doubt: Doubt): Promise<Resolution>;
}

/** An effect that was begun and of which no outcome is known. */
export interface Doubt {
  readonly reader: Reader;
  readonly key: string;
  /** Wall ms when it was first sent; undefined where nothing was sent, or it is not known whether. */
  readonly sentAt: number | undefined;
  /** Where the other side's log ended before. */
  readonly mark: JsonObject | undefined;
  /** Wall ms. */
  readonly now: number;
}

/** What became of an effect in doubt. `again`: sending it once more cannot do it twice. `gave`: what was asked has of it. */
export type Resolution = "happened" | "not" | "again" | { readonly gave: Json } | { readonly unknown: string };

import { sha256 } from "./digest.ts";
import type { JsonObject } from "./json.ts";
import type { Address, Digest, RegisterId } from "./names.ts";
import type { PeerPolicy } from "./network.ts";
import type { Place } from "./problem.ts";
import type { Label, Manner, Register, Setting, State } from "./register.ts";

export type Action = "create" | "update" | "delete" | "run";
export type Reason = "drift" | "intent" | "both" | "debt" | "prune";
export type OnFailure = "stop" | "continue" | "revert";

/** A resource as the plan knows it: which settings are whose. */
export interface PlannedResource {
  readonly address: Address;
  readonly at: Place;
  /** Indexes into the plan's resources. */
  readonly needs?: readonly number[];
  readonly onFailure?: OnFailure;
  readonly protect?: true;
  readonly retry?: { readonly attempts: number; readonly delay: number };
  /** The name of the transaction that it is in. */
  readonly transaction?: string;
  /** Whether `--only`, `--exclude` and `--tags` chose it; others are planned for ownership alone. */
  readonly selected?: false;
}

/** Resources that succeed or are undone together. */
export interface PlannedTransaction {
  readonly name: string;
  readonly mode: "saga" | "two_phase";
  /** Run when all is set: if it fails, all is undone. */
  readonly check?: readonly string[];
  readonly at: Place;
}

/** A setting and the index of the resource that wants it. */
export interface PlannedSetting extends Setting {
  readonly by: number;
}

/** A register's place in the order of a plan. */
export interface Step {
  /** Counts from 0 in listed order with needs pulled in front, over changes and steady registers alike. */
  readonly n: number;
  readonly register: Register;
  /** Indexes into the plan's settings. */
  readonly settings: readonly number[];
  /** The state found while planning, or predicted where an earlier step of the plan changes the register. */
  readonly before: State;
  /** Why the state right before this step's turn may differ from `before`; shown to people. */
  readonly tentative?: string;
  readonly manner?: Manner;
  /** A prune: the aspects that leave the ledger. */
  readonly releases?: readonly string[];
}

/** A step that found nothing to do; it is read again where it is tentative, and for staleness. */
export type Steady = Step;

/** A step that sets its register. */
export interface Change extends Step {
  readonly after: State;
  readonly action: Action;
  readonly label: Label;
  readonly reason: Reason;
  /** Numbers of the steps that must have succeeded before. */
  readonly needs?: readonly number[];
  /** What people must know of it besides its label. */
  readonly note?: string;
  /** `converge` could not be worked out yet; `after` is the same as `before`. */
  readonly unknown?: true;
  /** The transaction that it is in. */
  readonly transaction?: string;
  /** The stack that set the register last, where it is another one. */
  readonly foreign?: string;
  readonly resources: readonly { readonly address: Address; readonly at: Place }[];
}

/** What a stack owns and no longer declares. */
export interface Orphan {
  readonly register: RegisterId;
  readonly aspects: readonly string[];
  readonly address: Address;
  /** Why a prune leaves it alone. */
  readonly kept?: string;
}

export interface PlanSummary {
  readonly resources: number;
  readonly registers: number;
  readonly changes: number;
  readonly creates: number;
  readonly updates: number;
  readonly deletes: number;
  readonly runs: number;
  readonly irreversible: number;
  readonly tentative: number;
}

/** The frozen plan: everything that apply, resume and revert need, and nothing that only the playbook has. */
export interface Plan {
  readonly format: 1;
  readonly stack: string;
  /** Over the bytes of the plan as stored, with this field's digits as zeros. */
  readonly digest: string;
  readonly setpoint: string;
  readonly playbooks: readonly { readonly file: string; readonly digest: Digest }[];
  readonly inputs: JsonObject;
  readonly facts: JsonObject;
  readonly summary: PlanSummary;
  readonly changes: readonly Change[];
  readonly steady: readonly Steady[];
  readonly resources: readonly PlannedResource[];
  readonly settings: readonly PlannedSetting[];
  readonly orphans: readonly Orphan[];
  readonly transactions?: readonly PlannedTransaction[];
  /** How the playbook wants other machines to be treated, by origin. */
  readonly peers?: { readonly [origin: string]: PeerPolicy };
  /** Where a run of the plan tells others that resources converged, and of which: addresses by the name of the event. */
  readonly events?: { readonly log: string; readonly emits: { readonly [name: string]: readonly Address[] } };
  /** Contents that the changes set, as base64 by digest; only in a saved plan. */
  readonly contents?: { readonly [digest: string]: string };
  /** Sensitive contents by fingerprint, encrypted under the state directory's key; only in a saved plan. */
  readonly sealed?: { readonly [digest: string]: string };
  /** Contents too large for that: where they are read from again. */
  readonly origins?: { readonly [digest: string]: string };
}

/** The pivots, by their numbers: of each saga the first step that cannot be taken back, behind which it only goes forward. */
export function pivotsOf({ transactions = [], changes }: Pick<Plan, "transactions" | "changes">): ReadonlySet<number> {
  const pivots = transactions
    .filter(({ mode }) => mode === "saga")
    .map(({ name }) => changes.find(({ transaction, label }) => transaction === name && label === "irreversible"));
  return new Set(pivots.flatMap((pivot) => (pivot === undefined ? [] : [pivot.n])));
}

const ZEROS = "0".repeat(64);
const FIELD = /^\{"format":1,"digest":"([0-9a-f]{64})",/;

/**
 * A plan's text: one line of JSON whose second field is its digest, taken over the bytes as they stand with that digest
 * as zeros. So any byte that is changed anywhere is seen. `fields`: the JSON of all other fields.
 */
export function planTextOf(fields: string): { readonly text: string; readonly digest: Digest } {
  const open = `{"format":1,"digest":"${ZEROS}",${fields.slice(1)}`;
  const digest = sha256(open);
  return { text: open.replace(ZEROS, digest), digest };
}

/** The digest in a plan's text; undefined where this version's plans have none. It need not hold. */
export function planDigestIn(text: string): Digest | undefined {
  return FIELD.exec(text)?.[1] as Digest | undefined;
}

/** Whether a plan's text has a digest and is as it was written. */
export function planIsWhole(text: string): boolean {
  const digest = planDigestIn(text);
  return digest !== undefined && sha256(text.replace(digest, ZEROS)) === digest;
}

import type { Goal, JsonObject, Plan, Reader, Register, RegisterId, RegisterKind, State } from "../core/index.ts";
import type { Ledger } from "../journal/index.ts";
import type { Fingerprint } from "./compare.ts";
import type { OrphanChange } from "./orphans.ts";
import type { Vault } from "./vault.ts";

/** What planning asks of the vault. */
export type SecretKeeper = Pick<Vault, "hasSecrets" | "secretIn" | "seal" | "unsealKnown">;

/** What planning works with. */
export interface PlanParts {
  readonly kinds: ReadonlyMap<string, RegisterKind>;
  readonly goals: ReadonlyMap<string, Goal>;
  readonly reader: Reader;
  readonly ledger: Ledger;
  readonly fingerprint: Fingerprint;
  readonly secrets: SecretKeeper;
  readonly stack: string;
  readonly setpoint: string;
  readonly playbooks: Plan["playbooks"];
  readonly inputs: JsonObject;
  readonly facts: JsonObject;
  readonly prune: boolean;
  readonly peers: NonNullable<Plan["peers"]>;
  readonly events?: Plan["events"];
}

/** A step while it is worked out. */
export interface Draft {
  readonly register: Register;
  readonly id: RegisterId;
  readonly settings: number[];
  readonly before: State;
  after: State;
  /** How many opaque changes stand before it. */
  readonly segment: number;
  tentative: string | undefined;
  unknown: boolean;
  /** Drafts, by their place, whose changes may bring what its register cannot be read without. */
  awaits?: readonly number[];
  readonly pruned: OrphanChange[];
  /** Its settings alone would change nothing. */
  prunedOnly?: true;
}

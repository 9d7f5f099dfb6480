import type { RegisterId, RunId } from "./names.ts";
import type { Problem } from "./problem.ts";
import type { State } from "./register.ts";

export type RunKind = "apply" | "resume" | "revert";
export type RunStatus =
  | "applying"
  | "applied"
  | "halted"
  | "interrupted"
  | "reverting"
  | "reverted"
  | "revert-halted"
  | "superseded"
  | "abandoned";

/** How one action ended, in the words of the journal. */
export type ActionStatus =
  | "set"
  | "already"
  | "found"
  | "restored"
  | "compensated"
  | "skipped"
  | "conflict"
  | "failed"
  | "blocked"
  | "unknown"
  | "pending";

export interface ActionResult {
  readonly register: RegisterId;
  readonly status: ActionStatus;
  readonly detail?: string;
  readonly before?: State;
  readonly after?: State;
  readonly found?: State;
}

export interface RunSummary {
  readonly changed: number;
  readonly already: number;
  readonly conflicts: number;
  readonly failed: number;
  readonly in_doubt: number;
  /** Undefined where there was no final read. */
  readonly verified: boolean;
}

/** The outcome of apply, resume or revert, as `--json` gives it. */
export interface RunReport {
  readonly format: 1;
  /** Undefined where nothing had to be done and so no run was recorded. */
  readonly run?: RunId;
  readonly stack: string;
  readonly kind: RunKind;
  readonly status: RunStatus | "in-sync";
  readonly exit: number;
  readonly summary: RunSummary;
  readonly actions: readonly ActionResult[];
  readonly problems: readonly Problem[];
  /** The command that leads on, where something is left. */
  readonly next?: string;
}

/** What the final read of an apply gave; undefined where there is none. */
export type Verification = "verified" | "diverged" | "unverified";

/** `diverged`: something is not as declared. `unverified`: that could not be read. */
export function verificationOf({ kind, status, summary, problems }: RunReport): Verification | undefined {
  if (kind === "revert" || (status !== "applied" && status !== "in-sync")) return undefined;
  if (summary.verified) return "verified";
  return problems.some(({ code }) => code === "diverged" || code === "fact-moved") ? "diverged" : "unverified";
}

/** What happened, for people: the only thing of the engine that reports see while it runs. */
export type RunEvent =
  | { readonly type: "begin"; readonly run: RunId; readonly stack: string; readonly kind: RunKind; readonly total: number }
  | { readonly type: "started"; readonly register: RegisterId }
  | { readonly type: "action"; readonly result: ActionResult; readonly done: number; readonly total: number }
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "phase"; readonly name: "reading" | "planning" | "recovering" | "verifying"; readonly count?: number }
  | { readonly type: "end"; readonly report: RunReport };

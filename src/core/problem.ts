import type { Address } from "./names.ts";

/** Where in a text something stands; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something the user can mend. `summary` is the kind of problem in always the same words; names stand in `detail`. */
export interface Problem {
  /** Stable, kebab-case; tests and tools rely on it. */
  readonly code: string;
  readonly severity: "error" | "warning" | "note";
  readonly summary: string;
  /** The names involved, and what to do. */
  readonly detail: string;
  readonly at?: Place;
  readonly address?: Address;
  /** The line of text at `at`, for an excerpt with a caret. */
  readonly excerpt?: string;
  /** Further text to show below, such as the diff of what moved. */
  readonly more?: string;
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const problems = (...list: readonly Problem[]): { readonly ok: false; readonly problems: readonly Problem[] } => ({
  ok: false,
  problems: list,
});

/** A problem of severity error. */
export function error(code: string, summary: string, detail: string, at?: Place, address?: Address): Problem {
  return { code, severity: "error", summary, detail, ...(at && { at }), ...(address && { address }) };
}

/** What a fault of another machine means for trying again. */
export interface PeerTrouble {
  /** Whether the same request may be sent again, at once or later. */
  readonly retry: boolean;
  /** ms that the other side asks to wait first. */
  readonly after?: number;
  /** Whether it counts for the circuit breaker: transport errors, timeouts and 5xx do, a refusal does not. */
  readonly counts: boolean;
}

/** The world said no. `mutated` tells whether something may have changed all the same. */
export class SystemFault extends Error {
  /** An errno name such as ENOSPC, or our own word. */
  readonly code: string;
  readonly mutated: "no" | "maybe";
  /** Only for faults of other machines. */
  readonly peer: PeerTrouble | undefined;
  constructor(code: string, message: string, options: { mutated?: "no" | "maybe"; peer?: PeerTrouble; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SystemFault";
    this.code = code;
    this.mutated = options.mutated ?? "no";
    this.peer = options.peer;
  }
}

/** Our mistake. Only the main program catches it. */
export class Bug extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Bug";
  }
}

/** The end of a switch over a union: reaching it is a Bug. */
export function unreachable(value: never): never {
  throw new Bug(`unexpected value: ${JSON.stringify(value)}`);
}

/** The errno name of a thrown value, such as ENOENT; undefined where it has none. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

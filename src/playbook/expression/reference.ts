import { isObject, type Json } from "../../core/index.ts";

/** Stands for a value that is not known: an input while linting, or what could not be worked out and is reported already. */
export const unknown: unique symbol = Symbol("unknown");
export type Value = Json | typeof unknown;

/** The variables that an expression sees, by their first name. */
export interface Values {
  readonly [root: string]: Value | { readonly [name: string]: Value } | undefined;
}

/** What an expression reads: `facts.os.family` is the root `facts` and the path `os`, `family`. */
export interface Reference {
  readonly root: string;
  /** As far as it is known before evaluation. */
  readonly path: readonly (string | number)[];
  /** Offset in the expression's text. */
  readonly offset: number;
  /** The offset of each step of the path. */
  readonly steps: readonly number[];
  /** It may be absent: within `has(…)` or behind `.?`. */
  readonly optional: boolean;
}

/** What stands at a path: a value, or the step that is missing and what could stand there. */
export type Found =
  | { readonly value: Value }
  | { readonly missing: number; readonly among: readonly string[]; readonly why: "key" | "index" | "not a map" };

/** Follows a path by own keys of maps and indexes of lists, as CEL does. */
export function follow(root: Value | { readonly [name: string]: Value }, path: readonly (string | number)[]): Found {
  let value = root as Value;
  for (const [index, step] of path.entries()) {
    if (value === unknown) return { value: unknown };
    if (Array.isArray(value)) {
      if (typeof step !== "number") return { missing: index, among: [], why: "not a map" };
      const item = (value as readonly Json[])[step];
      if (item === undefined) return { missing: index, among: [], why: "index" };
      value = item;
    } else if (isObject(value)) {
      if (typeof step !== "string" || !Object.hasOwn(value, step)) return { missing: index, among: Object.keys(value), why: "key" };
      value = value[step] as Json;
    } else return { missing: index, among: [], why: "not a map" };
  }
  return { value };
}

/** Something is wrong with an expression; `offset` is within its text. */
export class ExpressionFault extends Error {
  readonly code: string;
  readonly summary: string;
  readonly offset: number;
  constructor(code: string, summary: string, detail: string, offset: number) {
    super(detail);
    this.code = code;
    this.summary = summary;
    this.offset = offset;
  }
}

/** An expression ready to be evaluated. */
export interface Expression {
  readonly references: readonly Reference[];
  /** What it reads, where it is nothing but that. */
  readonly path?: Reference;
  /** Throws ExpressionFault, or NotLoaded where only CEL itself can tell. */
  run(values: Values): Json;
}

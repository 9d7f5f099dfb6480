import {
  type Goal,
  type JsonObject,
  type Label,
  NO_TABLE,
  type Reader,
  type Register,
  type RegisterKind,
  type SqlOperation,
  type SqlStatement,
  SystemFault,
} from "../../core/index.ts";
import { originOfDatabase, placeOf, quietDatabase, type SqlAbout, sqlRegister } from "./common.ts";

/**
 * What statements bring about, as a question tells.
 *
 * | is | says |
 * | --- | --- |
 * | unknown | the question cannot be asked: a table of it is not there (yet) |
 */
export type QueryState = { readonly is: "due" } | { readonly is: "settled" } | { readonly is: "unknown"; readonly why: string };

export type QueryAbout = SqlAbout & {
  readonly run: readonly SqlStatement[];
  /** Finds rows once it is done. */
  readonly unless: SqlStatement;
  readonly undo?: readonly SqlStatement[];
};

/** Statements that are run until a question finds rows. */
export const sqlQuery: RegisterKind<QueryState> = {
  kind: "sql_query",

  read: (registers, reader) => Promise.all(registers.map((register) => readOne(register, reader))),

  transition(register, from, to): readonly SqlOperation[] {
    const { url, run, unless, undo, timeout } = aboutOf(register);
    const common = { do: "sql" as const, url, lock: register.key, receipt: "action" as const, ...(timeout !== undefined && { timeout }) };
    if (from.is === "due" && to.is === "settled") return [{ ...common, compare: { ...unless, rows: [] }, statements: run }];
    if (from.is === "settled" && to.is === "due" && undo !== undefined) return [{ ...common, statements: undo }];
    return [];
  },

  label: (register): Label => (aboutOf(register).undo === undefined ? "irreversible" : "compensated"),
  origin: originOfDatabase,
  quiet: quietDatabase,
};

const settled = {
  kind: "sql_query",
  name: "settled",
  converge: (now: QueryState): QueryState => (now.is === "unknown" ? now : { is: "settled" }),
} as unknown as Goal;

export const queryGoals: readonly Goal[] = [settled];

export function queryRegister(name: string, about: QueryAbout): Register & { readonly about: JsonObject } {
  return sqlRegister("sql_query", name, about as unknown as QueryAbout & JsonObject);
}

function aboutOf(register: Register): QueryAbout {
  return register.about as unknown as QueryAbout;
}

async function readOne(register: Register, reader: Reader): Promise<QueryState> {
  const { url, unless, timeout } = aboutOf(register);
  try {
    const rows = await reader.remote.sql({ ...unless, url, ...(timeout !== undefined && { timeout }) });
    if (rows === undefined) return { is: "unknown", why: `there is no database ${placeOf(url).name}` };
    return { is: rows.length > 0 ? "settled" : "due" };
  } catch (thrown) {
    if (thrown instanceof SystemFault && NO_TABLE.has(thrown.code)) return { is: "unknown", why: thrown.message };
    throw thrown;
  }
}

import {
  CannotConverge,
  type Goal,
  type Json,
  type JsonObject,
  type Label,
  type Reader,
  type Register,
  type RegisterKind,
  type SqlOperation,
  type SqlStatement,
  SystemFault,
  sameJson,
} from "../../core/index.ts";
import { ask, originOfDatabase, placeOf, quietDatabase, type SqlAbout, Statement, sqlRegister } from "./common.ts";
import { normalValue, type Sort, sentValue, sortOf } from "./values.ts";

/**
 * A row of a table, found by its key. `values` are the columns that are declared, or all where the row is to go. With `~`
 * begins what only helps to set it: the row to the letter as it was read, and the sorts of its columns.
 *
 * | is | says |
 * | --- | --- |
 * | unknown | the table is not there (yet) |
 */
export type RowState =
  | { readonly is: "unknown"; readonly why: string }
  | { readonly is: "absent"; readonly "~sorts"?: Sorts }
  | { readonly is: "row"; readonly values: JsonObject; readonly "~row"?: JsonObject; readonly "~sorts"?: Sorts };

type Row = RowState & { readonly is: "row" };
type Sorts = { readonly [column: string]: Sort };

export type RowAbout = SqlAbout & {
  readonly table: string;
  readonly key: JsonObject;
  /** The columns that are compared; left out: all. */
  readonly columns?: readonly string[];
};

/** Rows of tables, found by their keys. */
export const sqlRow: RegisterKind<RowState> = {
  kind: "sql_row",

  read(registers, reader) {
    const tables = new Map<string, Promise<Sorts | undefined>>();
    return Promise.all(
      registers.map(async (register) => {
        const { url, table } = aboutOf(register);
        const name = `${url} ${table}`;
        const sorts = tables.get(name) ?? sortsOf(register, reader);
        tables.set(name, sorts);
        return readOne(register, await sorts, reader);
      }),
    );
  },

  transition(register, from, to): readonly SqlOperation[] {
    if (from.is === "unknown" || to.is === "unknown" || (from.is === "absent" && to.is === "absent")) return [];
    const { url, timeout } = aboutOf(register);
    const sorts = from["~sorts"] ?? {};
    const row = from.is === "row" ? [from["~row"] ?? {}] : [];
    const statement =
      to.is === "absent" ? remove(register, sorts) : from.is === "absent" ? insert(register, to, sorts) : update(register, from, to, sorts);
    return [
      {
        do: "sql",
        url,
        lock: register.key,
        ...(timeout !== undefined && { timeout }),
        compare: { ...lookUp(register, sorts, true), rows: row },
        statements: [statement],
        receipt: "action",
      },
    ];
  },

  label: (): Label => "exact",
  // SQLite knows no PREPARE.
  preparable: (register) => placeOf(aboutOf(register).url).dialect !== "sqlite",
  origin: originOfDatabase,
  quiet: quietDatabase,

  // The row whole is needed to make it again.
  lean(before, after) {
    if (before.is !== "row" || after.is === "absent") return before;
    const { "~row": _, ...rest } = before;
    return rest;
  },
};

/** The columns have the declared values; others are left as they are. */
const rowGoal = {
  kind: "sql_row",
  name: "row",
  converge(now: RowState, want: { readonly values: JsonObject; readonly expect?: JsonObject; readonly must_exist?: boolean }): RowState {
    if (now.is === "unknown") return now;
    const sorts = now["~sorts"] ?? {};
    const values = normal(want.values, sorts);
    if (now.is === "absent") {
      if (want.must_exist === true)
        throw new CannotConverge("a row that is not there", "with `upsert: false` it is changed only, and never made");
      if (want.expect !== undefined)
        throw new CannotConverge("not the values expected", "the row is not there, and `expect` says what it has");
      return { is: "row", values, "~sorts": sorts };
    }
    const held = Object.fromEntries(Object.keys(values).map((name) => [name, now.values[name] ?? null]));
    if (sameJson(held, values)) return now;
    const expected = normal(want.expect ?? {}, sorts);
    const row = now["~row"] ?? {};
    for (const [name, value] of Object.entries(expected)) {
      const found = name in now.values ? (now.values[name] as Json) : normalValue((row[name] ?? null) as Json, sorts[name] ?? "any");
      if (!sameJson(found, value))
        throw new CannotConverge(
          "not the values expected",
          `its ${name} is ${JSON.stringify(found)}, and \`expect\` says ${JSON.stringify(value)}`,
        );
    }
    return { is: "row", values: { ...now.values, ...values }, "~sorts": sorts };
  },
  release: (now: RowState, _want: JsonObject, was: RowState): RowState =>
    was.is === "row" && now.is === "row" ? { ...now, values: was.values } : was.is === "absent" ? was : now,
} as unknown as Goal;

const rowAbsent = {
  kind: "sql_row",
  name: "absent",
  converge: (now: RowState): RowState =>
    now.is === "row" ? { is: "absent", ...(now["~sorts"] && { "~sorts": now["~sorts"] }) } : now.is === "unknown" ? { is: "absent" } : now,
} as unknown as Goal;

export const rowGoals: readonly Goal[] = [rowGoal, rowAbsent];

/** The register of a row. */
export function rowRegister(about: RowAbout): Register & { readonly about: JsonObject } {
  return sqlRegister("sql_row", `${about.table}#${rowTag(about.key)}`, about as unknown as RowAbout & JsonObject);
}

/** A row's key in one line. */
export function rowTag(key: JsonObject): string {
  return Object.entries(key)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(",");
}

function aboutOf(register: Register): RowAbout {
  return register.about as unknown as RowAbout;
}

function normal(values: JsonObject, sorts: Sorts): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, normalValue(value, sorts[name] ?? "any")]));
}

async function readOne(register: Register, sorts: Sorts | undefined, reader: Reader): Promise<RowState> {
  const { table, key, columns, url } = aboutOf(register);
  const place = placeOf(url);
  if (sorts === undefined) return { is: "unknown", why: `${place.name} has no table ${table}` };
  const missing = [...Object.keys(key), ...(columns ?? [])].find((name) => !(name in sorts));
  if (missing !== undefined) return { is: "unknown", why: `the table ${table} of ${place.name} has no column ${missing}` };
  const { text, values } = lookUp(register, sorts, false);
  const rows = (await ask(register, reader, text, values as string[])) ?? [];
  if (rows.length > 1)
    throw new SystemFault("ambiguous-key", `${rowTag(key)} finds ${rows.length} rows of ${table}: a key must find one`, {
      peer: { retry: false, counts: false },
    });
  const [row] = rows;
  if (row === undefined) return { is: "absent", "~sorts": sorts };
  const all = normal(row, sorts);
  const shown = columns === undefined ? all : Object.fromEntries(columns.map((name) => [name, all[name] ?? null]));
  return { is: "row", values: shown, "~row": row, "~sorts": sorts };
}

/** The row whole, to the letter. `locked`: nobody else may change it until the transaction ends. */
function lookUp(register: Register, sorts: Sorts, locked: boolean): SqlStatement {
  const { table, key, url } = aboutOf(register);
  const { dialect } = placeOf(url);
  const statement = new Statement(dialect);
  // A list of PostgreSQL is read as JSON, of which no part is ambiguous.
  const columns = Object.entries(sorts).map(([name, sort]) => {
    const quoted = statement.column(name);
    return sort === "list" ? `to_jsonb(${quoted}) AS ${quoted}` : quoted;
  });
  const where = whereKey(statement, key, sorts);
  const lock = locked && dialect !== "sqlite" ? " FOR UPDATE" : "";
  return { text: `SELECT ${columns.join(", ")} FROM ${statement.name(table)} WHERE ${where}${lock}`, values: statement.values as Json[] };
}

function whereKey(statement: Statement, key: JsonObject, sorts: Sorts): string {
  return Object.entries(key)
    .map(([name, value]) => `${statement.column(name)} = ${statement.add(sentValue(value, sorts[name] ?? "any"))}`)
    .join(" AND ");
}

function insert(register: Register, to: Row, sorts: Sorts): SqlStatement {
  const { table, key, url } = aboutOf(register);
  const statement = new Statement(placeOf(url).dialect);
  // A row that was there is made again whole, to the letter; a new one has what is declared.
  const row = to["~row"] ?? {};
  const isAsItWas = (name: string) =>
    name in row && sameJson(normalValue(row[name] as Json, sorts[name] ?? "any"), to.values[name] as Json);
  const all = { ...key, ...row, ...Object.fromEntries(Object.entries(to.values).filter(([name]) => !isAsItWas(name))) } as JsonObject;
  const names = Object.keys(all);
  const marks = names.map((name) => statement.add(sentValue(all[name] as Json, sorts[name] ?? "any")));
  return {
    text: `INSERT INTO ${statement.name(table)} (${names.map((name) => statement.column(name)).join(", ")})${statement.overriding} VALUES (${marks.join(", ")})`,
    values: statement.values as Json[],
    affects: 1,
  };
}

function update(register: Register, from: Row, to: Row, sorts: Sorts): SqlStatement {
  const { table, key, url } = aboutOf(register);
  const statement = new Statement(placeOf(url).dialect);
  const sets = Object.entries(to.values)
    .filter(([name, value]) => !sameJson(from.values[name] ?? null, value))
    .map(([name, value]) => `${statement.column(name)} = ${statement.add(sentValue(value, sorts[name] ?? "any"))}`);
  return {
    text: `UPDATE ${statement.name(table)} SET ${sets.join(", ")} WHERE ${whereKey(statement, key, sorts)}`,
    values: statement.values as Json[],
    affects: 1,
  };
}

function remove(register: Register, sorts: Sorts): SqlStatement {
  const { table, key, url } = aboutOf(register);
  const statement = new Statement(placeOf(url).dialect);
  return {
    text: `DELETE FROM ${statement.name(table)} WHERE ${whereKey(statement, key, sorts)}`,
    values: statement.values as Json[],
    affects: 1,
  };
}

/** The columns of a table that can be set, and how each is compared; undefined where there is no such table. */
async function sortsOf(register: Register, reader: Reader): Promise<Sorts | undefined> {
  const { url, table } = aboutOf(register);
  const { dialect } = placeOf(url);
  const statement = new Statement(dialect);
  const [name = "", schema = null] = table.split(".").reverse();
  const rows = await ask(
    register,
    reader,
    COLUMNS[dialect],
    dialect === "postgresql" ? [statement.name(table)] : dialect === "sqlite" ? [name] : [schema, name],
  );
  if (rows === undefined || rows.length === 0) return undefined;
  return Object.fromEntries(rows.map((row) => [String(row.name), sortOf(String(row.type))]));
}

const COLUMNS = {
  postgresql:
    "SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
  mariadb:
    "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position",
  sqlite: "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid",
} as const;

import {
  type Goal,
  type JsonObject,
  type Label,
  quoteIdentifier,
  quoteName,
  type Reader,
  type Register,
  type RegisterKind,
  type SqlDialect,
  sameJson,
} from "../../core/index.ts";
import { type Column, defaultForm, isWider, typeForm } from "./column-form.ts";
import { ask, originOfDatabase, placeOf, quietDatabase, type SqlAbout, sqlRegister } from "./common.ts";
import { ddl } from "./ddl.ts";

/** A table's form. `~made`, `~added`: by this very change, so that only what is empty is taken away again. */
export type TableState =
  | { readonly is: "absent" }
  | {
      readonly is: "table";
      readonly columns: { readonly [name: string]: Column };
      readonly primary_key: readonly string[];
      readonly "~made"?: true;
      readonly "~added"?: readonly string[];
    };

export type TableAbout = SqlAbout & { readonly name: string };
/** What is declared of a column; what is left out is free, and for a new one as SQL has it. */
export type ColumnWant = { readonly type: string; readonly null?: boolean; readonly default?: string | null; readonly identity?: true };

type Table = TableState & { readonly is: "table" };

const READ = {
  postgresql: `SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS can_be_null,
    CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS value, a.attidentity <> '' AS identity,
    (SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary) AS place
    FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
  mariadb: `SELECT c.column_name AS name, c.column_type AS type, c.is_nullable = 'YES' AS can_be_null, c.column_default AS value,
    c.extra LIKE '%auto_increment%' AS identity, (SELECT s.seq_in_index FROM information_schema.statistics s WHERE s.table_schema = c.table_schema
    AND s.table_name = c.table_name AND s.index_name = 'PRIMARY' AND s.column_name = c.column_name) AS place
    FROM information_schema.columns c WHERE c.table_schema = COALESCE(?, DATABASE()) AND c.table_name = ? ORDER BY c.ordinal_position`,
  sqlite: `SELECT name, type, "notnull" = 0 AS can_be_null, dflt_value AS value, 0 AS identity, NULLIF(pk, 0) AS place FROM pragma_table_info(?) ORDER BY cid`,
} as const;

/** Tables and their columns. */
export const sqlTable: RegisterKind<TableState> = {
  kind: "sql_table",
  read: (registers, reader) => Promise.all(registers.map((register) => readOne(register, reader))),

  transition(register, from, to) {
    const { url, name } = aboutOf(register);
    const { dialect } = placeOf(url);
    const table = quoteName(dialect, name);
    if (to.is === "absent") {
      if (from.is === "absent") return [];
      const guard = { text: `SELECT 1 FROM ${table} LIMIT 1`, found: `the table ${name} holds rows that came later: it is kept` };
      return ddl(register, [`DROP TABLE ${table}`], from["~made"] ? { guards: [guard] } : {});
    }
    if (from.is === "absent") return ddl(register, [created(dialect, table, to)]);
    const gone = Object.keys(from.columns).filter((column) => !(column in to.columns));
    const guards = gone
      .filter((column) => from["~added"]?.includes(column) === true && from.columns[column]?.default === null)
      .map((column) => ({
        text: `SELECT 1 FROM ${table} WHERE ${quoteIdentifier(dialect, column)} IS NOT NULL LIMIT 1`,
        found: `the column ${column} of ${name} holds values that came later: it is kept`,
      }));
    return ddl(register, altered(dialect, table, from, to), { guards });
  },

  label(_register, from, to): Label {
    if (from.is === "absent") return "exact";
    if (to.is === "absent") return "irreversible";
    const loses = Object.entries(from.columns).some(([name, { type }]) => {
      const after = to.columns[name];
      return after === undefined || (after.type !== type && !isWider(type, after.type));
    });
    return loses ? "irreversible" : "exact";
  },

  refuse(register, from, to) {
    if (from.is === "absent" || to.is === "absent") return undefined;
    const { url, name } = aboutOf(register);
    const { dialect } = placeOf(url);
    if (!sameJson(from.primary_key, to.primary_key))
      return {
        summary: "a table cannot change its primary key here",
        detail: `${name} has the primary key (${from.primary_key.join(", ")}): write a migration`,
      };
    if (dialect !== "sqlite") return undefined;
    const changed = Object.keys(to.columns).find(
      (one) => one in from.columns && !sameJson(from.columns[one] ?? null, to.columns[one] ?? null),
    );
    return changed === undefined
      ? undefined
      : { summary: "SQLite cannot change a column", detail: `${name} has another ${changed}: write a migration that makes the table anew` };
  },

  origin: originOfDatabase,
  quiet: quietDatabase,
};

const present = {
  kind: "sql_table",
  name: "present",
  converge(
    now: TableState,
    want: { readonly columns: { readonly [name: string]: ColumnWant }; readonly primary_key?: readonly string[]; readonly exact?: boolean },
  ): TableState {
    const held = now.is === "table" ? now.columns : {};
    const key = want.primary_key ?? (now.is === "table" ? now.primary_key : []);
    const declared = Object.fromEntries(
      Object.entries(want.columns).map(([name, one]): [string, Column] => {
        const old = held[name];
        const identity = old === undefined ? one.identity : old.identity;
        return [
          name,
          {
            type: one.type,
            null: key.includes(name) ? (old?.null ?? false) : (one.null ?? old?.null ?? true),
            default: one.default === undefined ? (old?.default ?? null) : one.default,
            ...(identity && { identity }),
          },
        ];
      }),
    );
    const columns = want.exact === true ? declared : { ...held, ...declared };
    if (now.is === "absent") return { is: "table", columns, primary_key: key, "~made": true };
    if (sameJson(now.columns, columns) && sameJson(now.primary_key, key)) return now;
    return { is: "table", columns, primary_key: key, "~added": Object.keys(columns).filter((name) => !(name in held)) };
  },
} as unknown as Goal;

const absent = { kind: "sql_table", name: "absent", converge: (): TableState => ({ is: "absent" }) } as unknown as Goal;

export const tableGoals: readonly Goal[] = [present, absent];

export function tableRegister(about: TableAbout): Register & { readonly about: JsonObject } {
  return sqlRegister("sql_table", about.name, about as unknown as TableAbout & JsonObject);
}

function aboutOf(register: Register): TableAbout {
  return register.about as unknown as TableAbout;
}

function form(dialect: SqlDialect, name: string, { type, null: canBeNull, default: value, identity }: Column): string {
  const counted =
    identity !== true || dialect === "sqlite" ? "" : dialect === "mariadb" ? " AUTO_INCREMENT" : " GENERATED BY DEFAULT AS IDENTITY";
  return `${quoteIdentifier(dialect, name)} ${type}${canBeNull ? "" : " NOT NULL"}${value === null ? "" : ` DEFAULT ${value}`}${counted}`;
}

function created(dialect: SqlDialect, table: string, { columns, primary_key: key }: Table): string {
  const parts = Object.entries(columns).map(([name, column]) => form(dialect, name, column));
  if (key.length > 0) parts.push(`PRIMARY KEY (${key.map((name) => quoteIdentifier(dialect, name)).join(", ")})`);
  return `CREATE TABLE ${table} (${parts.join(", ")})${dialect === "mariadb" ? " ENGINE=InnoDB" : ""}`;
}

function altered(dialect: SqlDialect, table: string, from: Table, to: Table): readonly string[] {
  const alter = (text: string) => `ALTER TABLE ${table} ${text}`;
  const statements: string[] = [];
  for (const [name, after] of Object.entries(to.columns)) {
    const before = from.columns[name];
    const column = quoteIdentifier(dialect, name);
    if (before === undefined) statements.push(alter(`ADD COLUMN ${form(dialect, name, after)}`));
    else if (sameJson(before, after)) continue;
    else if (dialect === "mariadb") statements.push(alter(`MODIFY COLUMN ${form(dialect, name, after)}`));
    else {
      const change = (text: string) => statements.push(alter(`ALTER COLUMN ${column} ${text}`));
      // An old default may have no form in the new type.
      if (before.default !== null && before.type !== after.type) change("DROP DEFAULT");
      if (before.type !== after.type) change(`TYPE ${after.type} USING ${column}::${after.type}`);
      if (after.default !== null && (before.default !== after.default || before.type !== after.type))
        change(`SET DEFAULT ${after.default}`);
      if (after.default === null && before.default !== null && before.type === after.type) change("DROP DEFAULT");
      if (before.null !== after.null) change(after.null ? "DROP NOT NULL" : "SET NOT NULL");
    }
  }
  for (const name of Object.keys(from.columns))
    if (!(name in to.columns)) statements.push(alter(`DROP COLUMN ${quoteIdentifier(dialect, name)}`));
  return statements;
}

async function readOne(register: Register, reader: Reader): Promise<TableState> {
  const { url, name } = aboutOf(register);
  const { dialect } = placeOf(url);
  const [plain = "", schema = null] = name.split(".").reverse();
  const values = dialect === "postgresql" ? [quoteName(dialect, name)] : dialect === "mariadb" ? [schema, plain] : [plain];
  const rows = (await ask(register, reader, READ[dialect], values)) ?? [];
  if (rows.length === 0) return { is: "absent" };
  const is = (value: unknown) => value === true || Number(value) === 1;
  const columns = Object.fromEntries(
    rows.map((row): [string, Column] => [
      String(row.name),
      {
        type: typeForm(dialect, String(row.type)),
        // In SQLite the columns of a primary key may be null unless they are said not to be, but hardly anybody means that.
        null: is(row.can_be_null) && (dialect !== "sqlite" || row.place === null),
        default: defaultForm(row.value === null || row.value === undefined ? null : String(row.value)),
        ...(is(row.identity) && { identity: true as const }),
      },
    ]),
  );
  const key = rows
    .filter(({ place }) => place !== null)
    .sort((a, b) => Number(a.place) - Number(b.place))
    .map((row) => String(row.name));
  return { is: "table", columns, primary_key: key };
}

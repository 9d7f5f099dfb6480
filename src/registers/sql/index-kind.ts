import {
  type Goal,
  type JsonObject,
  quoteIdentifier,
  quoteName,
  type Reader,
  type Register,
  type RegisterKind,
  type SqlDialect,
  sameJson,
} from "../../core/index.ts";
import { ask, originOfDatabase, placeOf, quietDatabase, type SqlAbout, sqlRegister } from "./common.ts";
import { ddl } from "./ddl.ts";

/** An index. `broken`: one that CREATE INDEX CONCURRENTLY left unfinished. */
export type IndexState =
  | { readonly is: "absent" }
  | { readonly is: "broken" }
  | { readonly is: "index"; readonly columns: readonly string[]; readonly unique: boolean };

export type IndexAbout = SqlAbout & {
  readonly name: string;
  readonly table: string;
  readonly method?: string;
  /** A condition as SQL has it: only its rows are in the index. It is not compared. */
  readonly where?: string;
  readonly concurrently?: true;
};

const READ = {
  postgresql:
    "SELECT i.indisunique AS is_unique, i.indisvalid AS valid, (SELECT json_agg(pg_get_indexdef(i.indexrelid, k, true) ORDER BY k) FROM generate_series(1, i.indnkeyatts) k) AS columns FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass($1) AND c.relname = $2",
  mariadb:
    "SELECT column_name AS name, non_unique FROM information_schema.statistics WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND index_name = ? ORDER BY seq_in_index",
  sqlite:
    'SELECT l."unique" AS is_unique, (SELECT json_group_array(name) FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno)) AS columns FROM pragma_index_list(?) l WHERE l.name = ?',
} as const;

/** Indexes of tables. */
export const sqlIndex: RegisterKind<IndexState> = {
  kind: "sql_index",
  read: (registers, reader) => Promise.all(registers.map((register) => readOne(register, reader))),

  transition(register, from, to) {
    const { url, table, name, concurrently } = aboutOf(register);
    const { dialect } = placeOf(url);
    const alone = concurrently === true && dialect === "postgresql";
    const during = alone ? " CONCURRENTLY" : "";
    const schema = dialect !== "mariadb" && table.includes(".") ? `${quoteIdentifier(dialect, table.split(".")[0] ?? "")}.` : "";
    const own = `${schema}${quoteIdentifier(dialect, name)}`;
    const drop = dialect === "mariadb" ? `DROP INDEX ${own} ON ${quoteName(dialect, table)}` : `DROP INDEX${during} ${own}`;
    return ddl(
      register,
      [
        ...(from.is === "absent" || sameJson(from, to) ? [] : [drop]),
        ...(to.is !== "index" || sameJson(from, to) ? [] : [created(register, to, dialect, during)]),
      ],
      { alone },
    );
  },

  torn: (found) => found.is === "broken",
  origin: originOfDatabase,
  quiet: quietDatabase,
};

const present = {
  kind: "sql_index",
  name: "present",
  converge(now: IndexState, want: { readonly columns: readonly string[]; readonly unique: boolean }): IndexState {
    const wanted: IndexState = { is: "index", columns: want.columns, unique: want.unique };
    return sameJson(now, wanted) ? now : wanted;
  },
} as unknown as Goal;

const absent = { kind: "sql_index", name: "absent", converge: (): IndexState => ({ is: "absent" }) } as unknown as Goal;

export const indexGoals: readonly Goal[] = [present, absent];

export function indexRegister(about: IndexAbout): Register & { readonly about: JsonObject } {
  return sqlRegister("sql_index", `${about.table}/${about.name}`, about as unknown as IndexAbout & JsonObject);
}

function aboutOf(register: Register): IndexAbout {
  return register.about as unknown as IndexAbout;
}

function created(register: Register, to: IndexState & { readonly is: "index" }, dialect: SqlDialect, during: string): string {
  const { table, name, method, where } = aboutOf(register);
  const column = (one: string) => quoteIdentifier(dialect, one);
  const using = method === undefined || dialect === "sqlite" ? "" : ` USING ${column(method)}`;
  const columns = to.columns.map(column).join(", ");
  const start = `CREATE ${to.unique ? "UNIQUE " : ""}INDEX${during} ${column(name)}`;
  if (dialect === "mariadb") return `${start}${using} ON ${quoteName(dialect, table)} (${columns})`;
  return `${start} ON ${quoteName(dialect, table)}${using} (${columns})${where === undefined ? "" : ` WHERE ${where}`}`;
}

async function readOne(register: Register, reader: Reader): Promise<IndexState> {
  const { url, table, name } = aboutOf(register);
  const { dialect } = placeOf(url);
  const [plain = "", schema = null] = table.split(".").reverse();
  const values =
    dialect === "postgresql" ? [quoteName(dialect, table), name] : dialect === "mariadb" ? [schema, plain, name] : [plain, name];
  const rows = (await ask(register, reader, READ[dialect], values)) ?? [];
  const [row] = rows;
  if (row === undefined) return { is: "absent" };
  if (dialect === "mariadb") return { is: "index", columns: rows.map((one) => String(one.name)), unique: Number(row.non_unique) === 0 };
  if (row.valid === false) return { is: "broken" };
  const columns = (typeof row.columns === "string" ? JSON.parse(row.columns) : row.columns) as readonly string[];
  // PostgreSQL writes a name with quotes where it needs them.
  const bare = (one: string) => (one.startsWith('"') && one.endsWith('"') ? one.slice(1, -1).replaceAll('""', '"') : one);
  return {
    is: "index",
    columns: dialect === "sqlite" ? columns : columns.map(bare),
    unique: row.is_unique === true || Number(row.is_unique) === 1,
  };
}

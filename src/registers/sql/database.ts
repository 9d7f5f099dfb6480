import { type Goal, type JsonObject, type Label, quoteIdentifier, quoteText, type Register, type RegisterKind } from "../../core/index.ts";
import { ask, originOfDatabase, placeOf, quietDatabase, type SqlAbout } from "./common.ts";
import { ddl } from "./ddl.ts";

/** A database of a server. `~made`: by this very change, so that only an empty one is taken away again. */
export type DatabaseState =
  | { readonly is: "absent" }
  | { readonly is: "database"; readonly owner?: string; readonly encoding?: string; readonly collation?: string; readonly "~made"?: true };

export type DatabaseAbout = SqlAbout & { readonly name: string };

type There = DatabaseState & { readonly is: "database" };

const READ = {
  postgresql:
    "SELECT pg_get_userbyid(datdba)::text AS owner, pg_encoding_to_char(encoding)::text AS encoding, datcollate::text AS collation FROM pg_catalog.pg_database WHERE datname = $1",
  mariadb:
    "SELECT default_character_set_name AS encoding, default_collation_name AS collation FROM information_schema.schemata WHERE schema_name = ?",
  sqlite: "SELECT 1 WHERE ? IS NULL",
} as const;

/** What a database holds that nobody but setpoint made. */
const HOLDS = {
  postgresql:
    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname NOT IN ('setpoint_receipts', 'setpoint_migrations') LIMIT 1",
  mariadb:
    "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name NOT IN ('setpoint_receipts', 'setpoint_migrations') LIMIT 1",
  sqlite: "SELECT 1 WHERE 1 = 0",
} as const;

/** Databases of a server. */
export const sqlDatabase: RegisterKind<DatabaseState> = {
  kind: "sql_database",

  read: (registers, reader) =>
    Promise.all(
      registers.map(async (register): Promise<DatabaseState> => {
        const { url, name } = aboutOf(register);
        const [row] = (await ask(register, reader, READ[placeOf(url).dialect], [name])) ?? [];
        return row === undefined ? { is: "absent" } : ({ is: "database", ...row } as DatabaseState);
      }),
    ),

  transition(register, from, to) {
    const { url, name } = aboutOf(register);
    const { dialect } = placeOf(url);
    const quoted = quoteIdentifier(dialect, name);
    if (to.is === "absent") {
      if (from.is === "absent") return [];
      const guard = {
        text: HOLDS[dialect],
        ...(dialect === "mariadb" ? { values: [name] } : { url: withDatabase(url, name) }),
        found: `the database ${name} holds tables that came later: it is kept`,
      };
      return ddl(register, [`DROP DATABASE ${quoted}`], { alone: true, ...(from["~made"] && { guards: [guard] }) });
    }
    if (from.is === "absent") return ddl(register, [created(dialect, quoted, to)], { alone: true });
    const statements: string[] = [];
    if (dialect === "postgresql" && to.owner !== undefined && to.owner !== from.owner)
      statements.push(`ALTER DATABASE ${quoted} OWNER TO ${quoteIdentifier(dialect, to.owner)}`);
    if (dialect === "mariadb" && (to.encoding !== from.encoding || to.collation !== from.collation))
      statements.push(`ALTER DATABASE ${quoted}${forms(dialect, to)}`);
    return ddl(register, statements, { alone: true });
  },

  label: (_register, from, to): Label => (from.is === "database" && to.is === "absent" ? "irreversible" : "exact"),

  refuse(register, from, to) {
    if (from.is === "absent" || to.is === "absent" || placeOf(aboutOf(register).url).dialect !== "postgresql") return undefined;
    const fixed = (["encoding", "collation"] as const).find((name) => to[name] !== undefined && to[name] !== from[name]);
    if (fixed === undefined) return undefined;
    return {
      summary: "a database cannot change its encoding",
      detail: `its ${fixed} is ${from[fixed]}, and PostgreSQL sets it only when a database is made`,
    };
  },

  origin: originOfDatabase,
  quiet: quietDatabase,
};

const present = {
  kind: "sql_database",
  name: "present",
  converge: (now: DatabaseState, want: JsonObject): DatabaseState =>
    now.is === "absent" ? { is: "database", ...want, "~made": true } : ({ ...now, ...want } as DatabaseState),
} as unknown as Goal;

const absent = { kind: "sql_database", name: "absent", converge: (): DatabaseState => ({ is: "absent" }) } as unknown as Goal;

export const databaseGoals: readonly Goal[] = [present, absent];

export function databaseRegister(about: DatabaseAbout): Register & { readonly about: JsonObject } {
  return { kind: "sql_database", key: `${placeOf(about.url).origin}/${about.name}`, about: about as unknown as JsonObject };
}

function aboutOf(register: Register): DatabaseAbout {
  return register.about as unknown as DatabaseAbout;
}

/** The URL of another database of the same server. */
function withDatabase(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(name)}`;
  return other.href;
}

function created(dialect: "postgresql" | "mariadb" | "sqlite", quoted: string, to: There): string {
  if (dialect === "mariadb") return `CREATE DATABASE ${quoted}${forms(dialect, to)}`;
  const owner = to.owner === undefined ? "" : ` OWNER ${quoteIdentifier(dialect, to.owner)}`;
  // template0 alone takes any encoding and collation.
  const other = to.encoding === undefined && to.collation === undefined ? "" : " TEMPLATE template0";
  const encoding = to.encoding === undefined ? "" : ` ENCODING ${quoteText(dialect, to.encoding)}`;
  const collation =
    to.collation === undefined ? "" : ` LC_COLLATE ${quoteText(dialect, to.collation)} LC_CTYPE ${quoteText(dialect, to.collation)}`;
  return `CREATE DATABASE ${quoted}${owner}${other}${encoding}${collation}`;
}

function forms(dialect: "mariadb", { encoding, collation }: There): string {
  return `${encoding === undefined ? "" : ` CHARACTER SET ${quoteText(dialect, encoding)}`}${collation === undefined ? "" : ` COLLATE ${quoteText(dialect, collation)}`}`;
}

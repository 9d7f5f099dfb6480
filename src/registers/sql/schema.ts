import { type Goal, type JsonObject, type Label, quoteIdentifier, quoteText, type Register, type RegisterKind } from "../../core/index.ts";
import { ask, originOfDatabase, quietDatabase, type SqlAbout, sqlRegister } from "./common.ts";
import { ddl } from "./ddl.ts";

export type SchemaState = { readonly is: "absent" } | { readonly is: "schema"; readonly owner?: string };
export type ExtensionState = { readonly is: "absent" } | { readonly is: "extension"; readonly version?: string; readonly schema?: string };

type Named = SqlAbout & { readonly name: string };

/** Schemas of PostgreSQL. Only an empty one can be dropped, so nothing is lost with it. */
export const sqlSchema: RegisterKind<SchemaState> = {
  kind: "sql_schema",
  read: (registers, reader) =>
    Promise.all(
      registers.map(async (register): Promise<SchemaState> => {
        const text = "SELECT pg_get_userbyid(nspowner)::text AS owner FROM pg_catalog.pg_namespace WHERE nspname = $1";
        const [row] = (await ask(register, reader, text, [nameOf(register)])) ?? [];
        return row === undefined ? { is: "absent" } : { is: "schema", owner: String(row.owner) };
      }),
    ),
  transition(register, from, to) {
    const name = quoteIdentifier("postgresql", nameOf(register));
    if (to.is === "absent") return from.is === "absent" ? [] : ddl(register, [`DROP SCHEMA ${name} RESTRICT`]);
    const owner = to.owner === undefined ? "" : quoteIdentifier("postgresql", to.owner);
    if (from.is === "absent") return ddl(register, [`CREATE SCHEMA ${name}${owner === "" ? "" : ` AUTHORIZATION ${owner}`}`]);
    return ddl(register, owner !== "" && to.owner !== from.owner ? [`ALTER SCHEMA ${name} OWNER TO ${owner}`] : []);
  },
  origin: originOfDatabase,
  quiet: quietDatabase,
};

/** Extensions of PostgreSQL. */
export const sqlExtension: RegisterKind<ExtensionState> = {
  kind: "sql_extension",
  read: (registers, reader) =>
    Promise.all(
      registers.map(async (register): Promise<ExtensionState> => {
        const text =
          "SELECT e.extversion::text AS version, n.nspname::text AS schema FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = $1";
        const [row] = (await ask(register, reader, text, [nameOf(register)])) ?? [];
        return row === undefined ? { is: "absent" } : { is: "extension", version: String(row.version), schema: String(row.schema) };
      }),
    ),
  transition(register, from, to) {
    const name = quoteIdentifier("postgresql", nameOf(register));
    if (to.is === "absent") return from.is === "absent" ? [] : ddl(register, [`DROP EXTENSION ${name} RESTRICT`]);
    const version = to.version === undefined ? "" : quoteText("postgresql", to.version);
    const schema = to.schema === undefined ? "" : quoteIdentifier("postgresql", to.schema);
    if (from.is === "absent")
      return ddl(register, [
        `CREATE EXTENSION ${name}${schema === "" ? "" : ` SCHEMA ${schema}`}${version === "" ? "" : ` VERSION ${version}`}`,
      ]);
    return ddl(register, [
      ...(version !== "" && to.version !== from.version ? [`ALTER EXTENSION ${name} UPDATE TO ${version}`] : []),
      ...(schema !== "" && to.schema !== from.schema ? [`ALTER EXTENSION ${name} SET SCHEMA ${schema}`] : []),
    ]);
  },
  // Few extensions have a way back from a version.
  label: (_register, from, to): Label =>
    from.is === "extension" && to.is === "extension" && to.version !== undefined && from.version !== to.version ? "irreversible" : "exact",
  origin: originOfDatabase,
  quiet: quietDatabase,
};

const goalsOf = (kind: string, is: string): readonly Goal[] =>
  [
    {
      kind,
      name: "present",
      converge: (now: SchemaState, want: JsonObject) => (now.is === "absent" ? { is, ...want } : { ...now, ...want }),
    },
    { kind, name: "absent", converge: () => ({ is: "absent" }) },
  ] as unknown as readonly Goal[];

export const schemaGoals: readonly Goal[] = [...goalsOf("sql_schema", "schema"), ...goalsOf("sql_extension", "extension")];

export function namedRegister(kind: "sql_schema" | "sql_extension", about: Named): Register & { readonly about: JsonObject } {
  return sqlRegister(kind, about.name, about as unknown as Named & JsonObject);
}

function nameOf(register: Register): string {
  return (register.about as unknown as Named).name;
}

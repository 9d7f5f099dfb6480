import { type Goal, type JsonObject, quoteName, type Reader, type Register, type RegisterKind, sameJson } from "../../core/index.ts";
import { ask, originOfDatabase, placeOf, quietDatabase, quoteAccount, type SqlAbout, sqlRegister } from "./common.ts";
import { ddl } from "./ddl.ts";

/** What a role may do with one thing, in alphabetical order. */
export type GrantState = { readonly is: "grants"; readonly privileges: readonly string[] };

export type GrantOn = { readonly is: "table" | "schema" | "database"; readonly name: string };
export type GrantAbout = SqlAbout & { readonly role: string; readonly host?: string; readonly on: GrantOn };

/** All that there is of PostgreSQL's privileges; MariaDB's ALL changes with its version. */
const ALL: { readonly [on in GrantOn["is"]]: readonly string[] } = {
  table: ["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"],
  schema: ["CREATE", "USAGE"],
  database: ["CONNECT", "CREATE", "TEMPORARY"],
};

const ACL: { readonly [on in GrantOn["is"]]: string } = {
  table: "SELECT coalesce(relacl, acldefault('r', relowner)) AS acl FROM pg_catalog.pg_class WHERE oid = to_regclass($1)",
  schema: "SELECT coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM pg_catalog.pg_namespace WHERE nspname = $1",
  database: "SELECT coalesce(datacl, acldefault('d', datdba)) AS acl FROM pg_catalog.pg_database WHERE datname = $1",
};

/** Privileges of roles. */
export const sqlGrant: RegisterKind<GrantState> = {
  kind: "sql_grant",
  read: (registers, reader) => Promise.all(registers.map((register) => readOne(register, reader))),
  transition(register, from, to) {
    const on = onWhat(register);
    const role = quotedRole(register);
    const given = to.privileges.filter((one) => !from.privileges.includes(one));
    const taken = from.privileges.filter((one) => !to.privileges.includes(one));
    return ddl(register, [
      ...(given.length > 0 ? [`GRANT ${given.join(", ")} ON ${on} TO ${role}`] : []),
      ...(taken.length > 0 ? [`REVOKE ${taken.join(", ")} ON ${on} FROM ${role}`] : []),
    ]);
  },
  origin: originOfDatabase,
  quiet: quietDatabase,
};

const goalOf = (name: string, fold: (now: readonly string[], want: readonly string[]) => readonly string[]): Goal =>
  ({
    kind: "sql_grant",
    name,
    converge(now: GrantState, want: { readonly privileges: readonly string[] }): GrantState {
      const privileges = [...new Set(fold(now.privileges, want.privileges))].sort();
      return sameJson(privileges, now.privileges) ? now : { is: "grants", privileges };
    },
  }) as unknown as Goal;

export const grantGoals: readonly Goal[] = [
  goalOf("granted", (now, want) => [...now, ...want]),
  goalOf("exactly", (_now, want) => want),
  goalOf("revoked", (now, want) => now.filter((one) => !want.includes(one))),
];

/** What is meant by privileges as a playbook has them. */
export function privilegesOf(on: GrantOn["is"], words: readonly string[]): readonly string[] {
  const plain = words.map((word) =>
    word
      .trim()
      .toUpperCase()
      .replace(/\s+/g, " ")
      .replace(/^TEMP$/, "TEMPORARY"),
  );
  return [...new Set(plain.flatMap((word) => (/^ALL(?: PRIVILEGES)?$/.test(word) ? ALL[on] : [word])))].sort();
}

export function grantRegister(about: GrantAbout): Register & { readonly about: JsonObject } {
  const { role, host, on } = about;
  return sqlRegister(
    "sql_grant",
    `${role}${host === undefined ? "" : `@${host}`}/${on.is}=${on.name}`,
    about as unknown as GrantAbout & JsonObject,
  );
}

function aboutOf(register: Register): GrantAbout {
  return register.about as unknown as GrantAbout;
}

function quotedRole(register: Register): string {
  const { role, host, url } = aboutOf(register);
  const { dialect } = placeOf(url);
  return dialect === "postgresql" && role.toLowerCase() === "public" ? "PUBLIC" : quoteAccount(dialect, role, host);
}

function onWhat(register: Register): string {
  const { on, url } = aboutOf(register);
  const { dialect, database } = placeOf(url);
  if (dialect === "mariadb") {
    if (on.is !== "table") return `${quoteName(dialect, on.name)}.*`;
    return quoteName(dialect, on.name.includes(".") ? on.name : `${database}.${on.name}`);
  }
  return `${on.is.toUpperCase()} ${quoteName(dialect, on.name)}`;
}

async function readOne(register: Register, reader: Reader): Promise<GrantState> {
  const { role, host = "%", on, url } = aboutOf(register);
  const { dialect, database } = placeOf(url);
  if (dialect === "mariadb") {
    const [table = "", schema = database] = on.name.split(".").reverse();
    const grantee = `'${role}'@'${host}'`;
    const rows =
      on.is === "table"
        ? await ask(
            register,
            reader,
            "SELECT privilege_type AS one FROM information_schema.table_privileges WHERE grantee = ? AND table_schema = ? AND table_name = ?",
            [grantee, schema, table],
          )
        : await ask(
            register,
            reader,
            "SELECT privilege_type AS one FROM information_schema.schema_privileges WHERE grantee = ? AND table_schema = ?",
            [grantee, on.name],
          );
    return stateOf(rows);
  }
  const name = on.is === "table" ? quoteName(dialect, on.name) : on.name;
  const who = role.toLowerCase() === "public" ? "a.grantee = 0 AND $2 <> ''" : "pg_get_userbyid(a.grantee) = $2";
  return stateOf(
    await ask(
      register,
      reader,
      `SELECT DISTINCT a.privilege_type AS one FROM (${ACL[on.is]}) o, LATERAL aclexplode(o.acl) a WHERE ${who}`,
      [name, role],
    ),
  );
}

function stateOf(rows: readonly JsonObject[] | undefined): GrantState {
  return { is: "grants", privileges: [...new Set((rows ?? []).map((row) => String(row.one)))].sort() };
}

import {
  type Digest,
  type Goal,
  type JsonObject,
  type Label,
  quoteIdentifier,
  quoteText,
  type Reader,
  type Register,
  type RegisterKind,
  type SqlDialect,
  type SqlStatement,
  SystemFault,
  sameJson,
  type View,
} from "../../core/index.ts";
import { ask, originOfDatabase, placeOf, quietDatabase, quoteAccount, type SqlAbout, sqlRegister } from "./common.ts";
import { ddl } from "./ddl.ts";
import { hashOf, isHashOf } from "./password.ts";

/** A role of PostgreSQL or an account of MariaDB. `password` is the content with its hash; left out where it may not be read. */
export type RoleState =
  | { readonly is: "absent" }
  | ({ readonly is: "role"; readonly password?: Digest; readonly member_of: readonly string[] } & {
      readonly [option in Option]?: boolean;
    } & {
      readonly connection_limit?: number;
      readonly valid_until?: string | null;
    });

export type RoleAbout = SqlAbout & { readonly name: string; readonly host?: string };

type Role = RoleState & { readonly is: "role" };
type Option = (typeof OPTIONS)[number];

/** What a role of PostgreSQL may, each a word that NO goes before. */
export const OPTIONS = ["login", "superuser", "createdb", "createrole", "inherit", "replication", "bypassrls"] as const;

const ROLE = `SELECT rolcanlogin AS login, rolsuper AS superuser, rolcreatedb AS createdb, rolcreaterole AS createrole, rolinherit AS inherit,
  rolreplication AS replication, rolbypassrls AS bypassrls, rolconnlimit AS connection_limit, rolvaliduntil::text AS valid_until,
  (SELECT coalesce(json_agg(g.rolname ORDER BY g.rolname), '[]') FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS member_of
  FROM pg_catalog.pg_roles r WHERE rolname = $1`;

/** Roles and accounts. */
export const sqlRole: RegisterKind<RoleState> = {
  kind: "sql_role",
  read: (registers, reader) =>
    Promise.all(
      registers.map((register) => (dialectOf(register) === "mariadb" ? readAccount(register, reader) : readRole(register, reader))),
    ),

  transition(register, from, to) {
    const name = quotedRole(register);
    const isAccount = dialectOf(register) === "mariadb";
    if (to.is === "absent") return from.is === "absent" ? [] : ddl(register, [`DROP ${isAccount ? "USER" : "ROLE"} ${name}`]);
    const options = isAccount ? "" : optionsOf(from, to);
    const statements: (string | SqlStatement)[] = [];
    if (from.is === "absent" && isAccount)
      statements.push(
        to.password === undefined ? `CREATE USER ${name}` : { text: `CREATE USER ${name} IDENTIFIED BY PASSWORD `, literal: to.password },
      );
    else if (from.is === "absent") statements.push(`CREATE ROLE ${name}${options}`);
    else if (options !== "") statements.push(`ALTER ROLE ${name}${options}`);
    const hasNew = to.password !== undefined && (from.is === "absent" || from.password !== to.password);
    if (hasNew && !(isAccount && from.is === "absent"))
      statements.push({
        text: isAccount ? `ALTER USER ${name} IDENTIFIED BY PASSWORD ` : `ALTER ROLE ${name} PASSWORD `,
        literal: to.password as Digest,
      });
    const had = from.is === "role" ? from.member_of : [];
    const one = (role: string) => quoteIdentifier("postgresql", role);
    for (const role of to.member_of) if (!had.includes(role)) statements.push(`GRANT ${one(role)} TO ${name}`);
    for (const role of had) if (!to.member_of.includes(role)) statements.push(`REVOKE ${one(role)} FROM ${name}`);
    return ddl(register, statements);
  },

  // What it was granted comes back by its own resources.
  label: (_register, from, to): Label => (from.is === "role" && to.is === "absent" ? "compensated" : "exact"),
  contents: (state) => (state.is === "role" && state.password !== undefined ? [state.password] : []),
  private: () => true,
  origin: originOfDatabase,
  quiet: quietDatabase,
};

type RoleWant = {
  readonly options: JsonObject;
  readonly password?: string;
  readonly member_of?: readonly string[];
  readonly dialect: SqlDialect;
};

const present = {
  kind: "sql_role",
  name: "present",
  converge(now: RoleState, want: RoleWant, view: View): RoleState {
    const held: Role = now.is === "absent" ? { is: "role", member_of: [] } : now;
    const member_of = [...new Set([...held.member_of, ...(want.member_of ?? [])])].sort();
    const password = want.password === undefined ? undefined : passwordOf(now, want, want.password, view);
    const after = { ...held, ...want.options, member_of, ...(password !== undefined && { password }) } as Role;
    return sameJson(after as JsonObject, now as JsonObject) ? now : after;
  },
} as unknown as Goal;

const absent = { kind: "sql_role", name: "absent", converge: (): RoleState => ({ is: "absent" }) } as unknown as Goal;

export const roleGoals: readonly Goal[] = [present, absent];

export function roleRegister(about: RoleAbout): Register & { readonly about: JsonObject } {
  const { origin } = placeOf(about.url);
  return {
    ...sqlRegister("sql_role", "", about as unknown as RoleAbout & JsonObject),
    key: `${origin}/${about.name}${about.host === undefined ? "" : `@${about.host}`}`,
  };
}

/** The content with the hash of a password; the one that is there, where it is of this password. */
function passwordOf(now: RoleState, { dialect }: RoleWant, password: string, view: View): Digest | undefined {
  const held = now.is === "role" ? now.password : undefined;
  // Where no hash may be read a password is set when the role is made, and then left alone.
  if (held === undefined && now.is === "role") return undefined;
  if (held !== undefined && isHashOf(dialect, view.contents.text(held), password)) return held;
  // The fingerprint has the state directory's key in it: nobody else can make it from a guess of the password.
  const print = view.fingerprint(view.contents.put(`setpoint/password/1:${password}`));
  return view.contents.put(hashOf(dialect, password, Buffer.from(print.slice("keyed:".length, "keyed:".length + 32), "hex")));
}

function dialectOf(register: Register): SqlDialect {
  return placeOf(aboutOf(register).url).dialect;
}

function aboutOf(register: Register): RoleAbout {
  return register.about as unknown as RoleAbout;
}

function quotedRole(register: Register): string {
  const { name, host } = aboutOf(register);
  return quoteAccount(dialectOf(register), name, host);
}

function optionsOf(from: RoleState, to: Role): string {
  const held: JsonObject = from.is === "role" ? (from as unknown as JsonObject) : {};
  const words = OPTIONS.flatMap((option) => {
    const value = to[option];
    return value === undefined || value === held[option] ? [] : [`${value ? "" : "NO"}${option.toUpperCase()}`];
  });
  if (to.connection_limit !== undefined && to.connection_limit !== held.connection_limit)
    words.push(`CONNECTION LIMIT ${to.connection_limit}`);
  if (to.valid_until !== undefined && to.valid_until !== (held.valid_until ?? null))
    words.push(`VALID UNTIL ${quoteText("postgresql", to.valid_until ?? "infinity")}`);
  return words.length === 0 ? "" : ` WITH ${words.join(" ")}`;
}

async function readRole(register: Register, reader: Reader): Promise<RoleState> {
  const { name } = aboutOf(register);
  const [row] = (await ask(register, reader, ROLE, [name])) ?? [];
  if (row === undefined) return { is: "absent" };
  const hash = await hashIn(register, reader, "SELECT coalesce(rolpassword, '') AS hash FROM pg_catalog.pg_authid WHERE rolname = $1", [
    name,
  ]);
  const { valid_until, ...rest } = row;
  return {
    is: "role",
    ...rest,
    valid_until: valid_until === "infinity" || valid_until === null ? null : valid_until,
    ...(hash !== undefined && { password: reader.contents.put(hash) }),
  } as unknown as RoleState;
}

async function readAccount(register: Register, reader: Reader): Promise<RoleState> {
  const { name, host = "%" } = aboutOf(register);
  const [row] = (await ask(register, reader, "SELECT 1 AS there FROM mysql.user WHERE user = ? AND host = ?", [name, host])) ?? [];
  if (row === undefined) return { is: "absent" };
  const hash = await hashIn(register, reader, "SELECT authentication_string AS hash FROM mysql.user WHERE user = ? AND host = ?", [
    name,
    host,
  ]);
  return { is: "role", member_of: [], ...(hash !== undefined && { password: reader.contents.put(hash) }) };
}

/** Hashes are for superusers alone. */
async function hashIn(register: Register, reader: Reader, text: string, values: readonly string[]): Promise<string | undefined> {
  try {
    const [row] = (await ask(register, reader, text, values)) ?? [];
    return row === undefined ? undefined : String(row.hash ?? "");
  } catch (thrown) {
    if (thrown instanceof SystemFault && (thrown.code === "42501" || thrown.code === "42000")) return undefined;
    throw thrown;
  }
}

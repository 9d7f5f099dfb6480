import { fields, given, type JsonObject, resourceType, sqlPlace } from "../core/index.ts";
import { roleRegister, sqlRoleOptions } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, refuseDialect, sqlAbout } from "./sql-fields.ts";

const { boolean, choice, integer, listOf, text } = fields;

const may = (about: string) => boolean(`PostgreSQL: ${about}`).optional();

/** A role or an account. */
export const sqlRole = resourceType({
  type: "sql_role",
  summary: "A role of PostgreSQL, or an account of MariaDB.",
  notes: [
    "A password reaches the server as its hash (SCRAM-SHA-256, or MariaDB's native one), never in a statement; whether it is the right one is seen from the hash that the",
    "server has. Where the user may not read hashes (only superusers of PostgreSQL may) a password is set when the role is made, and then left alone. The hash from before is kept",
    "encrypted in the state directory, so that a revert sets it again.",
  ].join("\n"),
  example: [
    "- sql_role: app",
    "  database: postgresql://postgres@db.example.com/postgres",
    "  login: true",
    "  password: t0ps3cret",
    "  member_of: [ readers ]",
  ].join("\n"),
  fields: {
    sql_role: plainName("Its name."),
    database: databaseField,
    state: choice(["present", "absent"], "Whether it is there.").or("present"),
    host: text("MariaDB: the hosts that it connects from; left out: `%`, all.").optional(),
    password: text("Its password, from a secret input.").optional(),
    login: may("whether it may log in."),
    superuser: may("whether it may do anything."),
    createdb: may("whether it may make databases."),
    createrole: may("whether it may make roles."),
    inherit: may("whether it has the privileges of the roles that it is a member of."),
    replication: may("whether it may replicate."),
    bypassrls: may("whether row-level security does not hold for it."),
    connection_limit: integer("PostgreSQL: most connections at the same time; -1: any number.", { minimum: -1 }).optional(),
    valid_until: text("PostgreSQL: when its password ends.").optional(),
    member_of: listOf(plainName("A role."), "PostgreSQL: roles that it is a member of; others are left alone.").optional(),
  },
  check(spec, report) {
    refuseDialect(spec.database, ["sqlite"], "SQLite has no accounts", report);
    const own = [...sqlRoleOptions, "connection_limit", "valid_until", "member_of"].find(
      (name) => (spec as JsonObject)[name] !== undefined,
    );
    if (own !== undefined) refuseDialect(spec.database, ["mariadb"], `MariaDB has no \`${own}\`: use \`sql_grant\``, report);
    if (spec.host !== undefined)
      refuseDialect(spec.database, ["postgresql"], "roles of PostgreSQL have no host: it is in pg_hba.conf", report);
  },
  settings(spec, world) {
    const { host, password, member_of } = spec;
    const about = { ...sqlAbout(spec.database, world), name: spec.sql_role, ...given({ host }) };
    const common = { register: roleRegister(about), ...mannerOf(world) };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const names = [...sqlRoleOptions, "connection_limit", "valid_until"] as const;
    const options = given(Object.fromEntries(names.map((name) => [name, spec[name]]))) as JsonObject;
    const dialect = sqlPlace(spec.database)?.dialect ?? "postgresql";
    const more = given({ password, member_of: member_of && [...member_of] }) as JsonObject;
    return [
      { ...common, goal: "present", want: { options, dialect, ...more }, aspects: ["exists", ...Object.keys({ ...options, ...more })] },
    ];
  },
});

import { fields, given, isObject, type JsonObject, resourceType, sqlPlace } from "../core/index.ts";
import { type GrantOn, grantRegister, privilegesOf } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, qualifiedName, refuseDialect, sqlAbout } from "./sql-fields.ts";

const { boolean, choice, listOf, mapping, text } = fields;

/** Privileges of a role. */
export const sqlGrant = resourceType({
  type: "sql_grant",
  summary: "What a role of PostgreSQL or an account of MariaDB may do with a table, a schema or a database.",
  notes: "Privileges that are not named are left alone, unless `exact: true` takes them away.",
  example: [
    "- sql_grant: app",
    "  database: postgresql://postgres@db.example.com/shop",
    "  on: { table: app.users }",
    "  privileges: [ SELECT, INSERT, UPDATE ]",
  ].join("\n"),
  fields: {
    sql_grant: plainName("The role; `public`: everybody, in PostgreSQL."),
    database: databaseField,
    host: text("MariaDB: the host of the account; left out: `%`.").optional(),
    on: mapping(
      {
        table: qualifiedName("A table, as `name` or `schema.name`.").optional(),
        schema: plainName("PostgreSQL: a schema.").optional(),
        database: plainName("A database of the server.").optional(),
      },
      "One of `table`, `schema` and `database`.",
    ),
    privileges: listOf(text("A privilege."), "Their names, such as SELECT; `ALL` in PostgreSQL."),
    exact: boolean("Takes away all others.").or(false),
    state: choice(["present", "absent"], "Whether it has them.").or("present"),
  },
  tag: (spec) => {
    const on = onOf(spec.on as JsonObject);
    return on === undefined ? "" : `${on.is}=${on.name}`;
  },
  check(spec, report) {
    refuseDialect(spec.database, ["sqlite"], "SQLite has no accounts", report);
    const on = onOf(spec.on as JsonObject);
    if (on === undefined)
      return report({
        code: "sql-grant-on",
        summary: "privileges are on one thing",
        detail: "give exactly one of `table`, `schema` and `database`",
        field: ["on"],
      });
    if (on.is === "schema") refuseDialect(spec.database, ["mariadb"], "in MariaDB a schema is a database: `on: { database: … }`", report);
    const wrong = spec.privileges.findIndex((word) => !/^[A-Za-z][A-Za-z ]*$/.test(word));
    if (wrong >= 0)
      report({
        code: "sql-privilege",
        summary: "not a privilege",
        detail: `${JSON.stringify(spec.privileges[wrong])} is none: they are words such as SELECT`,
        field: ["privileges", wrong],
      });
    const all = spec.privileges.findIndex((word) => /^all\b/i.test(word));
    if (all >= 0 && sqlPlace(spec.database)?.dialect === "mariadb")
      report({
        code: "sql-privilege",
        summary: "not a privilege",
        detail: "what ALL means changes with MariaDB's version: name the privileges",
        field: ["privileges", all],
      });
  },
  settings(spec, world) {
    const on = onOf(spec.on as JsonObject) as GrantOn;
    const about = { ...sqlAbout(spec.database, world), role: spec.sql_grant, on, ...given({ host: spec.host }) };
    const goal = spec.state === "absent" ? "revoked" : spec.exact ? "exactly" : "granted";
    const privileges = [...privilegesOf(on.is, spec.privileges)];
    return [
      {
        register: grantRegister(about),
        goal,
        want: { privileges },
        aspects: spec.state === "absent" ? [] : privileges.map((one) => `privilege ${one}`),
        ...mannerOf(world),
      },
    ];
  },
});

function onOf(on: JsonObject | undefined): GrantOn | undefined {
  if (!isObject(on)) return undefined;
  const named = (["table", "schema", "database"] as const).flatMap((is) =>
    typeof on[is] === "string" ? [{ is, name: on[is] as string }] : [],
  );
  return named.length === 1 ? named[0] : undefined;
}

import { fields, given, type JsonObject, resourceType } from "../core/index.ts";
import { databaseRegister } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, refuseDialect, sqlAbout } from "./sql-fields.ts";

const { choice, text } = fields;

/** A database of a server. */
export const sqlDatabase = resourceType({
  type: "sql_database",
  summary: "A database of a PostgreSQL or MariaDB server.",
  notes: [
    "`database` is one that is there already, such as `postgres` or `mysql`: what is done is done from there. Taking a database away is irreversible, and has to be allowed",
    "with `undo: none`; a revert takes away one that was made only as long as it holds no tables.",
  ].join("\n"),
  example: "- sql_database: shop\n  database: postgresql://postgres@db.example.com/postgres\n  owner: app\n  encoding: UTF8",
  fields: {
    sql_database: plainName("Its name."),
    database: databaseField,
    state: choice(["present", "absent"], "Whether it is there.").or("present"),
    owner: plainName("PostgreSQL: the role that owns it.").optional(),
    encoding: text("Its encoding: PostgreSQL sets it only when a database is made.").optional(),
    collation: text("Its collation, as the server names it.").optional(),
  },
  check(spec, report) {
    refuseDialect(spec.database, ["sqlite"], "a database of SQLite is its file, and is made when it is first written to", report);
    if (spec.owner !== undefined)
      refuseDialect(spec.database, ["mariadb"], "databases of MariaDB have no owner: leave `owner` out", report);
  },
  settings(spec, world) {
    const { owner, encoding, collation } = spec;
    const common = { register: databaseRegister({ ...sqlAbout(spec.database, world), name: spec.sql_database }), ...mannerOf(world) };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const want = given({ owner, encoding, collation }) as JsonObject;
    return [{ ...common, goal: "present", want, aspects: ["exists", ...Object.keys(want)] }];
  },
});

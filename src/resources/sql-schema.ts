import { fields, given, type JsonObject, resourceType } from "../core/index.ts";
import { namedRegister } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, refuseDialect, sqlAbout } from "./sql-fields.ts";

const { choice } = fields;

/** A schema. */
export const sqlSchema = resourceType({
  type: "sql_schema",
  summary: "A schema of a PostgreSQL database.",
  notes: "Only an empty schema is taken away.",
  example: "- sql_schema: app\n  database: postgresql://postgres@db.example.com/shop\n  owner: app",
  fields: {
    sql_schema: plainName("Its name."),
    database: databaseField,
    state: choice(["present", "absent"], "Whether it is there.").or("present"),
    owner: plainName("The role that owns it.").optional(),
  },
  check: (spec, report) =>
    refuseDialect(
      spec.database,
      ["mariadb", "sqlite"],
      "only PostgreSQL has schemas within a database; in MariaDB a schema is a database: `sql_database`",
      report,
    ),
  settings(spec, world) {
    const common = {
      register: namedRegister("sql_schema", { ...sqlAbout(spec.database, world), name: spec.sql_schema }),
      ...mannerOf(world),
    };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const want = given({ owner: spec.owner }) as JsonObject;
    return [{ ...common, goal: "present", want, aspects: ["exists", ...Object.keys(want)] }];
  },
});

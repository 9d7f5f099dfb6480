import { fields, given, type JsonObject, resourceType } from "../core/index.ts";
import { namedRegister } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, refuseDialect, sqlAbout } from "./sql-fields.ts";

const { choice, text } = fields;

/** An extension. */
export const sqlExtension = resourceType({
  type: "sql_extension",
  summary: "An extension of a PostgreSQL database.",
  notes:
    "One that something depends on is not taken away. Another version is irreversible, as few extensions have a way back: allow it with `undo: none`.",
  example: "- sql_extension: pgcrypto\n  database: postgresql://postgres@db.example.com/shop",
  fields: {
    sql_extension: plainName("Its name."),
    database: databaseField,
    state: choice(["present", "absent"], "Whether it is there.").or("present"),
    version: text("Its version; left out: the server's default when it is made, and then left alone.").optional(),
    schema: plainName("The schema that its objects are in.").optional(),
  },
  check: (spec, report) => refuseDialect(spec.database, ["mariadb", "sqlite"], "only PostgreSQL has extensions", report),
  settings(spec, world) {
    const common = {
      register: namedRegister("sql_extension", { ...sqlAbout(spec.database, world), name: spec.sql_extension }),
      ...mannerOf(world),
    };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const want = given({ version: spec.version, schema: spec.schema }) as JsonObject;
    return [{ ...common, goal: "present", want, aspects: ["exists", ...Object.keys(want)] }];
  },
});

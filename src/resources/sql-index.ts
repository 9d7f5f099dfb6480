import { fields, given, resourceType } from "../core/index.ts";
import { indexRegister } from "../registers/index.ts";
import { databaseField, mannerOf, plainName, qualifiedName, refuseDialect, sqlAbout } from "./sql-fields.ts";

const { boolean, choice, listOf, text } = fields;

/** An index. */
export const sqlIndex = resourceType({
  type: "sql_index",
  summary: "An index of a table.",
  notes: [
    "An index with other columns is dropped and made anew. `concurrently` makes it in PostgreSQL without locking out writers; such an index that was interrupted is",
    "found broken, and made anew. `where` and `method` count when it is made, and are not compared.",
  ].join("\n"),
  example: [
    "- sql_index: users_email",
    "  database: postgresql://app@db.example.com/shop",
    "  table: app.users",
    "  columns: [ email ]",
    "  unique: true",
    "  concurrently: true",
  ].join("\n"),
  fields: {
    sql_index: plainName("Its name."),
    database: databaseField,
    table: qualifiedName("Its table, as `name` or `schema.name`."),
    columns: listOf(plainName("A column."), "Its columns.").optional(),
    unique: boolean("Whether no two rows may have the same values.").or(false),
    method: plainName("Its method, such as `gin`.").optional(),
    where: text("A condition, as SQL: only its rows are in the index.").optional(),
    concurrently: boolean("PostgreSQL: makes and drops it while others write.").or(false),
    state: choice(["present", "absent"], "Whether it is there.").or("present"),
  },
  check(spec, report) {
    if (spec.state === "present" && (spec.columns ?? []).length === 0)
      report({
        code: "sql-index-columns",
        summary: "an index without columns",
        detail: "name them: `columns: [ email ]`",
        field: ["columns"],
      });
    if (spec.where !== undefined)
      refuseDialect(spec.database, ["mariadb"], "indexes of MariaDB have no condition: leave `where` out", report);
  },
  settings(spec, world) {
    const { sql_index: name, table, method, where, concurrently } = spec;
    const about = {
      ...sqlAbout(spec.database, world),
      name,
      table,
      ...given({ method, where }),
      ...(concurrently && { concurrently: true as const }),
    };
    const common = { register: indexRegister(about), ...mannerOf(world) };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    return [
      {
        ...common,
        goal: "present",
        want: { columns: [...(spec.columns ?? [])], unique: spec.unique },
        aspects: ["exists", "columns", "unique"],
      },
    ];
  },
});

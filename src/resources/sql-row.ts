import { fields, given, type JsonObject, resourceType, type Setting } from "../core/index.ts";
import { rowRegister, rowTag } from "../registers/index.ts";
import { databaseField, mannerOf, plain, qualifiedName, sqlAbout } from "./sql-fields.ts";

const { anything, boolean, choice, mapOf } = fields;

/** A row of a table. */
export const sqlRow = resourceType({
  type: "sql_row",
  summary: "A row of a table in PostgreSQL, MariaDB, MySQL or SQLite.",
  notes: [
    "The row with the key `key` is read, and the columns in `set` are compared; other columns are left alone. Each change is one transaction, together with",
    "its receipt: the row is locked, compared with what the plan saw, and changed; a row that somebody else changed in between is a conflict, never overwritten.",
    "A value is compared in the form of its column's type, so `10.50` is `10.5` for a decimal. A revert sets the values from before, takes a row away that was made, and makes",
    "one again that was taken away, with all its columns. The transaction leaves a line in the table `setpoint_receipts`, made where it is first needed.",
  ].join("\n"),
  example: [
    "- sql_row: users",
    "  database: postgresql://app@db.example.com/shop",
    "  key: { id: 5 }",
    "  set: { status: inactive }",
    "  expect: { status: active }",
    "- sql_row: app.settings",
    "  database: mariadb://app@db.example.com/shop",
    "  key: { name: banner }",
    "  state: absent",
  ].join("\n"),
  fields: {
    sql_row: qualifiedName("The table, as `name` or `schema.name`."),
    database: databaseField,
    key: mapOf(anything("A value."), "The columns and values that find the row; they must find one row at most."),
    set: mapOf(
      anything("A value."),
      "The columns that are set. A map or a list is for a column of JSON, a list also for an array.",
    ).optional(),
    state: choice(["present", "absent"], "Whether the row is there.").or("present"),
    expect: mapOf(
      anything("A value."),
      "Values that the row must have where `set` would change something; else nothing is changed.",
    ).optional(),
    upsert: boolean("False: a row that is not there is an error, rather than made.").or(true),
  },
  tag: (spec) => rowTag(spec.key as JsonObject),

  check(spec, report) {
    const keys = Object.entries(spec.key);
    if (keys.length === 0)
      report({
        code: "sql-row-without-key",
        summary: "a row without a key",
        detail: "name the columns that find it: `key: { id: 5 }`",
        field: ["key"],
      });
    for (const [name, value] of keys)
      if (value === null || typeof value === "object")
        report({
          code: "sql-row-key",
          summary: "not a value of a key",
          detail: `${name} must be a text, a number, true or false: nothing is equal to null`,
          field: ["key", name],
        });
    if (spec.state === "absent" && spec.set !== undefined)
      report({
        code: "sql-row-absent-set",
        summary: "a row that is not to be has values",
        detail: "`state: absent` takes it away, whatever it has: leave `set` out",
        field: ["set"],
      });
    for (const name of Object.keys(spec.set ?? {}))
      if (name in spec.key)
        report({
          code: "sql-row-set-key",
          summary: "a key is set",
          detail: `${name} finds the row and cannot be set too`,
          field: ["set", name],
        });
  },

  settings(spec, world): readonly Setting[] {
    const set = plain((spec.set ?? {}) as JsonObject);
    const isAbsent = spec.state === "absent";
    const about = {
      ...sqlAbout(spec.database, world),
      table: spec.sql_row,
      key: plain(spec.key as JsonObject),
      ...(!isAbsent && { columns: Object.keys(set).sort() }),
    };
    const common = { register: rowRegister(about), ...mannerOf(world) };
    if (isAbsent) return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const want = given({
      values: set,
      expect: spec.expect && plain(spec.expect as JsonObject),
      must_exist: spec.upsert ? undefined : true,
    });
    return [{ ...common, goal: "row", want: want as JsonObject, aspects: ["exists", ...Object.keys(set).map((name) => `column ${name}`)] }];
  },
});

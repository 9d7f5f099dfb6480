import { fields, isObject, type Json, type JsonObject, resourceType, type SqlDialect, sqlPlace } from "../core/index.ts";
import { type ColumnWant, defaultForm, defaultSql, tableRegister, typeForm } from "../registers/index.ts";
import { databaseField, mannerOf, plain, plainName, qualifiedName, sqlAbout } from "./sql-fields.ts";

const { anything, boolean, choice, eitherOf, field, listOf, mapOf, mapping } = fields;

/** A type is part of the statement: nothing else may be in it. */
const columnType = field<string>("Its type, such as `varchar(40)`.", { type: "string" }, (value) => {
  if (typeof value !== "string")
    return fields.issue("wrong type", `this must be a type such as varchar(40), not ${fields.showValue(value)}`);
  const words = /^[A-Za-z][A-Za-z0-9_ ]*(?:\.[A-Za-z][A-Za-z0-9_]*)?(?:\((?:[0-9, ]+|(?:'[^'\\]*'(?:, ?)?)+)\))?[A-Za-z ]*(?:\[\])*$/;
  return words.test(value) ? { ok: true, value } : fields.issue("not a type", `${fields.showValue(value)} is no name of a type`);
});

const column = eitherOf(
  columnType,
  mapping(
    {
      type: columnType,
      nullable: boolean("Whether it may be null; left out for a new column: true.").optional(),
      default: anything("Its default: a value, or `{ sql: now() }`; null: none.").optional(),
      identity: boolean("Whether the database counts it by itself; only when it is made.").optional(),
    },
    "A column.",
  ),
  "A type, or `{ type, nullable, default, identity }`.",
);

/** A table. */
export const sqlTable = resourceType({
  type: "sql_table",
  summary: "A table and its columns in PostgreSQL, MariaDB or SQLite.",
  notes: [
    "Columns that are missing are added, and those with another type, default or nullability are changed; others are left alone, unless `exact: true` drops them. What loses data",
    "(dropping a table or a column, a narrower type) is irreversible, and has to be allowed with `undo: none`. A revert takes away a table that was made only while it has no rows, and a",
    "column that was added only while it has no values. SQLite cannot change a column. Changes that move data are for `migration`.",
  ].join("\n"),
  example: [
    "- sql_table: app.users",
    "  database: postgresql://app@db.example.com/shop",
    "  columns:",
    "    id: { type: bigint, identity: true }",
    "    email: { type: varchar(200), nullable: false }",
    "    status: { type: text, nullable: false, default: active }",
    "    made: { type: timestamptz, default: { sql: now() } }",
    "  primary_key: [ id ]",
  ].join("\n"),
  fields: {
    sql_table: qualifiedName("The table, as `name` or `schema.name`."),
    database: databaseField,
    columns: mapOf(column, "Its columns, each a type or `{ type, nullable, default, identity }`.").optional(),
    primary_key: listOf(plainName("A column."), "The columns of its primary key.").optional(),
    exact: boolean("Drops columns that are not named.").or(false),
    state: choice(["present", "absent"], "Whether it is there.").or("present"),
  },
  check(spec, report) {
    const columns = Object.keys(spec.columns ?? {});
    if (spec.state === "present" && columns.length === 0)
      report({
        code: "sql-table-columns",
        summary: "a table without columns",
        detail: "name them: `columns: { id: bigint }`",
        field: ["columns"],
      });
    spec.primary_key?.forEach((name, index) => {
      if (!columns.includes(name))
        report({
          code: "unknown-field",
          summary: "a column that is not declared",
          detail: `\`columns\` has no ${name}`,
          field: ["primary_key", index],
        });
    });
    for (const [name, one] of Object.entries(spec.columns ?? {}))
      if (typeof one !== "string" && isObject(one.default ?? null) && typeof (one.default as JsonObject).sql !== "string")
        report({
          code: "sql-default",
          summary: "not a default",
          detail: `the default of ${name} is a value, or an expression as \`{ sql: now() }\``,
          field: ["columns", name, "default"],
        });
  },
  settings(spec, world) {
    const common = { register: tableRegister({ ...sqlAbout(spec.database, world), name: spec.sql_table }), ...mannerOf(world) };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const dialect = sqlPlace(spec.database)?.dialect ?? "postgresql";
    const columns = Object.fromEntries(Object.entries(spec.columns ?? {}).map(([name, one]) => [name, wanted(dialect, one)]));
    const want = { columns, ...(spec.primary_key && { primary_key: [...spec.primary_key] }), ...(spec.exact && { exact: true }) };
    return [
      {
        ...common,
        goal: "present",
        want: plain(want as JsonObject),
        aspects: ["exists", ...Object.keys(columns).map((name) => `column ${name}`)],
      },
    ];
  },
});

type Declared =
  | string
  | {
      readonly type: string;
      readonly nullable?: boolean | undefined;
      readonly default?: Json | undefined;
      readonly identity?: boolean | undefined;
    };

function wanted(dialect: SqlDialect, one: Declared): ColumnWant {
  const {
    type,
    nullable: canBeNull,
    default: value,
    identity,
  } = typeof one === "string" ? ({ type: one } as Exclude<Declared, string>) : one;
  return {
    type: typeForm(dialect, type),
    ...(canBeNull !== undefined && { null: canBeNull }),
    ...(value !== undefined && { default: defaultForm(defaultSql(dialect, value)) }),
    // SQLite counts every integer that is a primary key.
    ...(identity === true && dialect !== "sqlite" && { identity: true as const }),
    ...(identity === true && canBeNull === undefined && { null: false }),
  };
}

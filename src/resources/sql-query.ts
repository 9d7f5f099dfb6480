import {
  fields,
  given,
  type Json,
  type JsonObject,
  resourceType,
  type SqlOperation,
  type SqlStatement,
  sqlPlace,
  type World,
} from "../core/index.ts";
import { type EffectAbout, type EffectData, effectRegister, queryRegister } from "../registers/index.ts";
import { scalar } from "./command-form.ts";
import { databaseField, mannerOf, parameterField, plain, sqlAbout } from "./sql-fields.ts";

const { eitherOf, field, listOf, listOrOne, mapping, text } = fields;

const statement = eitherOf(
  text("A statement."),
  mapping(
    {
      text: text("The statement, with `$1`, `$2`, … (PostgreSQL) or `?` for its parameters."),
      values: listOf(parameterField, "The parameters."),
    },
    "A statement and its parameters.",
  ),
  "A statement, or `{ text, values }`.",
);
const statements = listOrOne(statement, "Statements.");

const undo = field<Json>(
  "Statements that take it back; `none`: leaving it behind is allowed.",
  { anyOf: [{ const: "none" }, statements.schema] },
  (value) => (value === "none" ? { ok: true, value } : (statements.check(value) as fields.Checked<Json>)),
);

/** Statements that are run once, or until a question finds rows. */
export const sqlQuery = resourceType({
  type: "sql_query",
  summary: "Statements that change a database, run once or until a question finds rows.",
  notes: [
    "All statements run in one transaction, together with a receipt (a line in the table `setpoint_receipts`). With `unless` they run whenever that question finds no rows,",
    "and it is asked once more within the transaction. Without it they run once: their receipt has a key that follows from the stack, the address and `occurrence` alone,",
    "so that a retry, a resume and an apply from another machine do nothing twice, also where the answer to COMMIT was lost. Values go in as parameters: never build a",
    "statement from them. MariaDB ends the transaction at statements such as CREATE TABLE: use `sql_table` or `migration` for those.",
  ].join("\n"),
  example: [
    "- sql_query: an administrator",
    "  database: postgresql://app@db.example.com/shop",
    "  unless: SELECT 1 FROM users WHERE role = 'admin'",
    "  run: { text: 'INSERT INTO users (name, role) VALUES ($1, $2)', values: [ ada, admin ] }",
    "  undo: DELETE FROM users WHERE name = 'ada'",
  ].join("\n"),
  fields: {
    sql_query: text("A label."),
    database: databaseField,
    run: listOrOne(statement, "The statement or statements, each a text or `{ text, values }`."),
    unless: eitherOf(
      text("A question."),
      mapping({ text: text("The question."), values: listOf(parameterField, "Its parameters.") }, "A question and its parameters."),
      "A question that finds rows once it is done; asked in a transaction that can only read.",
    ).optional(),
    occurrence: scalar("Without `unless`: another value runs it again on purpose.").or("0"),
    undo: undo.optional(),
  },

  check(spec, report) {
    if (spec.run.length === 0)
      report({ code: "sql-query-empty", summary: "nothing to run", detail: "`run` holds no statement", field: ["run"] });
    if (spec.unless !== undefined && spec.occurrence !== "0")
      report({
        code: "sql-query-occurrence",
        summary: "an occurrence beside a question",
        detail: "with `unless` the question alone says whether it is run: leave `occurrence` out",
        field: ["occurrence"],
      });
  },

  settings(spec, world) {
    const run = spec.run.map(statementOf);
    const takesBack = undoOf(spec.undo ?? world.declared.common.undo, world);
    const undone = takesBack === "none" || takesBack === undefined ? undefined : takesBack;
    const manner = takesBack === "none" ? { manner: { ...mannerOf(world).manner, undo: "none" as const } } : mannerOf(world);
    const about = sqlAbout(spec.database, world);
    if (spec.unless !== undefined)
      return [
        {
          register: queryRegister(world.declared.address, {
            ...about,
            run,
            unless: statementOf(spec.unless),
            ...(undone && { undo: undone }),
          }),
          goal: "settled",
          want: {},
          aspects: [],
          ...manner,
        },
      ];
    return [
      {
        register: effectRegister(effectAbout(spec, run, undone, world)),
        goal: "done",
        want: { payload: { run } as unknown as JsonObject },
        aspects: [],
        ...manner,
      },
    ];
  },
});

function effectAbout(
  { database, occurrence }: { readonly database: string; readonly occurrence: string },
  run: readonly SqlStatement[],
  undone: readonly SqlStatement[] | undefined,
  world: World,
): EffectAbout {
  const { declared, stack } = world;
  const lock = `${stack}/${declared.address}`;
  const { url, timeout } = sqlAbout(database, world);
  const operation: SqlOperation = { do: "sql", url, lock, statements: run, receipt: "effect", ...given({ timeout }) };
  return {
    stack,
    address: declared.address,
    occurrence,
    origin: sqlPlace(url)?.origin ?? "",
    effect: operation as unknown as EffectData,
    ...(undone && { undo: { ...operation, statements: undone, undo: true } as unknown as EffectData }),
    verify: { receipt: { url, lock } },
    in_doubt: declared.common.in_doubt ?? "ask",
  };
}

function statementOf(value: string | { readonly text: string; readonly values: readonly Json[] }): SqlStatement {
  return typeof value === "string" ? { text: value } : plain({ text: value.text, values: value.values as Json[] });
}

/** A declared undo; the playbook may hand it over unchecked, among the keys that every type takes. */
function undoOf(value: Json | undefined, world: World): readonly SqlStatement[] | "none" | undefined {
  if (value === undefined || value === "none") return value;
  const checked = statements.check(value);
  if (checked.ok) return checked.value.map(statementOf);
  for (const { summary, detail, path } of checked.issues) world.report({ code: "bad-undo", summary, detail, field: ["undo", ...path] });
  return undefined;
}

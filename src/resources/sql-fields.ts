import { fields, given, isObject, type Json, type JsonObject, type Manner, type SqlDialect, sqlPlace, type World } from "../core/index.ts";

const { field } = fields;

/** The URL of a database. */
export const databaseField = field<string>(
  "The database: `postgresql://user:password@host:5432/name`, `mariadb://…` (or `mysql://…`), or `sqlite:///path/of/the/file`; the password from a secret input.",
  { type: "string", format: "uri" },
  (value) => {
    if (typeof value !== "string") return fields.issue("wrong type", `this must be the URL of a database, not ${fields.showValue(value)}`);
    // What is a secret is not said again.
    if (sqlPlace(value) === undefined)
      return fields.issue(
        "not a URL of a database",
        "it begins with postgresql://, mariadb://, mysql:// or sqlite:///, with a host and a database, or the absolute path of a file; in a password %, /, # and ? are written as %25, %2F, %23 and %3F",
      );
    return { ok: true, value };
  },
);

/** The name of a table, or of what else has a schema. */
export function qualifiedName(about: string): fields.MustField<string> {
  return field(about, { type: "string", minLength: 1 }, (value) => {
    if (typeof value !== "string") return fields.issue("wrong type", `this must be a name, not ${fields.showValue(value)}`);
    const parts = value.split(".");
    if (parts.length > 2 || parts.some((part) => part === "" || part.includes("\0")))
      return fields.issue("not a name", `${fields.showValue(value)} is neither \`name\` nor \`schema.name\``);
    return { ok: true, value };
  });
}

/** A name without a schema. */
export function plainName(about: string): fields.MustField<string> {
  return field(about, { type: "string", minLength: 1 }, (value) => {
    if (typeof value !== "string") return fields.issue("wrong type", `this must be a name, not ${fields.showValue(value)}`);
    return value === "" || value.includes("\0")
      ? fields.issue("not a name", "a name has at least one character, and no NUL")
      : { ok: true, value };
  });
}

/** A scalar for a statement: quoted in YAML or not. */
export const parameterField = field<string | number | boolean | null>(
  "A value.",
  { type: ["string", "number", "boolean", "null"] },
  (value) =>
    isObject(value) || Array.isArray(value)
      ? fields.issue("wrong type", "this must be a text, a number, true, false or null")
      : { ok: true, value: value as string | number | boolean | null },
);

/** What every register in a database has in its `about`. */
export function sqlAbout(database: string, world: World): { readonly url: string; readonly timeout?: number } & JsonObject {
  return { url: database, ...(given({ timeout: world.declared.common.timeout }) as { readonly timeout?: number }) };
}

/** How a change in a database is made, as every type may say. */
export function mannerOf(world: World): { readonly manner?: Manner } {
  const { sensitive, undo } = world.declared.common;
  const manner: Manner = { ...given({ sensitive }), ...(undo === "none" && { undo: "none" as const }) };
  return Object.keys(manner).length > 0 ? { manner } : {};
}

/** Reports what one of the databases does not have. */
export function refuseDialect(database: string, not: readonly SqlDialect[], why: string, report: World["report"]): void {
  const dialect = sqlPlace(database)?.dialect;
  if (dialect !== undefined && not.includes(dialect))
    report({ code: "not-in-this-database", summary: "not known to this database", detail: why, field: ["database"] });
}

/** Declared JSON, without what expressions left undefined. */
export function plain<T extends Json>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

import type { Json, SqlDialect } from "../../core/index.ts";
import { quoteText } from "../../core/index.ts";

/** A column of a table as it is compared: its type and default in one spelling. */
export type Column = {
  readonly type: string;
  readonly null: boolean;
  /** As SQL has it; null where there is none. */
  readonly default: string | null;
  /** Numbers that the database counts by itself. */
  readonly identity?: true;
};

const POSTGRESQL: { readonly [name: string]: string } = {
  int: "integer",
  int4: "integer",
  int8: "bigint",
  int2: "smallint",
  bool: "boolean",
  float8: "double precision",
  float4: "real",
  float: "double precision",
  decimal: "numeric",
  varchar: "character varying",
  char: "character",
  bpchar: "character",
  timestamptz: "timestamp with time zone",
  timestamp: "timestamp without time zone",
  timetz: "time with time zone",
  time: "time without time zone",
};

const MARIADB: { readonly [name: string]: string } = {
  integer: "int",
  bool: "tinyint(1)",
  boolean: "tinyint(1)",
  numeric: "decimal",
  dec: "decimal",
  "double precision": "double",
  real: "double",
  json: "longtext",
  "character varying": "varchar",
};

/** A type in the database's own spelling. */
export function typeForm(dialect: SqlDialect, text: string): string {
  const one = text
    .trim()
    .replace(/\s+/g, " ")
    .replace(/\s*\(\s*/g, "(")
    .replace(/\s*,\s*/g, ",")
    .replace(/\s*\)/g, ")");
  if (dialect === "sqlite") return one.toUpperCase();
  // The words of an enum are not to be made small.
  const parts = /^([^(]*?)(\(.*?\))?((?: with(?:out)? time zone)?)((?: unsigned)?)((?:\[\])*)$/i.exec(one);
  if (parts === null) return one.toLowerCase();
  const [, name = "", size = "", zone = "", unsigned = "", list = ""] = parts;
  const base = name.toLowerCase();
  if (dialect === "postgresql") {
    if (zone !== "") return `${base}${size}${zone.toLowerCase()}${list}`;
    const own = POSTGRESQL[base] ?? base;
    if (own === "numeric" && size !== "" && !size.includes(",")) return `${own}${size.slice(0, -1)},0)${list}`;
    // timestamp(3) is written as `timestamp(3) without time zone`.
    const [first = "", ...rest] = own.split(" ");
    return /^time/.test(own) && size !== ""
      ? `${first}${size} ${rest.join(" ")}${list}`
      : `${own}${base === "char" && size === "" ? "(1)" : size}${list}`;
  }
  const own = MARIADB[base] ?? base;
  const isInteger = /^(?:tiny|small|medium|big)?int$/.test(own);
  // A whole number's width is for display only; but tinyint(1) is a boolean.
  const width =
    isInteger && !(own === "tinyint" && size === "(1)")
      ? ""
      : own === "decimal" && size !== "" && !size.includes(",")
        ? `${size.slice(0, -1)},0)`
        : size;
  return `${own}${own === "decimal" && size === "" ? "(10,0)" : width}${unsigned.toLowerCase()}`;
}

/** A default as a playbook has it, as SQL: a value, or `{ sql: expression }`. */
export function defaultSql(dialect: SqlDialect, value: Json): string | null {
  if (value === null) return null;
  if (typeof value === "object" && !Array.isArray(value)) return String((value as { readonly sql?: Json }).sql);
  if (typeof value === "boolean") return dialect === "postgresql" ? String(value) : value ? "1" : "0";
  return typeof value === "number" ? String(value) : quoteText(dialect, String(value));
}

/** A default in one spelling: PostgreSQL adds casts and databases write functions as they like. */
export function defaultForm(text: string | null): string | null {
  if (text === null) return null;
  let form = text.trim();
  for (let before = ""; before !== form; ) {
    before = form;
    form = form
      .replace(/^\(([^()]*(?:\([^()]*\)[^()]*)*)\)$/, "$1")
      .replace(/::[a-z_ ]+(?:\([\d,]+\))?(?:\[\])*$/i, "")
      .trim();
  }
  if (/^null$/i.test(form)) return null;
  if (/^'-?\d+(?:\.\d+)?'$/.test(form)) form = form.slice(1, -1);
  // 1.50 of a column with two decimals is the 1.5 that was declared.
  if (/^-?\d+\.\d+$/.test(form)) return form.replace(/\.?0+$/, "");
  if (form.startsWith("'") || /^E'/.test(form)) return form.startsWith("E") ? form.slice(1).replaceAll("\\\\", "\\") : form;
  return form.toLowerCase().replace(/^(?:now|current_timestamp)(?:\(\))?$/, "current_timestamp");
}

/** Whether each value of the one type is a value of the other. */
export function isWider(from: string, to: string): boolean {
  const size = (type: string) => Number(/\((\d+)\)/.exec(type)?.[1] ?? Number.POSITIVE_INFINITY);
  const base = (type: string) => type.replace(/\(.*$/, "");
  const isText = (type: string) => /^(?:character varying|varchar|text|longtext)$/.test(base(type));
  if (isText(from) && isText(to)) return size(to) >= size(from);
  const whole = ["smallint", "int", "integer", "bigint"];
  const [one, other] = [whole.indexOf(base(from)), whole.indexOf(base(to))];
  return one >= 0 && other >= one;
}

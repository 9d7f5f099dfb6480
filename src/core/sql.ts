import { createHash } from "node:crypto";

export type SqlDialect = "postgresql" | "mariadb" | "sqlite";

const SCHEMES: { readonly [scheme: string]: SqlDialect } = {
  "postgresql:": "postgresql",
  "postgres:": "postgresql",
  "mysql:": "mariadb",
  "mariadb:": "mariadb",
  "sqlite:": "sqlite",
};

/** Where a database is, from its URL. */
export interface SqlPlace {
  readonly dialect: SqlDialect;
  /** The server, or the file: `postgresql://db.example.com:5432`, without credentials. What breakers and orders know. */
  readonly origin: string;
  /** The server and the database, without credentials: what registers are named after. */
  readonly name: string;
  /** The database; of SQLite the path of its file. */
  readonly database: string;
}

/** Takes a database's URL apart; undefined where it is none. */
export function sqlPlace(url: string): SqlPlace | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port, pathname } = new URL(url);
  const dialect = SCHEMES[protocol];
  if (dialect === undefined) return undefined;
  const path = percentDecoded(pathname);
  if (path === undefined) return undefined;
  if (dialect === "sqlite") {
    if (hostname !== "" || !path.startsWith("/") || path === "/") return undefined;
    return { dialect, origin: `sqlite://${path}`, name: `sqlite://${path}`, database: path };
  }
  const database = path.slice(1);
  if (hostname === "" || database.includes("/")) return undefined;
  const scheme = dialect === "postgresql" ? "postgresql" : "mariadb";
  const origin = `${scheme}://${hostname}:${port === "" ? (dialect === "postgresql" ? "5432" : "3306") : port}`;
  return { dialect, origin, name: `${origin}/${database}`, database };
}

/** Text out of a URL; undefined where it is not well-formed. */
export function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a percent sign that begins no escape: the caller says that it is no URL
  }
}

/** One identifier, quoted, dots and all. */
export function quoteIdentifier(dialect: SqlDialect, name: string): string {
  return dialect === "mariadb" ? `\`${name.replaceAll("`", "``")}\`` : `"${name.replaceAll('"', '""')}"`;
}

/** A name, quoted; dots part a schema from what is in it. */
export function quoteName(dialect: SqlDialect, name: string): string {
  return name
    .split(".")
    .map((part) => quoteIdentifier(dialect, part))
    .join(".");
}

/**
 * A text as a literal, for the few statements that take no parameters (passwords, defaults, comments). Sessions see to it
 * that a backslash means what is assumed here.
 */
export function quoteText(dialect: SqlDialect, text: string): string {
  const doubled = text.replaceAll("'", "''");
  if (dialect === "sqlite" || !text.includes("\\")) return `'${doubled}'`;
  return `${dialect === "postgresql" ? "E" : ""}'${doubled.replaceAll("\\", "\\\\")}'`;
}

/** How the n-th parameter, from 1, is written. */
export function parameter(dialect: SqlDialect, n: number): string {
  return dialect === "postgresql" ? `$${n}` : "?";
}

/** 64 bits of a name as databases take them for advisory locks: a signed decimal. */
export function lockNumber(name: string): string {
  return createHash("sha256").update(`setpoint/lock/1:${name}`).digest().readBigInt64BE(0).toString();
}

/** Asks for the receipt of an effect, by its key. */
export function receiptStatement(dialect: SqlDialect): string {
  return `SELECT 1 AS there FROM setpoint_receipts WHERE ${dialect === "mariadb" ? "`key`" : "key"} = ${parameter(dialect, 1)}`;
}

/** What a question fails with where the table, or the schema around it, is not there. */
export const NO_TABLE: ReadonlySet<string> = new Set(["42P01", "42S02", "3F000"]);

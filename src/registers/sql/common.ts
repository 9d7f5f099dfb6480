import {
  Bug,
  type JsonObject,
  NO_TABLE,
  parameter,
  quoteIdentifier,
  quoteName,
  quoteText,
  type Reader,
  type Register,
  type SqlDialect,
  type SqlPlace,
  type SqlResult,
  SystemFault,
  sqlPlace,
} from "../../core/index.ts";

/** What every register in a database needs to be read and set. */
export type SqlAbout = {
  /** With credentials. */
  readonly url: string;
  /** ms for a statement. */
  readonly timeout?: number;
};

export function placeOf(url: string): SqlPlace {
  const place = sqlPlace(url);
  if (place === undefined) throw new Bug("a register with no URL of a database");
  return place;
}

export function originOfDatabase(register: Register): string {
  return placeOf((register.about as unknown as SqlAbout).url).origin;
}

/** A transaction of a dead process ends before its register is read. */
export async function quietDatabase(register: Register, reader: Reader): Promise<void> {
  await ask(register, reader, "SELECT 1", [], register.key);
}

/** The rows of a question; undefined where there is no such database. Throws SystemFault. */
export async function ask(
  { about }: Pick<Register, "about">,
  reader: Reader,
  text: string,
  values: readonly (string | number | null)[] = [],
  after?: string,
): Promise<SqlResult["rows"] | undefined> {
  const { url, timeout } = about as unknown as SqlAbout;
  return reader.remote.sql({ url, text, values, ...(timeout !== undefined && { timeout }), ...(after !== undefined && { after }) });
}

/** The same, with `missing` where the table that it asks is not there. */
export async function askTable(...[register, reader, text, values]: Parameters<typeof ask>): Promise<SqlResult["rows"] | "missing"> {
  try {
    return (await ask(register, reader, text, values)) ?? "missing";
  } catch (thrown) {
    if (thrown instanceof SystemFault && NO_TABLE.has(thrown.code)) return "missing";
    throw thrown;
  }
}

/** A statement in the making: its names quoted, its values gathered as parameters. */
export class Statement {
  readonly values: (string | number | boolean | null | JsonObject)[] = [];
  private readonly dialect: SqlDialect;

  constructor(dialect: SqlDialect) {
    this.dialect = dialect;
  }

  add(value: string | number | boolean | null | JsonObject): string {
    this.values.push(value);
    return parameter(this.dialect, this.values.length);
  }

  /** A column's name. */
  column(name: string): string {
    return quoteIdentifier(this.dialect, name);
  }

  /** Lets a row be made again with the number that it had, also in a column that PostgreSQL counts by itself. */
  get overriding(): string {
    return this.dialect === "postgresql" ? " OVERRIDING SYSTEM VALUE" : "";
  }

  name(name: string): string {
    return quoteName(this.dialect, name);
  }
}

/** A register of a kind in a database. */
export function sqlRegister(kind: string, name: string, about: SqlAbout & JsonObject): Register & { readonly about: JsonObject } {
  return { kind, key: `${placeOf(about.url).name}/${name}`, about };
}

/** A role of PostgreSQL, or an account of MariaDB, which is of a host. */
export function quoteAccount(dialect: SqlDialect, name: string, host = "%"): string {
  return dialect === "mariadb" ? `${quoteText(dialect, name)}@${quoteText(dialect, host)}` : quoteIdentifier(dialect, name);
}

import type { Register, SqlOperation, SqlStatement } from "../../core/index.ts";
import { placeOf, type SqlAbout } from "./common.ts";

interface More {
  readonly guards?: SqlOperation["guards"];
  /** It can be no part of a transaction in any database: CREATE DATABASE, CREATE INDEX CONCURRENTLY. */
  readonly alone?: boolean;
}

/**
 * Statements that change the form of a database, as one operation; none where there are none. MariaDB ends a transaction at each
 * of them, so there, as with those that stand alone anywhere, what became of them is read back.
 */
export function ddl(
  register: Register,
  statements: readonly (string | SqlStatement)[],
  { guards, alone }: More = {},
): readonly SqlOperation[] {
  if (statements.length === 0) return [];
  const { url, timeout } = register.about as unknown as SqlAbout;
  const isWhole = alone !== true && placeOf(url).dialect !== "mariadb";
  return [
    {
      do: "sql",
      url,
      lock: register.key,
      ...(timeout !== undefined && { timeout }),
      ...(guards && guards.length > 0 && { guards }),
      statements: statements.map((one) => (typeof one === "string" ? { text: one } : one)),
      receipt: isWhole ? "action" : "none",
    },
  ];
}

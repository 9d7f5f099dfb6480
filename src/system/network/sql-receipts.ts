import { NO_TABLE, parameter, receiptStatement, type SqlDialect, type SqlSession, SystemFault, sqlPlace } from "../../core/index.ts";
import type { ActionContext } from "../workbench.ts";
import type { Remotes } from "./remotes.ts";

/** The table of receipts, made where it is first needed. */
const TABLE = "setpoint_receipts";

const CREATE: { readonly [dialect in SqlDialect]: string } = {
  postgresql: `CREATE TABLE IF NOT EXISTS ${TABLE} (key text PRIMARY KEY, payload text NOT NULL, run text NOT NULL, action text NOT NULL, at timestamptz NOT NULL DEFAULT now())`,
  mariadb: `CREATE TABLE IF NOT EXISTS ${TABLE} (\`key\` varchar(191) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, payload varchar(64) NOT NULL, run varchar(64) NOT NULL, action varchar(64) NOT NULL, at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB`,
  sqlite: `CREATE TABLE IF NOT EXISTS ${TABLE} (key text PRIMARY KEY, payload text NOT NULL, run text NOT NULL, action text NOT NULL, at text NOT NULL DEFAULT CURRENT_TIMESTAMP)`,
};

const EXISTS: { readonly [dialect in SqlDialect]: string } = {
  postgresql: `SELECT 1 AS there WHERE to_regclass('${TABLE}') IS NOT NULL`,
  mariadb: `SELECT 1 AS there FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '${TABLE}'`,
  sqlite: `SELECT 1 AS there FROM sqlite_master WHERE type = 'table' AND name = '${TABLE}'`,
};

/** No privilege, in each database's words. */
const FORBIDDEN: ReadonlySet<string> = new Set(["42501", "42000", "3F000"]);

const known = new WeakSet<SqlSession>();

/**
 * Sees to it that there is a table of receipts. False where there is none, may be none and `optional` says that one can do
 * without; else a SystemFault says what to do.
 */
export async function ensureReceipts(session: SqlSession, optional: boolean): Promise<boolean> {
  if (known.has(session)) return true;
  if ((await session.query(EXISTS[session.dialect])).rows.length === 0) {
    try {
      await session.query(CREATE[session.dialect]);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      // Two who make it at once: PostgreSQL lets the second one fail.
      const isThere = (await session.query(EXISTS[session.dialect])).rows.length > 0;
      if (!isThere && FORBIDDEN.has(thrown.code) && optional) return false;
      if (!isThere)
        throw new SystemFault(
          thrown.code,
          `the table of receipts cannot be made (${thrown.message}): let the user make it, or run \`${CREATE[session.dialect]}\``,
          {
            ...(thrown.peer && { peer: thrown.peer }),
            cause: thrown,
          },
        );
    }
  }
  known.add(session);
  return true;
}

/** Puts a receipt into the transaction that it is for; false where it is there already. Throws SystemFault for another payload. */
export async function insertReceipt(session: SqlSession, key: string, payload: string, { run, action }: ActionContext): Promise<boolean> {
  const { dialect } = session;
  const p = (n: number) => parameter(dialect, n);
  const name = columnKey(dialect);
  const values = `(${name}, payload, run, action) VALUES (${p(1)}, ${p(2)}, ${p(3)}, ${p(4)})`;
  const text =
    dialect === "mariadb" ? `INSERT IGNORE INTO ${TABLE} ${values}` : `INSERT INTO ${TABLE} ${values} ON CONFLICT (key) DO NOTHING`;
  const { affected } = await session.query(text, [key, payload, run, String(action)]);
  if (affected > 0) return true;
  const { rows } = await session.query(`SELECT payload FROM ${TABLE} WHERE ${name} = ${p(1)}`, [key]);
  if (rows[0]?.payload === payload) return false;
  throw new SystemFault(
    "other-payload",
    "the database has a receipt for it with another content: it was done before, otherwise; to do it again on purpose, give it a new `occurrence`",
    { peer: { retry: false, counts: false } },
  );
}

/** Whether there is a receipt, once no transaction under the lock is under way. Throws SystemFault. */
export async function hasReceipt(remotes: Pick<Remotes, "sql">, url: string, key: string, after: string): Promise<boolean> {
  const dialect = sqlPlace(url)?.dialect ?? "postgresql";
  try {
    const rows = await remotes.sql({ url, text: receiptStatement(dialect), values: [key], after });
    return rows !== undefined && rows.length > 0;
  } catch (thrown) {
    // Without a table there is no receipt.
    if (thrown instanceof SystemFault && NO_TABLE.has(thrown.code)) return false;
    throw thrown;
  }
}

function columnKey(dialect: SqlDialect): string {
  return dialect === "mariadb" ? "`key`" : "key";
}

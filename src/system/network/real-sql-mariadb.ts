import { isObject, type Json, type JsonObject, type SqlOptions, type SqlPlace, type SqlResult, type SqlSession } from "../../core/index.ts";
import { loadDriver } from "./load-driver.ts";
import { inTime, NO_DATABASE, sqlFault } from "./sql-fault.ts";

const CONNECT_TIMEOUT = 10_000;
const TIMEOUT = 60_000;
const GRACE = 5_000;

/** What of `mysql2` is used. */
interface Connection {
  query(options: object): Promise<[unknown, unknown]>;
  execute(options: object): Promise<[unknown, unknown]>;
  end(): Promise<void>;
  destroy(): void;
  on(event: "error", heard: (thrown: Error) => void): void;
  readonly connection: { readonly stream: { ref?(): void; unref?(): void } };
}
interface Driver {
  createConnection(options: object): Promise<Connection>;
}

/** Its own numbers for what others have SQLSTATEs for. */
const STATES: { readonly [errno: number]: string } = {
  1205: "55P03",
  1213: "40001",
  1049: NO_DATABASE,
  1969: "57014",
  3024: "57014",
  1040: "53300",
  1053: "57P01",
  1927: "57P01",
  1062: "23505",
};

/** A session of MariaDB or MySQL by `mysql2`. Throws SystemFault. */
export async function openMariadb(url: string, place: SqlPlace, options: SqlOptions): Promise<SqlSession> {
  const module = (await loadDriver("mysql2/promise", "MariaDB and MySQL")) as { readonly default?: Driver } & Driver;
  const driver = module.default ?? module;
  const timeout = options.timeout ?? TIMEOUT;
  const { hostname, port, username, password } = new URL(url);
  let connection: Connection;
  try {
    connection = await driver.createConnection({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 3306),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      ...(place.database !== "" && { database: place.database }),
      connectTimeout: CONNECT_TIMEOUT,
      multipleStatements: true,
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      jsonStrings: true,
      flags: ["FOUND_ROWS"],
      charset: "utf8mb4",
      disableEval: true,
    });
  } catch (thrown) {
    throw sqlFault(place.name, stateOf(thrown), thrown, false);
  }
  connection.on("error", () => undefined);
  const { stream } = connection.connection;
  const ask = async (text: string, values?: readonly Json[]): Promise<SqlResult> => {
    // While nobody asks anything, it keeps no process from ending.
    stream.ref?.();
    try {
      const asked = { sql: text, timeout: timeout + GRACE };
      const [answer] =
        values === undefined || values.length === 0
          ? await connection.query(asked)
          : await connection.execute({ ...asked, values: values.map(sent) });
      return resultOf(answer);
    } catch (thrown) {
      const state = stateOf(thrown);
      if (state === undefined) connection.destroy();
      throw sqlFault(place.name, state, thrown, true);
    } finally {
      stream.unref?.();
    }
  };
  // Strict, so that nothing is cut to fit in silence; and a backslash in a literal means what quoteText takes it for.
  await ask("SET SESSION sql_mode = CONCAT('STRICT_ALL_TABLES,', REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', ''))");
  await ask(`SET SESSION max_statement_time = ${timeout / 1000}`).catch(() =>
    ask(`SET SESSION max_execution_time = ${Math.floor(timeout)}`),
  );
  return {
    dialect: "mariadb",
    query: ask,
    async close() {
      stream.ref?.();
      await inTime(connection.end());
      connection.destroy();
    },
  };
}

interface Header {
  readonly affectedRows: number;
}

function isHeader(value: unknown): value is Header {
  return typeof value === "object" && value !== null && !Array.isArray(value) && "affectedRows" in value;
}

/** Of several statements the rows of the last that has some. */
function resultOf(answer: unknown): SqlResult {
  if (isHeader(answer)) return { rows: [], affected: answer.affectedRows };
  const list = (answer ?? []) as readonly unknown[];
  if (!list.some((one) => isHeader(one) || Array.isArray(one))) return { rows: (list as readonly Row[]).map(plain), affected: 0 };
  const rows = list.findLast((one) => Array.isArray(one)) as readonly Row[] | undefined;
  return { rows: (rows ?? []).map(plain), affected: list.reduce<number>((sum, one) => sum + (isHeader(one) ? one.affectedRows : 0), 0) };
}

type Row = { readonly [column: string]: unknown };

function plain(row: Row): JsonObject {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      Buffer.isBuffer(value) ? `\\x${value.toString("hex")}` : typeof value === "bigint" ? String(value) : (value as Json),
    ]),
  );
}

function stateOf(thrown: unknown): string | undefined {
  const { errno, sqlState } = thrown as { readonly errno?: unknown; readonly sqlState?: unknown };
  if (typeof errno === "number" && STATES[errno] !== undefined) return STATES[errno];
  return typeof sqlState === "string" && /^[0-9A-Z]{5}$/.test(sqlState) ? sqlState : undefined;
}

function sent(value: Json): unknown {
  if (isObject(value) && typeof value.$hex === "string") return Buffer.from(value.$hex, "hex");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : typeof value === "number" ? String(value) : value;
}

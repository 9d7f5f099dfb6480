import {
  isObject,
  type Json,
  type JsonObject,
  type SqlOptions,
  type SqlPlace,
  type SqlResult,
  type SqlSession,
  SystemFault,
} from "../../core/index.ts";
import { loadDriver } from "./load-driver.ts";
import { inTime, sqlFault } from "./sql-fault.ts";

const CONNECT_TIMEOUT = 10_000;
const TIMEOUT = 60_000;
/** The server ends a statement itself; only one that does not answer at all is given up from here. */
const GRACE = 5_000;

/** What of `pg` is used. */
interface Client {
  connect(): Promise<void>;
  query(config: { text: string; values?: readonly unknown[] }): Promise<Answer | readonly Answer[]>;
  end(): Promise<void>;
  on(event: "error" | "end" | "notification", heard: (thrown: Error) => void): void;
  readonly connection: { readonly stream: { destroy(): void; ref?(): void; unref?(): void } };
}
interface Answer {
  readonly rows: readonly JsonObject[];
  readonly rowCount: number | null;
  readonly command: string | null;
}
interface Driver {
  readonly Client: new (options: object) => Client;
}

/** By the ids of PostgreSQL's types, those whose text has a form in JSON that loses nothing. */
const PARSERS: { readonly [type: number]: (text: string) => Json } = {
  16: (text) => text === "t",
  21: Number,
  23: Number,
  26: Number,
  114: (text) => JSON.parse(text) as Json,
  700: real,
  701: real,
  3802: (text) => JSON.parse(text) as Json,
};

/** Infinity and NaN are not JSON. */
function real(text: string): Json {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

/** A session of PostgreSQL by `pg`; `told` is called for what it listens to, and when its connection has ended. Throws SystemFault. */
export async function openPostgresql(
  url: string,
  place: SqlPlace,
  options: SqlOptions & { readonly told?: () => void },
): Promise<SqlSession> {
  const module = (await loadDriver("pg", "PostgreSQL")) as { readonly default?: Driver } & Driver;
  const { Client } = module.default ?? module;
  const timeout = options.timeout ?? TIMEOUT;
  const client = new Client({
    connectionString: url.replace(/^postgres:/, "postgresql:"),
    application_name: "setpoint",
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: timeout + GRACE,
    keepAlive: true,
    types: { getTypeParser: (type: number) => PARSERS[type] ?? ((text: string) => text) },
  });
  // A connection that breaks while nobody asks anything is found out by the next question.
  client.on("error", () => undefined);
  if (options.told) for (const event of ["notification", "end"] as const) client.on(event, options.told);
  try {
    await client.connect();
  } catch (thrown) {
    client.connection.stream.destroy();
    throw sqlFault(place.name, stateOf(thrown), thrown, false);
  }
  const ask = async (text: string, values?: readonly Json[]): Promise<SqlResult> => {
    // While nobody asks anything, it keeps no process from ending.
    client.connection.stream.ref?.();
    try {
      const answer = await client.query({ text, ...(values && { values: values.map(sent) }) });
      const all: readonly Answer[] = Array.isArray(answer) ? (answer as readonly Answer[]) : [answer as Answer];
      // A transaction that failed before ends with a ROLLBACK, whatever was asked for.
      if (/^\s*commit\b/i.test(text) && all.at(-1)?.command === "ROLLBACK")
        throw new SystemFault("25P02", `${place.name}: the transaction had failed and was rolled back`, {
          peer: { retry: true, counts: false },
        });
      return { rows: all.at(-1)?.rows ?? [], affected: all.reduce((sum, one) => sum + (one.rowCount ?? 0), 0) };
    } catch (thrown) {
      if (thrown instanceof SystemFault) throw thrown;
      const state = stateOf(thrown);
      // Without an answer nobody knows what the server does: the session is of no more use.
      if (state === undefined) client.connection.stream.destroy();
      throw sqlFault(place.name, state, thrown, true);
    } finally {
      client.connection.stream.unref?.();
    }
  };
  await ask(`SET datestyle = 'ISO'; SET standard_conforming_strings = on; SET statement_timeout = ${Math.floor(timeout)}`);
  return {
    dialect: "postgresql",
    query: ask,
    async close() {
      client.connection.stream.ref?.();
      await inTime(client.end());
      client.connection.stream.destroy();
    },
  };
}

function stateOf(thrown: unknown): string | undefined {
  const { code } = thrown as { readonly code?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && "severity" in (thrown as object) ? code : undefined;
}

/** Everything as text: the server knows the type that it needs. */
function sent(value: Json): string | null {
  if (value === null) return null;
  if (isObject(value) && typeof value.$hex === "string") return `\\x${value.$hex}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

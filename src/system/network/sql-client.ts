import { lockNumber, type Network, type SqlQuestion, type SqlResult, type SqlSession, SystemFault } from "../../core/index.ts";
import { NO_DATABASE } from "./sql-fault.ts";

/** ms that a transaction waits for another one under the same lock. */
export const LOCK_TIMEOUT = 10_000;
/** Idle sessions that are kept for one database. */
const KEPT = 4;

interface Taken {
  readonly session: SqlSession;
  giveBack(): Promise<void>;
}

/** Sessions of databases, kept while they are idle, and questions in transactions that can only read. */
export class SqlClient {
  private readonly network: Network;
  private readonly idle = new Map<string, SqlSession[]>();

  constructor(network: Network) {
    this.network = network;
  }

  /** A session of its own: to be given back, or closed where something failed with it. Throws SystemFault. */
  async take(url: string, options: { readonly timeout?: number; readonly readOnly?: boolean }): Promise<Taken> {
    const key = `${options.readOnly === true} ${options.timeout ?? ""} ${url}`;
    const session = this.idle.get(key)?.pop() ?? (await this.network.sql(url, options));
    return {
      session,
      giveBack: async () => {
        const kept = this.idle.get(key) ?? [];
        this.idle.set(key, kept);
        if (kept.length < KEPT) kept.push(session);
        else await session.close();
      },
    };
  }

  /** A session for the body's time. Throws what the body throws. */
  async within<T>(
    url: string,
    options: { readonly timeout?: number; readonly readOnly?: boolean },
    body: (session: SqlSession) => Promise<T>,
  ): Promise<T> {
    const { session, giveBack } = await this.take(url, options);
    let result: T;
    try {
      result = await body(session);
    } catch (thrown) {
      await session.close();
      throw thrown;
    }
    await giveBack();
    return result;
  }

  /** Ends the sessions that nobody uses now: a database with one cannot be dropped. */
  async closeIdle(): Promise<void> {
    const idle = [...this.idle.values()].flatMap((sessions) => sessions.splice(0));
    await Promise.all(idle.map((session) => session.close()));
  }

  /** Asked once. Undefined where the database does not exist. Throws SystemFault. */
  async ask({ url, text, values, after, timeout }: SqlQuestion): Promise<SqlResult["rows"] | undefined> {
    const options = { readOnly: true, ...(timeout !== undefined && { timeout }) };
    try {
      const answer = await this.within(url, options, (session) =>
        this.askOn(session, { url, text, ...(values && { values }), ...(after !== undefined && { after }) }),
      );
      if (answer instanceof SystemFault) throw answer;
      return answer;
    } catch (thrown) {
      if (thrown instanceof SystemFault && thrown.code === NO_DATABASE) return undefined;
      // A connection may have gone while it was idle: what only asks can ask again.
      throw thrown instanceof SystemFault
        ? new SystemFault(thrown.code, thrown.message, { mutated: "no", ...(thrown.peer && { peer: thrown.peer }), cause: thrown })
        : thrown;
    }
  }

  /** The rows, or the refusal of a database whose session is as good as before. */
  private async askOn(session: SqlSession, { url, text, values, after }: SqlQuestion): Promise<SqlResult["rows"] | SystemFault> {
    const { dialect } = session;
    if (after !== undefined && dialect === "mariadb") await takeLock(session, after);
    if (after !== undefined && dialect === "sqlite") await this.waitForWriter(url);
    await session.query(READ_ONLY[dialect]);
    if (after !== undefined && dialect === "postgresql") await waitForLock(session, after);
    let answer: SqlResult["rows"] | SystemFault;
    try {
      answer = (await session.query(text, values)).rows;
    } catch (thrown) {
      if (!(thrown instanceof SystemFault) || thrown.mutated === "maybe") throw thrown;
      answer = thrown;
    }
    await session.query("ROLLBACK");
    if (after !== undefined) await dropLock(session, after);
    return answer;
  }

  /** SQLite has one writer at a time: who could begin to write has waited for the one before. */
  private waitForWriter(url: string): Promise<void> {
    return this.within(url, {}, async (session) => {
      await session.query("BEGIN IMMEDIATE");
      await session.query("ROLLBACK");
    });
  }
}

const READ_ONLY = { postgresql: "BEGIN TRANSACTION READ ONLY", mariadb: "START TRANSACTION READ ONLY", sqlite: "BEGIN" } as const;

/** Within a transaction, until whose end it holds. Throws SystemFault 55P03 where somebody else keeps it. */
async function waitForLock(session: SqlSession, name: string): Promise<void> {
  await session.query("SELECT set_config('lock_timeout', $1, true)", [String(LOCK_TIMEOUT)]);
  await session.query("SELECT pg_advisory_xact_lock($1)", [lockNumber(name)]);
}

/** The lock of a name, held until the transaction ends (MariaDB: until it is dropped). Throws SystemFault. */
export async function takeLock(session: SqlSession, name: string): Promise<void> {
  if (session.dialect !== "mariadb") return waitForLock(session, name);
  const { rows } = await session.query("SELECT GET_LOCK(?, ?) AS got", [`sp1_${lockNumber(name)}`, LOCK_TIMEOUT / 1000]);
  if (Number(rows[0]?.got) !== 1)
    throw new SystemFault("55P03", `another transaction of setpoint for ${name} is still under way`, {
      peer: { retry: true, counts: false },
    });
}

/**
 * What is sent behind COMMIT, in one piece with it: a session of MariaDB whose client is gone would hold its lock until the
 * network tells it so.
 */
export function lockRelease({ dialect }: SqlSession, name: string): string {
  return dialect === "mariadb" ? `; DO RELEASE_LOCK('sp1_${lockNumber(name)}')` : "";
}

/** Lets go of a lock that a session of MariaDB holds. */
export async function dropLock(session: SqlSession, name: string): Promise<void> {
  if (session.dialect === "mariadb") await session.query("SELECT RELEASE_LOCK(?)", [`sp1_${lockNumber(name)}`]);
}

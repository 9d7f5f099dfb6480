import {
  type Contents,
  type Json,
  lockNumber,
  quoteText,
  type SqlOperation,
  type SqlResult,
  type SqlSession,
  type SqlStatement,
  SystemFault,
  sameJson,
  sha256,
} from "../../core/index.ts";
import type { ActionContext, Outcome, Prepared } from "../workbench.ts";
import { type Remotes, sqlOrigin } from "./remotes.ts";
import { dropLock, LOCK_TIMEOUT, lockRelease, takeLock } from "./sql-client.ts";
import { ensureReceipts, hasReceipt, insertReceipt } from "./sql-receipts.ts";

/** ms for one statement, where nothing else is said. */
const TIMEOUT = 60_000;

/** A transaction whose work is done and whose locks are held: it can no longer fail for what it does. */
export interface OpenTransaction {
  /** What the last statement answered. */
  readonly result: SqlResult;
  /** `PREPARE TRANSACTION`, `XA PREPARE`: from now on the decision is its coordinator's, in another session. Throws SystemFault. */
  vote(): Promise<void>;
  /** Throws SystemFault; its answer lost: what became of it was found out, or `mutated` is maybe. */
  commit(): Promise<void>;
  abandon(): Promise<void>;
}

/**
 * One transaction. All of it happens in `commit`: a transaction that were left open until all others of its group are
 * prepared would keep its locks from them. May be committed again after a fault that allows it: the receipt tells.
 */
export function sendSql(remotes: Remotes, contents: Contents, operation: SqlOperation, context: ActionContext): Prepared {
  const origin = sqlOrigin(operation.url);
  const send = async (): Promise<SqlResult | undefined> => {
    if (operation.receipt === "none") return runAlone(remotes, contents, operation);
    const open = await beginSql(remotes, contents, operation, context);
    if (open === "already") return undefined;
    await open.commit();
    return open.result;
  };
  const probe = () => remotes.databases.ask({ url: operation.url, text: "SELECT 1" });
  return {
    origin,
    commit: async (): Promise<Outcome | undefined> => {
      const result = await remotes.peers.tell(origin, send, probe);
      return operation.receipt === "effect" && result !== undefined
        ? { answer: { rows: result.rows, affected: result.affected } as Json }
        : undefined;
    },
    abandon: () => undefined,
  };
}

/** Whether a transaction was committed, by its receipt, once nothing of it is under way any more. Throws SystemFault. */
export function isCommitted(remotes: Remotes, operation: SqlOperation, context: ActionContext): Promise<boolean> {
  return hasReceipt(remotes, operation.url, receiptKey(operation, context), operation.lock);
}

/**
 * Does the work of a transaction and leaves it open, its receipt in it; `already` where its receipt is there. `gid`: it will be
 * voted on under this name. Throws SystemFault, having left nothing behind: `precondition` where the database is in another state.
 */
export async function beginSql(
  remotes: Remotes,
  contents: Contents,
  operation: SqlOperation,
  context: ActionContext,
  gid?: string,
): Promise<OpenTransaction | "already"> {
  const timeout = operation.timeout ?? TIMEOUT;
  const { session, giveBack } = await remotes.databases.take(operation.url, { timeout });
  const end = async (): Promise<void> => {
    await dropLock(session, operation.lock);
    await giveBack();
  };
  try {
    // A register needs its receipt only where COMMIT's answer is lost, and can then be read back instead.
    const receipts = (await ensureReceipts(session, operation.receipt === "action")) ? receiptKey(operation, context) : undefined;
    await begin(session, operation, gid, timeout);
    if (receipts !== undefined && !(await insertReceipt(session, receipts, payloadOf(operation), context))) {
      await session.query(rollback(session, gid));
      await end();
      return "already";
    }
    await check(remotes, session, operation);
    let result: SqlResult = { rows: [], affected: 0 };
    for (const statement of operation.statements) result = await perform(session, contents, statement, operation);
    return {
      result,
      async vote() {
        if (gid === undefined) throw new SystemFault("no-gid", "a transaction without a name cannot be voted on");
        const name = quoteText(session.dialect, gid);
        await session.query(session.dialect === "mariadb" ? `XA END ${name}; XA PREPARE ${name}` : `PREPARE TRANSACTION ${name}`);
        await end();
      },
      async commit() {
        try {
          await session.query(`COMMIT${lockRelease(session, operation.lock)}`);
        } catch (thrown) {
          await session.close();
          await afterLostCommit(remotes, operation, receipts, thrown);
          return;
        }
        // It is committed, whatever becomes of the session now.
        await end().catch(() => session.close());
      },
      async abandon() {
        await session.close();
      },
    };
  } catch (thrown) {
    await session.close();
    throw notMutated(thrown);
  }
}

async function begin(session: SqlSession, { lock }: SqlOperation, gid: string | undefined, timeout: number): Promise<void> {
  switch (session.dialect) {
    case "postgresql":
      await session.query("BEGIN");
      await session.query("SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)", [
        String(LOCK_TIMEOUT),
        String(timeout),
      ]);
      await takeLock(session, lock);
      return;
    case "mariadb":
      await takeLock(session, lock);
      await session.query(`SET SESSION innodb_lock_wait_timeout = ${LOCK_TIMEOUT / 1000}`);
      await session.query(gid === undefined ? "START TRANSACTION" : `XA START ${quoteText("mariadb", gid)}`);
      return;
    case "sqlite":
      // Its one writer is the lock.
      await session.query("BEGIN IMMEDIATE");
  }
}

function rollback(session: SqlSession, gid: string | undefined): string {
  if (session.dialect !== "mariadb" || gid === undefined) return "ROLLBACK";
  const name = quoteText("mariadb", gid);
  return `XA END ${name}; XA ROLLBACK ${name}`;
}

async function check(remotes: Remotes, session: SqlSession, { compare, guards, url }: SqlOperation): Promise<void> {
  for (const guard of guards ?? []) {
    const rows =
      guard.url === undefined || guard.url === url
        ? (await session.query(guard.text, guard.values)).rows
        : ((await remotes.databases.ask({ url: guard.url, text: guard.text, ...(guard.values && { values: guard.values }) })) ?? []);
    if (rows.length > 0) throw new SystemFault("would-lose", guard.found, { peer: { retry: false, counts: false } });
  }
  if (compare === undefined) return;
  const { rows } = await session.query(compare.text, compare.values);
  if (!sameJson(rows as Json, compare.rows as Json)) throw fasterOne("somebody else changed it just now");
}

async function perform(session: SqlSession, contents: Contents, statement: SqlStatement, { timeout }: SqlOperation): Promise<SqlResult> {
  const { text, values, literal, affects } = statement;
  const whole = literal === undefined ? text : `${text}${quoteText(session.dialect, contents.text(literal))}`;
  let result: SqlResult;
  try {
    result = await session.query(whole, values);
  } catch (thrown) {
    // Somebody else made the same row just now.
    if (thrown instanceof SystemFault && thrown.code === "23505" && affects !== undefined) throw fasterOne(thrown.message);
    if (thrown instanceof SystemFault && thrown.code === "57014")
      throw new SystemFault("57014", `${thrown.message} (after ${timeout ?? TIMEOUT} ms)`, {
        ...(thrown.peer && { peer: thrown.peer }),
        cause: thrown,
      });
    throw thrown;
  }
  if (affects !== undefined && result.affected !== affects)
    throw fasterOne(`it would have changed ${result.affected} rows where ${affects} were to be changed`);
  return result;
}

/** The engine reads again, and judges again. */
function fasterOne(why: string): SystemFault {
  return new SystemFault("precondition", why, { peer: { retry: true, counts: false } });
}

/** Before COMMIT was sent nothing can have come of it. */
function notMutated(thrown: unknown): unknown {
  if (!(thrown instanceof SystemFault) || thrown.mutated === "no") return thrown;
  return new SystemFault(thrown.code, thrown.message, { mutated: "no", ...(thrown.peer && { peer: thrown.peer }), cause: thrown });
}

/**
 * A dead connection's server session goes on and may still commit: first its end is waited for, under the same lock, and then
 * the receipt says what became of it (reliability.md §8.2). Throws SystemFault where it was not committed, or nobody knows.
 */
async function afterLostCommit(remotes: Remotes, operation: SqlOperation, receipt: string | undefined, thrown: unknown): Promise<void> {
  if (!(thrown instanceof SystemFault) || thrown.mutated === "no") throw thrown;
  const lost = (mutated: "no" | "maybe", why: string) =>
    new SystemFault(thrown.code, `${thrown.message}; ${why}`, { mutated, peer: { retry: true, counts: false }, cause: thrown });
  let committed: boolean | undefined;
  try {
    if (receipt !== undefined) committed = await hasReceipt(remotes, operation.url, receipt, operation.lock);
    else await remotes.sql({ url: operation.url, text: "SELECT 1", after: operation.lock });
  } catch (inner) {
    if (!(inner instanceof SystemFault)) throw inner;
    throw lost("maybe", `whether it was committed cannot be asked: ${inner.message}`);
  }
  if (committed === true) return;
  throw committed === false ? lost("no", "it was not committed") : lost("maybe", "whether it was committed is to be read back");
}

/** Statements that are no part of a transaction. What became of one whose answer is lost is read back. */
async function runAlone(remotes: Remotes, contents: Contents, operation: SqlOperation): Promise<SqlResult> {
  return remotes.databases.within(operation.url, { timeout: operation.timeout ?? TIMEOUT }, async (session) => {
    await holdAlone(session, operation.lock);
    let result: SqlResult = { rows: [], affected: 0 };
    try {
      await check(remotes, session, operation);
      await remotes.databases.closeIdle();
      for (const statement of operation.statements) result = await perform(session, contents, statement, operation);
    } finally {
      // A session that cannot let go is closed by its user, and lets go by that.
      await session.query(session.dialect === "postgresql" ? "SELECT pg_advisory_unlock_all()" : "SELECT 1").catch(() => undefined);
      await dropLock(session, operation.lock).catch(() => undefined);
    }
    return result;
  });
}

async function holdAlone(session: SqlSession, lock: string): Promise<void> {
  if (session.dialect !== "postgresql") return session.dialect === "mariadb" ? takeLock(session, lock) : undefined;
  await session.query(`SET lock_timeout = ${LOCK_TIMEOUT}`);
  await session.query("SELECT pg_advisory_lock($1)", [lockNumber(lock)]);
}

function receiptKey({ receipt, undo }: SqlOperation, context: ActionContext): string {
  if (receipt === "effect") return (undo ? context.undoKey : context.key) ?? "";
  // A saga's member may be set, taken back and set again in one run: each is a transaction of its own.
  const again = context.attempt === 0 ? "" : `/${context.attempt}`;
  return `${context.run}/${context.action}${context.back ? "/undo" : ""}${again}`;
}

/** What is done under a key, without telling what it is. */
function payloadOf({ statements }: SqlOperation): string {
  return sha256(JSON.stringify(statements.map(({ text, values }) => [text, values ?? []]))).slice(0, 32);
}

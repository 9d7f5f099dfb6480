import {
  type Arrived,
  type EventLog,
  type EventPlace,
  type Heard,
  isObject,
  type JsonObject,
  lockNumber,
  NO_TABLE,
  quoteName,
  type SqlSession,
  type StackEvent,
  type System,
  SystemFault,
  sqlPlace,
} from "../../core/index.ts";
import { openPostgresql } from "../network/real-sql-postgresql.ts";
import { Bell } from "./bell.ts";
import { stackEventIn } from "./file-log.ts";
import { type PlaceInLog, placeOf, placeText, readingOn } from "./place-in-log.ts";

type Place = EventPlace & { readonly kind: "postgresql" };

/** ms that a statement may take. */
const TIMEOUT = 10_000;
/** ms after which the server ends the transaction of somebody who was cut off: others wait for it. */
const CUT_OFF = 5_000;
/** A told listener looks again only in case that it was told of nothing: behind a pooler, say, that drops LISTEN. */
const INTERVAL = 5_000;

/** Opens, or makes when something is first put into it, a log that is a table of PostgreSQL. Throws SystemFault. */
export async function openPostgresqlLog({ clock, chance }: System, place: Place): Promise<EventLog> {
  const bell = new Bell(clock);
  const server = sqlPlace(place.url);
  if (server === undefined) throw new SystemFault("not-a-url", "this is no URL of PostgreSQL");
  const session = await openPostgresql(place.url, server, { timeout: TIMEOUT, told: bell.ring });
  try {
    await session.query(
      `SET lock_timeout = ${TIMEOUT}; SET idle_in_transaction_session_timeout = ${CUT_OFF}; LISTEN ${quoteName("postgresql", channelOf(place))}`,
    );
  } catch (thrown) {
    await session.close();
    throw thrown;
  }
  return new PostgresqlLog(place, session, bell, Buffer.from(chance.bytes(16)).toString("hex"));
}

/**
 * A table of events, each at a position, and a table of one row, the head, with the last position given out. Who appends holds
 * that row until its transaction ends. So positions become visible in their order (a `bigserial` is given out before the commit:
 * a reader could see 8, go on behind it, and never see the 7 that another transaction committed later), none is given twice,
 * also after rows were deleted, and none is left out: a gap is a row that somebody deleted.
 */
class PostgresqlLog implements EventLog {
  readonly interval = INTERVAL;
  private readonly place: Place;
  private readonly session: SqlSession;
  private readonly bell: Bell;
  /** How this log is told from another one of the same name, if this process makes it. */
  private readonly mark: string;
  private readonly table: string;
  private readonly head: string;

  constructor(place: Place, session: SqlSession, bell: Bell, mark: string) {
    this.place = place;
    this.session = session;
    this.bell = bell;
    this.mark = mark;
    this.table = quoteName("postgresql", place.table);
    this.head = quoteName("postgresql", `${place.table}_head`);
  }

  async append(events: readonly StackEvent[]): Promise<void> {
    const { session, table, head } = this;
    if (events.length === 0) return;
    if ((await this.now()) === undefined) await this.make();
    await session.query("BEGIN ISOLATION LEVEL READ COMMITTED");
    const { rows } = await session.query(`SELECT last FROM ${head} FOR UPDATE`);
    let last = Number(rows[0]?.last);
    for (const event of events) {
      const values = [last + 1, event.id, JSON.stringify(event)];
      const put = await session.query(`INSERT INTO ${table} (position, id, event) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, values);
      last += put.affected;
    }
    await session.query(`UPDATE ${head} SET last = $1`, [last]);
    await session.query("SELECT pg_notify($1, '')", [channelOf(this.place)]);
    await session.query("COMMIT");
  }

  async read(from: string | undefined): Promise<Heard> {
    this.bell.still();
    const place = placeOf(from);
    const now = await this.now();
    if (now === undefined && place === undefined) return { arrived: [], end: undefined };
    if (now === undefined)
      throw new SystemFault("no-event-log", `${this.place.name}: the table was read before and is not there any more`, {
        peer: { retry: true, counts: false },
      });
    const { behind, lost } = readingOn(this.place.name, now, place);
    const { rows } = await this.session.query(
      `SELECT position, event FROM ${this.table} WHERE position > $1 AND position <= $2 ORDER BY position`,
      [behind, now.last],
    );
    const gone = now.last - behind - rows.length;
    return {
      arrived: rows.flatMap((row) => this.arrivedIn(row, now.log)),
      end: placeText(now),
      ...(lost !== undefined
        ? { lost }
        : gone > 0 && {
            lost: `${this.place.name}: ${gone} of the events ${behind + 1} to ${now.last} were deleted before they were read`,
          }),
    };
  }

  wait(ms: number): Promise<boolean> {
    return this.bell.wait(ms);
  }

  close(): Promise<void> {
    return this.session.close();
  }

  private arrivedIn({ position, event }: JsonObject, log: string): readonly Arrived[] {
    const found = isObject(event) ? stackEventIn(event) : undefined;
    return found === undefined ? [] : [{ event: found, next: placeText({ log, last: Number(position) }) }];
  }

  /** The log's mark and its last position; undefined where it was not made yet. */
  private async now(): Promise<PlaceInLog | undefined> {
    try {
      const { rows } = await this.session.query(`SELECT log, last FROM ${this.head}`);
      const [row] = rows;
      if (row === undefined) throw new SystemFault("damaged-event-log", `${this.place.name}: the row of its head table was deleted`);
      return { log: String(row.log), last: Number(row.last) };
    } catch (thrown) {
      if (thrown instanceof SystemFault && NO_TABLE.has(thrown.code)) return undefined;
      throw thrown;
    }
  }

  private async make(): Promise<void> {
    const { table, head, session } = this;
    const create = `CREATE TABLE IF NOT EXISTS ${table} (position bigint PRIMARY KEY, id text NOT NULL UNIQUE, event json NOT NULL, at timestamptz NOT NULL DEFAULT now()); CREATE TABLE IF NOT EXISTS ${head} (one boolean PRIMARY KEY DEFAULT true CHECK (one), log text NOT NULL, last bigint NOT NULL)`;
    try {
      // The lock, as of two who make a table at once PostgreSQL lets one fail.
      await session.query(`BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(${lockNumber(this.place.name)}); ${create}`);
      await session.query(`INSERT INTO ${head} (log, last) VALUES ($1, 0) ON CONFLICT (one) DO NOTHING`, [this.mark]);
      await session.query("COMMIT");
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      const detail = `the tables of ${this.place.name} cannot be made (${thrown.message}): let the user make them, or run \`${create}; INSERT INTO ${head} (log, last) VALUES (gen_random_uuid(), 0)\``;
      throw new SystemFault(thrown.code, detail, { ...(thrown.peer && { peer: thrown.peer }), cause: thrown });
    }
  }
}

/** On which it is told that something was put into the table. */
function channelOf({ table }: Place): string {
  return `setpoint events ${table}`.slice(0, 63);
}

import initSqlJs, { type BindParams, type Database } from "sql.js";
import { isObject, type Json, type JsonObject, type SqlSession, type SystemFault } from "../../src/core/index.ts";
import { stateOf } from "../../src/system/network/real-sql-sqlite.ts";
import { sqlFault } from "../../src/system/network/sql-fault.ts";

const engine = await initSqlJs();

/** A real SQLite in memory that outlives whoever is connected. One transaction at a time, as of any SQLite; others find it locked. */
export class SimulatedDatabase {
  private readonly database: Database;
  private holder: Session | undefined;

  /** @param content as `save` gave it; left out: empty */
  constructor(content?: Uint8Array) {
    this.database = new engine.Database(content);
  }

  open(readOnly: boolean): SqlSession {
    return new Session(this, readOnly);
  }

  save(): Uint8Array {
    return this.database.export();
  }

  /** What it answers, outside of any session. */
  rows(text: string): readonly JsonObject[] {
    return this.ask(text, []).rows;
  }

  end(): void {
    this.database.close();
  }

  /** For a session, in its transaction or between those of others. Throws SystemFault as the real one does. */
  query(session: Session, text: string, values: readonly Json[], readOnly: boolean): { rows: readonly JsonObject[]; affected: number } {
    if (this.holder !== undefined && this.holder !== session) throw locked();
    // The real one may only read through such a session.
    if (readOnly && /^\s*(INSERT|UPDATE|DELETE|CREATE|DROP|ALTER)\b/i.test(text)) throw new Error(`a reader was asked to write: ${text}`);
    const answer = this.ask(text, values);
    if (/^\s*BEGIN\b/i.test(text)) this.holder = session;
    if (/^\s*(COMMIT|ROLLBACK)\b/i.test(text)) this.holder = undefined;
    return answer;
  }

  /** A connection is gone, and with it what it did not commit. */
  leave(session: Session): void {
    if (this.holder !== session) return;
    this.ask("ROLLBACK", []);
    this.holder = undefined;
  }

  private ask(text: string, values: readonly Json[]): { rows: readonly JsonObject[]; affected: number } {
    try {
      let rows: JsonObject[] = [];
      let bound: BindParams = values.map(bindable) as BindParams;
      for (const statement of this.database.iterateStatements(text)) {
        if (values.length > 0 && bound !== null) statement.bind(bound);
        bound = null;
        rows = [];
        while (statement.step()) rows.push(statement.getAsObject() as JsonObject);
      }
      return { rows, affected: this.database.getRowsModified() };
    } catch (thrown) {
      throw sqlFault("the database", stateOf((thrown as Error).message), thrown, true);
    }
  }
}

class Session implements SqlSession {
  readonly dialect = "sqlite";
  private readonly database: SimulatedDatabase;
  private readonly readOnly: boolean;

  constructor(database: SimulatedDatabase, readOnly: boolean) {
    this.database = database;
    this.readOnly = readOnly;
  }

  async query(text: string, values: readonly Json[] = []): ReturnType<SqlSession["query"]> {
    return this.database.query(this, text, values, this.readOnly);
  }

  async close(): Promise<void> {
    this.database.leave(this);
  }
}

function bindable(value: Json): string | number | Uint8Array | null {
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (isObject(value) && typeof value.$hex === "string") return Buffer.from(value.$hex, "hex");
  return JSON.stringify(value);
}

function locked(): SystemFault {
  return sqlFault("the database", "55P03", new Error("database is locked"), true);
}

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
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
import { NO_DATABASE, sqlFault } from "./sql-fault.ts";

const TIMEOUT = 60_000;
/** ms that it waits for another one's transaction; then the statement fails with 55P03. */
const BUSY = 10_000;
/** -safe: no statement can start a program or open another file. */
const FLAGS = ["-batch", "-json", "-safe", "-init", "/dev/null"];
/** What the program says behind each answer, on its output and among its errors. */
const MARK = "sp_end_";

/**
 * A session of SQLite by its program `sqlite3`: statements go in through its standard input, one after another, and the end of
 * each answer is told by a mark on its output and another among its errors. Parameters are bound, written in hex. Throws SystemFault.
 */
export async function openSqlite(place: SqlPlace, options: SqlOptions): Promise<SqlSession> {
  if (options.readOnly && !existsSync(place.database)) throw sqlFault(place.name, NO_DATABASE, new Error("there is no such file"), false);
  const session = new Program(place, options);
  await session.query(`PRAGMA foreign_keys = ON; PRAGMA busy_timeout = ${BUSY}`);
  return session;
}

class Program implements SqlSession {
  readonly dialect = "sqlite";
  private readonly place: SqlPlace;
  private readonly timeout: number;
  private readonly child: ChildProcess;
  private out = "";
  private err = "";
  private turn = 0;
  private gone: Error | undefined;
  private heard: () => void = () => undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(place: SqlPlace, options: SqlOptions) {
    this.place = place;
    this.timeout = options.timeout ?? TIMEOUT;
    this.child = spawn("sqlite3", [...(options.readOnly ? ["-readonly"] : []), ...FLAGS, place.database], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const end = (why: Error) => {
      this.gone ??= why;
      this.heard();
    };
    this.child.on("error", end);
    this.child.on("exit", (code) => end(new Error(`sqlite3 ended with ${code}: ${this.err.trim()}`)));
    this.child.stdin?.on("error", end);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
      this.heard();
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
      this.heard();
    });
    this.child.unref();
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) (stream as { unref?(): void } | null)?.unref?.();
  }

  query(text: string, values: readonly Json[] = []): Promise<SqlResult> {
    const asked = this.last.then(() => this.ask(text, values));
    this.last = asked.catch(() => undefined);
    return asked;
  }

  async close(): Promise<void> {
    this.child.stdin?.end();
    this.child.kill();
  }

  private async ask(text: string, values: readonly Json[]): Promise<SqlResult> {
    // A line that begins with a dot is a command of the program, where a statement could begin.
    if (/^\s*\./m.test(text))
      throw new SystemFault("dot-command", `${this.place.name}: a line of a statement must not begin with a dot`, {
        peer: { retry: false, counts: false },
      });
    this.turn += 1;
    const mark = `${MARK}${this.turn}_`;
    this.out = "";
    this.err = "";
    const lines = [
      ".parameter clear",
      ...values.map((value, index) => `.parameter set ?${index + 1} "${literal(value)}"`),
      text,
      ";",
      `SELECT changes() AS "${mark}";`,
      `.print ${mark}`,
      `.${mark}`,
      "",
    ];
    this.child.stdin?.write(lines.join("\n"));
    await this.answered(mark);
    const errors = this.err.slice(0, this.err.lastIndexOf("Error: ")).trim();
    if (errors !== "") throw sqlFault(this.place.name, stateOf(errors), new Error(firstOf(errors)), true);
    const chunks = arraysOf(this.out.slice(0, this.out.lastIndexOf(mark)));
    const [changed] = (chunks.pop() ?? []) as readonly JsonObject[];
    return { rows: (chunks.at(-1) ?? []) as readonly JsonObject[], affected: Number(changed?.[mark] ?? 0) };
  }

  /** Both ends are told: what comes between is all that there is. */
  private async answered(mark: string): Promise<void> {
    const complete = () => this.out.includes(`${mark}\n`) && this.err.includes(`"${mark}"`) && this.err.endsWith("\n");
    const until = setTimeout(() => {
      this.gone ??= Object.assign(new Error(`there was no answer in ${this.timeout} ms`), { code: "timeout" });
      this.child.kill("SIGKILL");
      this.heard();
    }, this.timeout);
    try {
      while (!complete()) {
        if (this.gone !== undefined) throw this.failed(this.gone);
        await new Promise<void>((go) => {
          this.heard = go;
        });
      }
    } finally {
      clearTimeout(until);
    }
  }

  private failed(why: Error): SystemFault {
    if ((why as { code?: string }).code === "ENOENT")
      return new SystemFault("driver-missing", "SQLite needs the program sqlite3: install the package sqlite3", {
        peer: { retry: false, counts: false },
        cause: why,
      });
    return sqlFault(this.place.name, undefined, why, true);
  }
}

/** A value as an expression that holds nothing but hex digits of it. */
function literal(value: Json): string {
  if (value === null) return "NULL";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : `CAST(X'${hex(String(value))}' AS REAL)`;
  if (isObject(value) && typeof value.$hex === "string" && /^[0-9a-f]*$/i.test(value.$hex)) return `X'${value.$hex}'`;
  return `CAST(X'${hex(typeof value === "object" ? JSON.stringify(value) : value)}' AS TEXT)`;
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}

/** The answers one behind another, each a list of rows. Whole numbers that JSON's readers would round stand as text. */
function arraysOf(text: string): Json[] {
  const exact = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (found) =>
    /^-?\d{16,}$/.test(found) && !Number.isSafeInteger(Number(found)) ? `"${found}"` : found,
  );
  return exact
    .split(/(?<=\])\n(?=\[)/)
    .map((one) => one.trim())
    .filter((one) => one !== "")
    .map((one) => JSON.parse(one) as Json);
}

function firstOf(errors: string): string {
  return (errors.split("\n")[0] ?? errors).replace(/^(?:Runtime |Parse )?error(?: near line \d+)?: /i, "");
}

/** The SQLSTATE of what SQLite says. */
export function stateOf(errors: string): string {
  if (/UNIQUE constraint|PRIMARY KEY constraint/.test(errors)) return "23505";
  if (/FOREIGN KEY constraint/.test(errors)) return "23503";
  if (/NOT NULL constraint/.test(errors)) return "23502";
  if (/CHECK constraint/.test(errors)) return "23514";
  if (/database (?:table )?is locked|\(5\)|\(6\)$/m.test(errors)) return "55P03";
  if (/no such table/.test(errors)) return "42P01";
  if (/no such column/.test(errors)) return "42703";
  if (/syntax error/.test(errors)) return "42601";
  if (/unable to open database/.test(errors)) return NO_DATABASE;
  return "HY000";
}

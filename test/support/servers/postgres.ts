import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort, until } from "./port.ts";

const BASE = "/usr/lib/postgresql";

/** The folder of the newest installed PostgreSQL's programs. */
function binaries(): string | undefined {
  if (!existsSync(BASE)) return undefined;
  const [newest] = readdirSync(BASE).sort((a, b) => Number(b) - Number(a));
  return newest === undefined ? undefined : join(BASE, newest, "bin");
}

/** What stands against a server on this machine. */
export function postgresLacks(): string | undefined {
  if (binaries() === undefined) return "PostgreSQL is not installed";
  return process.getuid?.() === 0 ? undefined : "only root can start it as the account postgres";
}

/** A PostgreSQL of its own on a port of the loopback. Who starts it stops it. */
export class Postgres {
  readonly port: number;
  private readonly folder: string;
  private child: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.folder = folder;
  }

  static async start(): Promise<Postgres> {
    const folder = mkdtempSync("/var/tmp/setpoint-pg-");
    spawnSync("chown", ["postgres", folder]);
    mkdirSync(join(folder, "run"), { mode: 0o777 });
    spawnSync("chown", ["postgres", join(folder, "run")]);
    const made = spawnSync(
      "setpriv",
      [
        ...PRIVILEGES,
        join(binaries() as string, "initdb"),
        "-D",
        join(folder, "data"),
        "-A",
        "trust",
        "-U",
        "postgres",
        "--no-sync",
        "-E",
        "UTF8",
      ],
      {
        encoding: "utf8",
      },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    const server = new Postgres(await freePort(), folder);
    await server.up();
    return server;
  }

  /** Starts it, or starts it again. */
  async up(): Promise<void> {
    const { port, folder } = this;
    const options = [
      "listen_addresses=127.0.0.1",
      `unix_socket_directories=${join(folder, "run")}`,
      "max_prepared_transactions=20",
      "fsync=off",
    ];
    this.child = spawn(
      "setpriv",
      [
        ...PRIVILEGES,
        join(binaries() as string, "postgres"),
        "-D",
        join(folder, "data"),
        "-p",
        String(port),
        ...options.flatMap((one) => ["-c", one]),
      ],
      { stdio: "ignore" },
    );
    await until("PostgreSQL answers", () => this.try("SELECT 1").status === 0);
  }

  /** Ends it as a crash does. */
  async crash(): Promise<void> {
    await this.end("SIGQUIT");
  }

  async stop(): Promise<void> {
    await this.end("SIGQUIT");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }

  url(database = "postgres", port = this.port): string {
    return `postgresql://postgres:t0ps3cret@127.0.0.1:${port}/${database}`;
  }

  /** The rows of a statement, tuples with `|` between their values. */
  sql(text: string, database = "postgres"): string {
    const ran = this.try(text, database);
    if (ran.status !== 0) throw new Error(ran.stderr);
    return ran.stdout.trim();
  }

  private try(text: string, database = "postgres") {
    return spawnSync(
      "psql",
      ["-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", String(this.port), "-U", "postgres", "-d", database, "-c", text],
      {
        encoding: "utf8",
      },
    );
  }
}

const PRIVILEGES = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];

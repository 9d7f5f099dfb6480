import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort, until } from "./port.ts";

const PATH = `${process.env.PATH}:/usr/sbin`;

/** What stands against a server on this machine. */
export function mariadbLacks(): string | undefined {
  if (spawnSync("sh", ["-c", "command -v mariadbd"], { env: { PATH } }).status !== 0) return "MariaDB is not installed";
  return process.getuid?.() === 0 ? undefined : "only root can start it as the account mysql";
}

/** A MariaDB of its own on a port of the loopback. Who starts it stops it. */
export class Mariadb {
  readonly port: number;
  private readonly folder: string;
  private child: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.folder = folder;
  }

  static async start(): Promise<Mariadb> {
    const folder = mkdtempSync("/var/tmp/setpoint-my-");
    spawnSync("chmod", ["755", folder]);
    mkdirSync(join(folder, "data"));
    spawnSync("chown", ["-R", "mysql", folder]);
    const made = spawnSync(
      "mariadb-install-db",
      ["--no-defaults", "--user=mysql", `--datadir=${join(folder, "data")}`, "--auth-root-authentication-method=normal", "--skip-test-db"],
      { encoding: "utf8", env: { ...process.env, PATH } },
    );
    if (made.status !== 0) throw new Error(`mariadb-install-db: ${made.stderr}${made.stdout}`);
    const server = new Mariadb(await freePort(), folder);
    await server.up();
    server.sql(
      "CREATE DATABASE app; CREATE USER app@'%' IDENTIFIED BY 't0ps3cret'; GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION",
      "mysql",
    );
    return server;
  }

  async up(): Promise<void> {
    const { port, folder } = this;
    this.child = spawn(
      "mariadbd",
      [
        "--no-defaults",
        "--user=mysql",
        `--datadir=${join(folder, "data")}`,
        `--port=${port}`,
        "--bind-address=127.0.0.1",
        `--socket=${join(folder, "s")}`,
        "--skip-name-resolve",
      ],
      { stdio: "ignore", env: { ...process.env, PATH } },
    );
    await until("MariaDB answers", () => this.try("SELECT 1", "mysql").status === 0, 60_000);
  }

  async crash(): Promise<void> {
    await this.end();
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
  }

  url(database = "app", port = this.port): string {
    return `mariadb://app:t0ps3cret@127.0.0.1:${port}/${database}`;
  }

  /** The rows of a statement, with `|` between their values. */
  sql(text: string, database = "app"): string {
    const ran = this.try(text, database);
    if (ran.status !== 0) throw new Error(ran.stderr);
    return ran.stdout.trim().replaceAll("\t", "|");
  }

  private try(text: string, database: string) {
    return spawnSync("mariadb", ["--no-defaults", "-N", "-B", "-u", "root", "-S", join(this.folder, "s"), "-D", database, "-e", text], {
      encoding: "utf8",
    });
  }
}

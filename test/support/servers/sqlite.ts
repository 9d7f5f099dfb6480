import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

export function sqliteLacks(): string | undefined {
  return spawnSync("sqlite3", ["--version"]).status === 0 ? undefined : "sqlite3 is not installed";
}

/** A database of SQLite in a folder of its own. */
export class Sqlite {
  private readonly folder = mkdtempSync("/var/tmp/setpoint-sqlite-");
  readonly file = join(this.folder, "app.db");

  url(): string {
    return `sqlite://${this.file}`;
  }

  sql(text: string): string {
    const ran = spawnSync("sqlite3", ["-batch", "-cmd", ".timeout 10000", this.file, text], { encoding: "utf8" });
    if (ran.status !== 0) throw new Error(ran.stderr);
    return ran.stdout.trim();
  }

  async stop(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

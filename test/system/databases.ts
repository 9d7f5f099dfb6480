import { afterAll, beforeAll, describe, test } from "vitest";
import { Mariadb, mariadbLacks } from "../support/servers/mariadb.ts";
import { Postgres, postgresLacks } from "../support/servers/postgres.ts";
import { Sqlite, sqliteLacks } from "../support/servers/sqlite.ts";
import { BIN, Place, type Report, start } from "./machine.ts";

/** What a test of a database sees of it. */
export interface Database {
  readonly dialect: "postgresql" | "mariadb" | "sqlite";
  url(): string;
  /** The rows of a statement, asked by the database's own program, with `|` between their values. */
  sql(text: string): string;
  stop(): Promise<void>;
}

const servers = {
  postgresql: { lacks: postgresLacks, start: async () => Object.assign(await Postgres.start(), { dialect: "postgresql" as const }) },
  mariadb: { lacks: mariadbLacks, start: async () => Object.assign(await Mariadb.start(), { dialect: "mariadb" as const }) },
  sqlite: { lacks: sqliteLacks, start: async () => Object.assign(new Sqlite(), { dialect: "sqlite" as const }) },
};
type Servers = { [name in keyof typeof servers]: Awaited<ReturnType<(typeof servers)[name]["start"]>> };

/** A suite with a server of its own. Without one its tests are skipped, and in CI they fail. */
export function withDatabase<D extends keyof Servers>(dialect: D, body: (it: DatabaseTest<Servers[D]>) => void): void {
  const { lacks, start } = servers[dialect];
  const why = lacks();
  describe(dialect, () => {
    let database: Servers[D];
    beforeAll(async () => {
      if (why === undefined) database = (await start()) as Servers[D];
    });
    afterAll(() => database?.stop());
    body((name, run, timeout) =>
      test(
        name,
        async (context) => {
          if (why !== undefined) {
            if (process.env.CI === "true") throw new Error(why);
            context.skip(why);
          }
          const place = new Place();
          try {
            await run({ db: database, place });
          } finally {
            place.end();
          }
        },
        timeout,
      ),
    );
  });
}

export type DatabaseTest<D extends Database = Database> = (
  name: string,
  run: (at: { readonly db: D; readonly place: Place }) => void | Promise<void>,
  timeout?: number,
) => void;

export const dialects = ["postgresql", "mariadb", "sqlite"] as const;

/** A playbook of resources of one database, whose URL is the input `db`: a secret, where a password is part of it. */
export function book(db: Database, place: Place, resources: string, name = "book"): string {
  const input = `  db: { type: string, secret: ${db.dialect !== "sqlite"} }`;
  return place.write(`${name}.yaml`, `setpoint: 1\nname: ${name}\ninputs:\n${input}\nresources:\n${resources}`);
}

export function env(db: Database, url = db.url()): { readonly env: object } {
  return { env: { SETPOINT_VAR_db: url } };
}

/** As `place.setpoint`, while the proxy that this process runs goes on. */
export function setpoint(place: Place, args: readonly string[], { env }: { readonly env: object }): Promise<Report> {
  return new Promise((done) => {
    const child = start([process.execPath, BIN, ...args, "--json"], {
      cwd: place.folder,
      env: { SETPOINT_STATE_DIR: place.state, ...env } as NodeJS.ProcessEnv,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout?.on("data", (bytes) => {
      out += bytes;
    });
    child.stderr?.on("data", (bytes) => {
      err += bytes;
    });
    child.on("close", (code) => done({ code, out, err, json: out.startsWith("{") ? (JSON.parse(out) as Report["json"]) : {} }));
  });
}

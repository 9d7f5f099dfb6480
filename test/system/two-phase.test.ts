import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { tally } from "../support/figures.ts";
import { MortalPlace } from "../support/mortal-place.ts";
import type { Watcher } from "../support/mortal-system.ts";
import { Mariadb, mariadbLacks } from "../support/servers/mariadb.ts";
import { Postgres, postgresLacks } from "../support/servers/postgres.ts";
import { share } from "../support/share.ts";

const lacks = postgresLacks() ?? mariadbLacks();
/** Every n-th moment; a full run takes each. */
const STEP = Math.max(1, Math.round(1.5 / share));

interface Servers {
  readonly one: Postgres;
  readonly two: Postgres;
  readonly my: Mariadb;
}

/** Two files, two PostgreSQL servers and a MariaDB that change together, and a prepared transaction of somebody else on each server. */
class Scene extends MortalPlace {
  private readonly servers: Servers;

  constructor(servers: Servers) {
    super("two-phase");
    this.servers = servers;
    const { one, two, my } = servers;
    for (const server of [one, two]) {
      server.sql("DROP TABLE IF EXISTS setpoint_receipts, accounts");
      server.sql("CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 20)");
    }
    my.sql("DROP TABLE IF EXISTS setpoint_receipts; DROP TABLE IF EXISTS accounts");
    my.sql("CREATE TABLE accounts (id int PRIMARY KEY, balance int) ENGINE=InnoDB; INSERT INTO accounts VALUES (1, 10)");
    mkdirSync(join(this.folder, "site"));
    writeFileSync(join(this.folder, "site/changed"), "before\n");
    const row = (name: string, id: number) =>
      `      - sql_row: accounts\n        id: ${name}\n        database: \${{ inputs.${name} }}\n        key: { id: ${id} }\n        set: { balance: 99 }\n`;
    writeFileSync(
      join(this.folder, "book.yaml"),
      [
        "setpoint: 1\nname: twophase\ninputs:",
        ...["one", "two", "my"].map((name) => `  ${name}: { type: string, secret: true, from: { file: ${name}.url } }`),
        "resources:\n  - transaction: move\n    mode: two_phase\n    resources:",
        "      - file: site/changed\n        content: after",
        `${row("one", 1)}${row("two", 2)}${row("my", 1)}      - file: site/new\n        content: new\n`,
      ].join("\n"),
    );
    for (const [name, url] of Object.entries({ one: one.url(), two: two.url(), my: my.url() }))
      writeFileSync(join(this.folder, `${name}.url`), url);
  }

  /** What each member has now. */
  state(): string {
    const { one, two, my } = this.servers;
    const text = "SELECT balance FROM accounts ORDER BY id LIMIT 2";
    const files = readdirSync(join(this.folder, "site")).map(
      (name) => `${name}=${readFileSync(join(this.folder, "site", name), "utf8").trim()}`,
    );
    return [one.sql(text), two.sql(text), my.sql(text), ...files].join(" ").replaceAll("\n", ",");
  }

  /** Prepared transactions that are left, by server. */
  prepared(): string {
    const { one, two, my } = this.servers;
    const gids = "SELECT gid FROM pg_prepared_xacts ORDER BY gid";
    return [one.sql(gids), two.sql(gids), my.sql("XA RECOVER").replace(/^[\d|]*/gm, "")].join(" ");
  }
}

const BEFORE = "10,20 10,20 10 changed=before";
const AFTER = "99,20 10,99 99 changed=after new=new";
const FOREIGN = "foreign foreign foreign";

describe("two PostgreSQL servers, a MariaDB and two files in a two-phase transaction", () => {
  let servers: Servers;

  beforeAll(async () => {
    if (lacks !== undefined) {
      if (process.env.CI === "true") throw new Error(lacks);
      return;
    }
    servers = { one: await Postgres.start(), two: await Postgres.start(), my: await Mariadb.start() };
    for (const server of [servers.one, servers.two])
      server.sql("CREATE TABLE other (id int); BEGIN; INSERT INTO other VALUES (1); PREPARE TRANSACTION 'foreign'");
    servers.my.sql(
      "CREATE TABLE other (id int) ENGINE=InnoDB; XA START 'foreign'; INSERT INTO other VALUES (1); XA END 'foreign'; XA PREPARE 'foreign'",
    );
  });

  afterAll(async () => {
    for (const server of Object.values(servers ?? {})) await server.stop();
  });

  async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
    const scene = new Scene(servers);
    try {
      await body(scene);
    } finally {
      scene.end();
    }
  }

  test.skipIf(lacks !== undefined)("all is set, again is nothing, and a revert gives all back", async () => {
    await withScene(async (scene) => {
      expect(scene.state()).toBe(BEFORE);
      const applied = await scene.run(apply);
      expect(applied.exit, applied.said).toBe(0);
      expect(scene.state()).toBe(AFTER);
      expect(scene.prepared()).toBe(FOREIGN);
      expect((await scene.run(apply)).said).toContain("Nothing to do");
      const reverted = await scene.run(revert);
      expect(reverted.exit, reverted.said).toBe(0);
      expect(scene.state()).toBe(BEFORE);
    });
  });

  test.skipIf(lacks !== undefined)("one that cannot vote drops them all, and says what to do", async () => {
    await withScene(async (scene) => {
      servers.two.sql("ALTER TABLE accounts ADD CHECK (balance < 50)");
      const applied = await scene.run(apply);
      expect(applied.exit, applied.said).toBe(6);
      expect(applied.said).toContain("dropped as a whole");
      expect(scene.state()).toBe(BEFORE);
      expect(scene.prepared()).toBe(FOREIGN);
      servers.two.sql("ALTER TABLE accounts DROP CONSTRAINT accounts_balance_check");
      const resumed = await scene.run(resume);
      expect(resumed.exit, resumed.said).toBe(0);
      expect(scene.state()).toBe(AFTER);
    });
  });

  for (const when of ["before", "after"] as const)
    test.skipIf(lacks !== undefined)(
      `I24: the coordinator killed ${when} each step: all commit or all abort, and a resume ends it`,
      async () => {
        let calls = 0;
        await withScene(async (scene) => {
          calls = (await scene.run(apply)).calls;
        });
        let kills = 0;
        for (let at = 1; at <= calls; at += STEP) {
          for (const module of [resume, revert]) {
            await withScene(async (scene) => {
              const killed = await scene.run(apply, at, when);
              const story = `killed ${when} ${at} (${killed.last})`;
              if (scene.begun()) {
                const ended = await scene.run(module);
                expect(ended.exit, `${story}\n${ended.said}`).toBe(0);
              } else if (module === resume) expect((await scene.run(apply)).exit, story).toBe(0);
              expect(scene.state(), story).toBe(module === resume ? AFTER : BEFORE);
              expect(scene.prepared(), story).toBe(FOREIGN);
            });
            kills += 1;
          }
        }
        tally({ invariants: ["I24"], what: "kills of the coordinator", count: kills });
      },
      1_800_000,
    );

  test.skipIf(lacks !== undefined)(
    "I24: a participant crashes at each step: all commit or all abort, once it is there again",
    async () => {
      let crashes = 0;
      for (const name of ["one", "two", "my"] as const) {
        for (let at = 1; ; at += STEP) {
          let crashed = false;
          let queries = 0;
          const pending: Promise<void>[] = [];
          const watcher: Watcher = {
            before: (call) => {
              if (call.name !== "query" || ++queries !== at) return;
              crashed = true;
              pending.push(servers[name].crash());
            },
          };
          await withScene(async (scene) => {
            const first = await scene.run(apply, 0, "before", [watcher]);
            await Promise.all(pending);
            if (crashed) await servers[name].up();
            const story = `${name} crashed at query ${at}: exit ${first.exit}\n${first.said}`;
            if (first.exit !== 0) {
              // 3: it was gone while the plan was made; 9: while all was read once more.
              expect([1, 3, 6, 9], story).toContain(first.exit);
              const again = scene.begun() ? await scene.run(resume) : await scene.run(apply);
              expect(again.exit, `${story}\n${again.said}`).toBe(0);
            }
            expect(scene.state(), story).toBe(AFTER);
            expect(scene.prepared(), story).toBe(FOREIGN);
          });
          if (!crashed) break;
          crashes += 1;
        }
      }
      tally({ invariants: ["I24"], what: "crashes of participants", count: crashes });
    },
    1_800_000,
  );
});

import { afterEach, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { LossyProxy } from "../support/servers/lossy-proxy.ts";
import { until } from "../support/servers/port.ts";
import { shareOf } from "../support/share.ts";
import { book, type Database, env, setpoint, withDatabase } from "./databases.ts";
import { BIN, type Place, start } from "./machine.ts";

const proxies: LossyProxy[] = [];
afterEach(() => {
  for (const proxy of proxies.splice(0)) proxy.stop();
});

async function proxyTo(port: number): Promise<LossyProxy> {
  const proxy = await LossyProxy.start(port);
  proxies.push(proxy);
  return proxy;
}

const PAY = (mark: string) =>
  `  - sql_query: pay\n    database: \${{ inputs.db }}\n    run: [ { text: 'INSERT INTO ledger (what) VALUES (${mark})', values: [ paid ] } ]\n    undo: DELETE FROM ledger\n`;
const ROW = "  - sql_row: accounts\n    database: ${{ inputs.db }}\n    key: { id: 1 }\n    set: { balance: 5 }\n";

/** Starts an apply that is killed once `when` holds. */
async function killed(place: Place, file: string, db: Database, when: () => boolean): Promise<void> {
  const child = start([process.execPath, BIN, "apply", file, "--yes"], {
    cwd: place.folder,
    env: { SETPOINT_STATE_DIR: place.state, SETPOINT_VAR_db: db.url() } as NodeJS.ProcessEnv,
  });
  const gone = new Promise((done) => child.once("exit", done));
  await until("the statement is under way", when);
  child.kill("SIGKILL");
  await gone;
}

for (const dialect of ["postgresql", "mariadb"] as const)
  withDatabase(dialect, (it) => {
    const mark = dialect === "postgresql" ? "$1" : "?";
    const prepare = (db: Database) => {
      for (const table of ["ledger", "accounts", "log"]) db.sql(`DROP TABLE IF EXISTS ${table}`);
      db.sql("CREATE TABLE ledger (what varchar(20))");
      db.sql("CREATE TABLE accounts (id int PRIMARY KEY, balance int)");
      db.sql("INSERT INTO accounts VALUES (1, 10)");
    };

    it("I22: an effect whose answer to COMMIT is lost happens exactly once, and the run knows it", async ({ db, place }) => {
      const proxy = await proxyTo(db.port);
      const count = shareOf(20);
      for (let n = 0; n < count; n++) {
        prepare(db);
        proxy.lost = 0;
        proxy.loses = (text) => /COMMIT/.test(text) && proxy.lost === 0;
        const file = book(db, place, PAY(mark), `lost-${dialect}-${n}`);
        const applied = await setpoint(place, ["apply", file, "--yes"], env(db, db.url(undefined, proxy.port)));
        expect([applied.code, proxy.lost], applied.out).toEqual([0, 1]);
        expect(db.sql("SELECT count(*) FROM ledger")).toBe("1");
      }
      tally({ invariants: ["I22"], what: "lost answers to COMMIT", count });
    });

    it("I22: an effect whose every answer is lost from COMMIT on is in doubt, and resolved by its receipt later", async ({ db, place }) => {
      prepare(db);
      const proxy = await proxyTo(db.port);
      let cut = false;
      proxy.loses = (text) => {
        cut ||= /COMMIT/.test(text);
        return cut;
      };
      const file = book(db, place, PAY(mark), `doubt-${dialect}`);
      const applied = await setpoint(place, ["apply", file, "--yes"], env(db, db.url(undefined, proxy.port)));
      expect(applied.code, applied.out).toBe(6);
      expect(applied.json.summary).toMatchObject({ in_doubt: 1 });
      const resumed = await setpoint(place, ["resume"], env(db, db.url(undefined, proxy.port)));
      expect(resumed.code, resumed.out).toBe(6);
      proxy.loses = () => false;
      // Its breaker is open by now: resumed until that has cooled down.
      await until(
        "it is resolved",
        async () => (await setpoint(place, ["resume"], env(db, db.url(undefined, proxy.port)))).code === 0,
        100_000,
      );
      expect(db.sql("SELECT count(*) FROM ledger")).toBe("1");
    });

    it("a row whose answer to COMMIT is lost is set, and a revert of it whose answer is lost sets it back", async ({ db, place }) => {
      prepare(db);
      const proxy = await proxyTo(db.port);
      proxy.loses = (text) => /COMMIT/.test(text) && proxy.lost === 0;
      const file = book(db, place, ROW, `row-${dialect}`);
      const through = env(db, db.url(undefined, proxy.port));
      const applied = await setpoint(place, ["apply", file, "--yes"], through);
      expect([applied.code, proxy.lost], applied.out).toEqual([0, 1]);
      expect(db.sql("SELECT balance FROM accounts")).toBe("5");
      proxy.lost = 0;
      const reverted = await setpoint(place, ["revert", "--yes"], through);
      expect([reverted.code, proxy.lost], reverted.out).toEqual([0, 1]);
      expect(db.sql("SELECT balance FROM accounts")).toBe("10");
    });

    it("a server that restarts in the middle is waited for", async ({ db, place }) => {
      prepare(db);
      const file = book(db, place, ROW + PAY(mark), `restart-${dialect}`);
      await db.crash();
      const down = place.apply(file, env(db));
      expect(down.code, down.out).not.toBe(0);
      await db.up();
      const up = place.apply(file, env(db));
      // Its breaker may have opened: that is asked once it has cooled down.
      expect([0, 3, 6], up.out).toContain(up.code);
      expect(place.apply(file, { ...env(db), state: place.at("fresh") }).code).toBe(0);
      expect(db.sql("SELECT count(*) FROM ledger")).toBe("1");
    });
  });

withDatabase("postgresql", (it) => {
  /** COMMIT takes two seconds: a deferred trigger sleeps in it. */
  const slow = (db: Database, table: string) =>
    db.sql(
      `CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON ${table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`,
    );
  const isCommitting = (db: Database) => () =>
    db.sql("SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active' AND application_name = 'setpoint'") === "1";
  const setUp = (db: Database) => {
    for (const table of ["ledger", "accounts"]) db.sql(`DROP TABLE IF EXISTS ${table} CASCADE`);
    db.sql("CREATE TABLE ledger (what text); CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10)");
  };

  it("I22: a session that commits two seconds after its client's death is waited for: resume does it once, a revert takes it back", async ({
    db,
    place,
  }) => {
    const count = Math.max(2, shareOf(6));
    for (let n = 0; n < count; n++) {
      setUp(db);
      slow(db, "ledger");
      await killed(place, book(db, place, PAY("$1"), `late-${n}`), db, isCommitting(db));
      expect(db.sql("SELECT count(*) FROM ledger")).toBe("0");
      if (n % 2 === 0) {
        const resumed = place.setpoint(["resume", "--stack", `late-${n}`], env(db));
        expect(resumed.code, resumed.out).toBe(0);
        expect(db.sql("SELECT count(*) FROM ledger")).toBe("1");
      } else {
        const reverted = place.setpoint(["revert", "--stack", `late-${n}`, "--yes"], env(db));
        expect(reverted.code, reverted.out).toBe(0);
        expect(db.sql("SELECT count(*) FROM ledger")).toBe("0");
      }
    }
    tally({ invariants: ["I22"], what: "commits after their client's death", count });
  });

  it("a row that is set two seconds after its client's death is not taken for unset by a resume or a revert", async ({ db, place }) => {
    for (const [command, balance] of [
      ["resume", "5"],
      ["revert", "10"],
    ] as const) {
      setUp(db);
      slow(db, "accounts");
      await killed(place, book(db, place, ROW, `late-row-${command}`), db, isCommitting(db));
      const ended = place.setpoint([command, "--stack", `late-row-${command}`, ...(command === "revert" ? ["--yes"] : [])], env(db));
      expect(ended.code, ended.out).toBe(0);
      expect(db.sql("SELECT balance FROM accounts")).toBe(balance);
    }
  });
});

import { expect } from "vitest";
import { type RegisterKind, SystemFault } from "../../src/core/index.ts";
import { kinds, rowRegister } from "../../src/registers/index.ts";
import { Remotes, realSystem } from "../../src/system/index.ts";
import { openSql } from "../../src/system/network/real-sql.ts";
import { sendSql } from "../../src/system/network/sql-performer.ts";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { book, dialects, env, withDatabase } from "./databases.ts";

const sqlRow = kinds.get("sql_row") as RegisterKind;

for (const dialect of dialects)
  withDatabase(dialect, (it) => {
    it("I11: a row that somebody else changed between the plan and the apply is stale, and nothing is touched", ({ db, place }) => {
      db.sql("DROP TABLE IF EXISTS accounts");
      db.sql("CREATE TABLE accounts (id int PRIMARY KEY, balance int)");
      db.sql("INSERT INTO accounts VALUES (1, 10)");
      const file = book(
        db,
        place,
        "  - sql_row: accounts\n    database: ${{ inputs.db }}\n    key: { id: 1 }\n    set: { balance: 5 }\n",
        `stale-${dialect}`,
      );
      expect(place.setpoint(["plan", file, "--out", place.at("plan.json")], env(db)).code).toBe(2);
      db.sql("UPDATE accounts SET balance = 11");
      const applied = place.setpoint(["apply", place.at("plan.json"), "--yes"], env(db));
      expect(applied.code, applied.out).toBe(4);
      expect(db.sql("SELECT balance FROM accounts")).toBe("11");
    });

    it("I11: of races with another writer for a row none loses an update", async ({ db }) => {
      db.sql("DROP TABLE IF EXISTS races");
      db.sql("CREATE TABLE races (id int PRIMARY KEY, balance int, writes int)");
      db.sql("INSERT INTO races VALUES (1, 0, 0)");
      const count = shareOf(dialect === "postgresql" ? 1000 : 200);
      const system = realSystem();
      const remotes = new Remotes({ system, breakers: [], stopped: () => false });
      const other = await openSql(db.url());
      const reader = { remote: remotes } as never;
      const ended = { set: 0, stale: 0 };
      let writes = 0;
      for (let n = 1; n <= count; n++) {
        const register = rowRegister({ url: db.url(), table: "races", key: { id: 1 }, columns: ["balance"] });
        const [found] = await sqlRow.read([register], reader);
        const [operation] = sqlRow.transition(register, found as never, { is: "row", values: { balance: n } } as never, {});
        if (operation?.do !== "sql") throw new Error("no operation");
        const context = { action: n, attempt: 0, run: `race-${process.pid}`, manner: {}, back: false };
        const ours = sendSql(remotes, { text: () => "" } as never, operation, context);
        // Somebody who adds to what is there: before, within or after our transaction.
        const add = async () => {
          await new Promise((go) => setTimeout(go, (n % 7) * 1.5));
          await other.query("UPDATE races SET balance = balance + 1000000, writes = writes + 1 WHERE id = 1");
          writes += 1;
        };
        const [one] = await Promise.allSettled([Promise.resolve(ours.commit()), add()]);
        const [row] = (await other.query("SELECT balance, writes FROM races")).rows;
        const balance = Number(row?.balance);
        expect(Number(row?.writes)).toBe(writes);
        if (one.status === "fulfilled") {
          ended.set += 1;
          // Set first, then added to: had ours come behind the other's unseen, the sum would be gone.
          expect(balance).toBe(n + 1000000);
        } else {
          expect(one.reason).toBeInstanceOf(SystemFault);
          expect(["precondition", "40001", "55P03"]).toContain((one.reason as SystemFault).code);
          ended.stale += 1;
          expect(balance % 1000000).not.toBe(n);
        }
        await other.query("UPDATE races SET balance = 0 WHERE id = 1");
      }
      await other.close();
      expect(ended.set + ended.stale).toBe(count);
      // A few may all end in one way; of many both must have been met.
      if (count >= 200) expect(Math.min(ended.set, ended.stale)).toBeGreaterThan(0);
      tally({ invariants: ["I11"], what: "races for a row", count });
    });
  });

import { expect } from "vitest";
import { book, type Database, dialects, env, withDatabase } from "./databases.ts";

const users = (db: Database) => {
  db.sql("DROP TABLE IF EXISTS users");
  db.sql("CREATE TABLE users (id int PRIMARY KEY, name varchar(40), status varchar(20), balance decimal(10,2))");
  db.sql("INSERT INTO users VALUES (5, 'Ada', 'active', 10.50), (6, 'Bob', 'active', 1), (7, NULL, 'active', NULL)");
};

for (const dialect of dialects)
  withDatabase(dialect, (it) => {
    it("a row is set, made and taken away; again: nothing; reverted: as before", ({ db, place }) => {
      users(db);
      const before = db.sql("SELECT * FROM users ORDER BY id");
      const file = book(
        db,
        place,
        [
          "  - sql_row: users\n    database: ${{ inputs.db }}\n    key: { id: 5 }\n    set: { status: inactive, balance: '12.5', name: \"O'Hara; \\\\ ü\" }",
          "  - sql_row: users\n    database: ${{ inputs.db }}\n    key: { id: 8 }\n    set: { status: new, balance: 3, name: null }",
          "  - sql_row: users\n    database: ${{ inputs.db }}\n    key: { id: 6 }\n    state: absent\n",
        ].join("\n"),
      );
      const plan = place.setpoint(["plan", file], env(db));
      expect(plan.code, plan.out).toBe(2);
      expect(plan.out).not.toContain("t0ps3cret");
      const applied = place.apply(file, env(db));
      expect(applied.code, applied.out).toBe(0);
      expect(applied.json.summary).toMatchObject({ changed: 3, verified: true });
      expect(db.sql("SELECT id, status, name FROM users ORDER BY id")).toContain("5|inactive|O'Hara; ");
      expect(db.sql("SELECT count(*) FROM users WHERE id = 8 AND balance = 3 AND name IS NULL")).toBe("1");
      expect(db.sql("SELECT count(*) FROM users WHERE id = 6")).toBe("0");
      const again = place.apply(file, env(db));
      expect([again.code, again.json.summary], again.out).toMatchObject([0, { changed: 0 }]);
      const reverted = place.setpoint(["revert", "--yes"], env(db));
      expect(reverted.code, reverted.out).toBe(0);
      expect(db.sql("SELECT * FROM users ORDER BY id")).toBe(before);
      expect(db.sql("SELECT count(*) FROM setpoint_receipts WHERE run <> ''")).not.toBe("0");
    });
  });

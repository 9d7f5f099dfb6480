import { expect } from "vitest";
import { book, dialects, env, withDatabase } from "./databases.ts";

for (const dialect of dialects)
  withDatabase(dialect, (it) => {
    const mark = dialect === "postgresql" ? "$1" : "?";

    it("statements without a question run once, from whatever state directory, and again after their undo", ({ db, place }) => {
      db.sql("DROP TABLE IF EXISTS ledger");
      db.sql("CREATE TABLE ledger (what varchar(40))");
      const file = book(
        db,
        place,
        `  - sql_query: pay\n    database: \${{ inputs.db }}\n    run: [ { text: 'INSERT INTO ledger VALUES (${mark})', values: [ "it's; paid" ] } ]\n    undo: DELETE FROM ledger\n`,
        `once-${dialect}`,
      );
      const applied = place.apply(file, env(db));
      expect(applied.code, applied.out).toBe(0);
      expect(db.sql("SELECT * FROM ledger")).toBe("it's; paid");
      expect(place.apply(file, env(db)).json.summary).toMatchObject({ changed: 0 });
      // Another machine knows nothing of it but what the database says.
      expect(place.apply(file, { ...env(db), state: place.at("other") }).code).toBe(0);
      expect(db.sql("SELECT count(*) FROM ledger")).toBe("1");
      expect(place.setpoint(["revert", "--yes"], env(db)).code).toBe(0);
      expect(db.sql("SELECT count(*) FROM ledger")).toBe("0");
      expect(place.apply(file, env(db)).code).toBe(0);
      expect(db.sql("SELECT count(*) FROM ledger")).toBe("1");
    });

    it("statements with a question run until it finds rows; a table that a migration makes is there for what comes after it", ({
      db,
      place,
    }) => {
      for (const table of ["admins", "orders", "setpoint_migrations"]) db.sql(`DROP TABLE IF EXISTS ${table}`);
      place.write(
        "m/001_admins.sql",
        "CREATE TABLE admins (name varchar(20) PRIMARY KEY);\nINSERT INTO admins VALUES ('root')\n-- undo\nDROP TABLE admins;\n",
      );
      place.write("m/002-orders.sql", "CREATE TABLE orders (id int PRIMARY KEY, paid boolean, total decimal(8,2)); -- the end");
      place.write("m/002-orders.undo.sql", "DROP TABLE orders");
      const resources = [
        "  - migration: m\n    database: ${{ inputs.db }}",
        `  - sql_query: an admin\n    database: \${{ inputs.db }}\n    unless: { text: 'SELECT 1 FROM admins WHERE name = ${mark}', values: [ ada ] }\n    run: INSERT INTO admins VALUES ('ada')\n    undo: DELETE FROM admins WHERE name = 'ada'`,
        "  - sql_row: orders\n    database: ${{ inputs.db }}\n    key: { id: 1 }\n    set: { paid: true, total: '10.50' }\n",
      ].join("\n");
      const file = book(db, place, resources, `until-${dialect}`);
      const plan = place.setpoint(["plan", file], env(db));
      expect([plan.code, JSON.stringify(plan.json)], plan.out).toMatchObject([2, expect.stringContaining("known after")]);
      const applied = place.apply(file, env(db));
      expect(applied.code, applied.out).toBe(0);
      expect(db.sql("SELECT name FROM admins ORDER BY name").split("\n")).toEqual(["ada", "root"]);
      expect(place.apply(file, env(db)).json.summary).toMatchObject({ changed: 0 });
      db.sql("DELETE FROM admins WHERE name = 'ada'");
      expect(place.apply(file, env(db)).json.summary).toMatchObject({ changed: 1 });
      const [again, first] = [
        place.setpoint(["revert", "--yes"], env(db)),
        place.setpoint(["revert", applied.json.run as string, "--yes"], env(db)),
      ];
      expect([again.code, first.code], first.out).toEqual([0, 0]);
      expect(db.sql(COUNT[dialect])).toBe("0");
    });

    it("migrations whose files were changed, taken away or put between others are refused; one that fails leaves nothing", ({
      db,
      place,
    }) => {
      for (const table of ["a", "b", "setpoint_migrations"]) db.sql(`DROP TABLE IF EXISTS ${table}`);
      place.write("m/010_a.sql", "CREATE TABLE a (id int)");
      const file = book(db, place, "  - migration: m\n    database: ${{ inputs.db }}\n    undo: none\n", `order-${dialect}`);
      expect(place.apply(file, env(db)).code).toBe(0);
      place.write("m/010_a.sql", "CREATE TABLE a (id bigint)");
      const why = () => place.setpoint(["plan", file], env(db)).json.problems?.map(({ summary }) => summary);
      expect(why()).toEqual(["a migration that was changed after it was applied"]);
      place.write("m/010_a.sql", "CREATE TABLE a (id int)");
      place.write("m/009_b.sql", "CREATE TABLE b (id int)");
      expect(why()).toEqual(["a migration out of order"]);
      if (dialect === "mariadb") return;
      place.write("n/011_b.sql", "CREATE TABLE b (id int); INSERT INTO nowhere VALUES (1)");
      place.write("n/010_a.sql", "CREATE TABLE a (id int)");
      const broken = book(db, place, "  - migration: n\n    database: ${{ inputs.db }}\n    undo: none\n", `broken-${dialect}`);
      const failed = place.apply(broken, env(db));
      expect([failed.code, failed.out]).toMatchObject([expect.any(Number), expect.stringContaining("nowhere")]);
      expect(failed.code).not.toBe(0);
      expect(db.sql("SELECT count(*) FROM setpoint_migrations")).toBe("1");
      expect(() => db.sql("SELECT * FROM b")).toThrow();
    });
  });

const COUNT = {
  postgresql: "SELECT count(*) FROM pg_tables WHERE tablename IN ('admins', 'orders')",
  mariadb: "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('admins', 'orders')",
  sqlite: "SELECT count(*) FROM sqlite_master WHERE name IN ('admins', 'orders')",
};

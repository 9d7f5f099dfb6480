import { expect } from "vitest";
import { book, type Database, type DatabaseTest, dialects, env, withDatabase } from "./databases.ts";
import type { Place } from "./machine.ts";

/** Applies, applies again without a change, and reverts; `there` and `gone` look in between. */
function roundTrip(db: Database, place: Place, resources: string, name: string, there: () => void, gone: () => void): void {
  const file = book(db, place, resources, name);
  const applied = place.apply(file, env(db));
  expect(applied.code, applied.out).toBe(0);
  expect(applied.json.summary).toMatchObject({ verified: true });
  there();
  const again = place.apply(file, env(db));
  expect([again.code, again.json.summary?.changed], again.out).toEqual([0, 0]);
  const reverted = place.setpoint(["revert", "--stack", name, "--yes"], env(db));
  expect(reverted.code, reverted.out).toBe(0);
  gone();
}

const at = (more: string) => `\n    database: \${{ inputs.db }}\n${more}`;

for (const dialect of dialects)
  withDatabase(dialect, (it: DatabaseTest) => {
    const has = (db: Database, table: string) => {
      try {
        db.sql(`SELECT count(*) FROM ${table}`);
        return true;
      } catch {
        return false;
      }
    };

    it("a table with its index and a row is made, found as declared, and taken away", ({ db, place }) => {
      roundTrip(
        db,
        place,
        [
          `  - sql_table: goods${at("    columns:\n      id: { type: int, identity: true }\n      code: { type: varchar(40), nullable: false }\n      price: { type: 'decimal(10, 2)', default: 1.5 }\n      state: { type: varchar(20), default: it's new }\n      made: { type: timestamp, default: { sql: CURRENT_TIMESTAMP }, nullable: true }\n      live: { type: boolean, default: true }\n    primary_key: [ id ]")}`,
          `  - sql_index: goods_code${at("    table: goods\n    columns: [ code, state ]\n    unique: true")}`,
          `  - sql_row: goods${at("    key: { id: 7 }\n    set: { code: a, live: false, price: '2.50' }\n")}`,
        ].join("\n"),
        `table-${dialect}`,
        () => {
          expect(db.sql("SELECT id, code, state FROM goods")).toBe("7|a|it's new");
          expect(() => db.sql("INSERT INTO goods (id, code) VALUES (8, 'a')")).toThrow();
        },
        () => expect(has(db, "goods")).toBe(false),
      );
    });

    it("columns are added and changed, and set back; what loses data has to be allowed, and what came later is kept", ({ db, place }) => {
      db.sql("DROP TABLE IF EXISTS goods");
      db.sql("CREATE TABLE goods (id int PRIMARY KEY, code varchar(10), old int)");
      db.sql("INSERT INTO goods VALUES (1, 'a', 5)");
      const change = dialect === "sqlite" ? "" : "\n      code: { type: varchar(50), nullable: false, default: none }";
      const more = `  - sql_table: goods${at(`    columns:${change}\n      note: { type: varchar(20) }\n`)}`;
      roundTrip(
        db,
        place,
        more,
        `columns-${dialect}`,
        () => expect(db.sql("SELECT id, code, old FROM goods WHERE note IS NULL")).toBe("1|a|5"),
        () => expect(() => db.sql("SELECT note FROM goods")).toThrow(),
      );
      const exact = `  - sql_table: goods${at("    exact: true\n    columns: { id: int, code: varchar(10) }\n")}`;
      expect(place.apply(book(db, place, exact, `exact-${dialect}`), env(db)).code).toBe(5);
      expect(place.apply(book(db, place, more, `later-${dialect}`), env(db)).code).toBe(0);
      db.sql("UPDATE goods SET note = 'mine'");
      const kept = place.setpoint(["revert", "--stack", `later-${dialect}`, "--yes"], env(db));
      expect(kept.code, kept.out).toBe(6);
      expect(db.sql("SELECT note FROM goods")).toBe("mine");
    });

    it("a table that was made and has rows of others is kept by a revert", ({ db, place }) => {
      db.sql("DROP TABLE IF EXISTS fresh");
      const file = book(db, place, `  - sql_table: fresh${at("    columns: { id: int }\n")}`, `fresh-${dialect}`);
      expect(place.apply(file, env(db)).code).toBe(0);
      db.sql("INSERT INTO fresh VALUES (1)");
      const reverted = place.setpoint(["revert", "--yes"], env(db));
      expect([reverted.code, reverted.out], reverted.out).toMatchObject([6, expect.stringContaining("rows that came later")]);
      expect(db.sql("SELECT id FROM fresh")).toBe("1");
    });
  });

withDatabase("postgresql", (it) => {
  it("a database, a role with its password, a schema, an extension and privileges are made and taken away", ({ db, place }) => {
    const inner = db.url("made");
    const pass = (text: string) => text.replaceAll("${{ inputs.db }}", inner);
    const resources = [
      `  - sql_role: worker${at("    login: true\n    password: s3cret-Päss\n    connection_limit: 5\n    member_of: [ pg_monitor ]")}`,
      `  - sql_database: made${at("    owner: worker\n    encoding: UTF8")}`,
      pass(`  - sql_schema: app${at("    owner: worker")}`),
      pass(
        `  - sql_table: app.jobs${at("    columns: { id: int, tags: 'text[]', at: 'timestamp(3) with time zone', data: jsonb, n: numeric(6) }")}`,
      ),
      pass(`  - sql_index: jobs_id${at("    table: app.jobs\n    columns: [ id ]\n    concurrently: true")}`),
      pass(`  - sql_extension: pg_trgm${at("")}`),
      pass(`  - sql_grant: worker${at("    on: { table: app.jobs }\n    privileges: [ SELECT, insert ]")}`),
      pass(`  - sql_grant: public${at("    on: { schema: app }\n    privileges: [ USAGE ]\n")}`),
      pass(
        `  - sql_row: app.jobs${at("    key: { id: 1 }\n    set: { tags: [ a, 'b \"c\\' ], at: '2024-01-01T10:00:00.5+02:00', data: { b: [ 1, null ], a: x }, n: 5 }\n")}`,
      ),
    ].join("\n");
    roundTrip(
      db,
      place,
      resources,
      "server",
      () => {
        expect(db.sql("SELECT rolcanlogin, rolconnlimit FROM pg_roles WHERE rolname = 'worker'")).toBe("t|5");
        expect(db.sql("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'app'", "made")).toBe("worker");
        expect(
          db.sql("SELECT has_table_privilege('worker', 'app.jobs', 'INSERT'), has_schema_privilege('public', 'app', 'USAGE')", "made"),
        ).toBe("t|t");
        expect(db.sql("SELECT tags[2], data->>'a' FROM app.jobs", "made")).toBe('b "c\\|x');
      },
      () => {
        expect(db.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'worker'")).toBe("0");
        expect(db.sql("SELECT count(*) FROM pg_database WHERE datname = 'made'")).toBe("0");
      },
    );
  });

  it("I19: a new password is set by its hash, found right, and the one from before comes back; no text of it lies anywhere", ({
    db,
    place,
  }) => {
    db.sql("DROP ROLE IF EXISTS rotated; CREATE ROLE rotated LOGIN PASSWORD 'the-old-one'");
    const hash = () => db.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'rotated'");
    const before = hash();
    const file = place.write(
      "book.yaml",
      "setpoint: 1\nname: rotate\ninputs:\n  db: { type: string, secret: true }\n  pw: { type: string, secret: true }\nresources:\n  - sql_role: rotated\n    database: ${{ inputs.db }}\n    password: ${{ inputs.pw }}\n",
    );
    const secrets = { env: { SETPOINT_VAR_db: db.url(), SETPOINT_VAR_pw: "canary-4711-pass" } };
    const applied = place.apply(file, secrets);
    expect(applied.code, applied.out).toBe(0);
    const after = hash();
    expect([after === before, after.startsWith("SCRAM-SHA-256$4096:")]).toEqual([false, true]);
    expect(place.apply(file, secrets).json.summary).toMatchObject({ changed: 0 });
    const dump = place.setpoint(["history"], secrets).out + applied.out;
    expect(dump).not.toContain("canary-4711");
    expect(place.grep("canary-4711")).toEqual([]);
    expect(place.grep(before)).toEqual([]);
    expect(place.setpoint(["revert", "--yes"], secrets).code).toBe(0);
    expect(hash()).toBe(before);
  });

  it("a database with tables of others, and one that is declared absent without leave, are kept", ({ db, place }) => {
    const file = book(db, place, `  - sql_database: kept${at("")}`, "kept");
    expect(place.apply(file, env(db)).code).toBe(0);
    db.sql("CREATE TABLE t (id int)", "kept");
    const reverted = place.setpoint(["revert", "--yes"], env(db));
    expect([reverted.code, reverted.out]).toMatchObject([6, expect.stringContaining("holds tables")]);
    expect(place.apply(book(db, place, `  - sql_database: kept${at("    state: absent\n")}`, "drop"), env(db)).code).toBe(5);
    expect(place.apply(book(db, place, `  - sql_database: kept${at("    state: absent\n    undo: none\n")}`, "drop"), env(db)).code).toBe(
      0,
    );
    expect(db.sql("SELECT count(*) FROM pg_database WHERE datname = 'kept'")).toBe("0");
  });
});

withDatabase("mariadb", (it) => {
  it("a database, an account with its password and privileges are made and taken away", ({ db, place }) => {
    const inner = db.url("made");
    roundTrip(
      db,
      place,
      [
        `  - sql_database: made${at("    encoding: utf8mb4")}`,
        `  - sql_role: worker${at("    host: 127.0.0.1\n    password: s3cret-pass")}`,
        `  - sql_grant: worker${at("    host: 127.0.0.1\n    on: { database: made }\n    privileges: [ SELECT, INSERT ]\n")}`,
        `  - sql_table: jobs${at("    columns: { id: bigint, n: int unsigned, d: double }\n    primary_key: [ id ]\n").replace("${{ inputs.db }}", inner)}`,
      ].join("\n"),
      "server",
      () => {
        expect(db.sql("SELECT authentication_string FROM mysql.user WHERE user = 'worker'")).toBe(db.sql("SELECT PASSWORD('s3cret-pass')"));
        expect(db.sql("SELECT count(*) FROM information_schema.schema_privileges WHERE grantee = \"'worker'@'127.0.0.1'\"")).toBe("2");
      },
      () => {
        expect(db.sql("SELECT count(*) FROM mysql.user WHERE user = 'worker'")).toBe("0");
        expect(db.sql("SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'made'")).toBe("0");
      },
    );
  });
});

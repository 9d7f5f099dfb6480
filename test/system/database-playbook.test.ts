import { cpSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { dialects, env, withDatabase } from "./databases.ts";
import { PLAYBOOKS } from "./machine.ts";

withDatabase("postgresql", (it) => {
  it("the example of a database is planned, applied, found in sync, verified, and reverted", ({ db, place }) => {
    cpSync(PLAYBOOKS, place.at("playbooks"), { recursive: true });
    const example = place.at("playbooks/database.yaml");
    const server = db.url().replace(/\/postgres$/, "");
    const given = { env: { SETPOINT_VAR_server: server, SETPOINT_VAR_password: "a-long-pa55word" } };
    const before = db.sql("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles ORDER BY 1");
    const planned = place.setpoint(["plan", example], given);
    expect(planned, planned.err + planned.out).toMatchObject({ code: 2 });
    const applied = place.setpoint(["apply", example, "--yes"], given);
    expect(applied, applied.err + applied.out).toMatchObject({ code: 0, json: { status: "applied", summary: { verified: true } } });
    expect(db.sql("SELECT name || '=' || value FROM app.settings", "shop")).toBe("currency=EUR");
    expect(db.sql("INSERT INTO app.orders (buyer) VALUES ('ada') RETURNING id, amount", "shop")).toBe("1|0.00");
    expect(
      db.sql(
        "SELECT has_table_privilege('shop_app', 'app.orders', 'INSERT'), has_table_privilege('shop_app', 'app.orders', 'DELETE')",
        "shop",
      ),
    ).toBe("t|f");
    expect(db.sql("SELECT indexname FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1", "shop")).toContain("orders_by_buyer");
    expect(place.setpoint(["apply", example, "--yes"], given)).toMatchObject({ code: 0, json: { status: "in-sync" } });
    expect(place.setpoint(["verify", example], given)).toMatchObject({ code: 0 });
    db.sql("DELETE FROM app.orders; UPDATE app.settings SET value = 'USD'", "shop");
    expect(place.setpoint(["verify", example], given).code, "drift is seen").not.toBe(0);
    expect(place.setpoint(["apply", example, "--yes"], given)).toMatchObject({ code: 0, json: { summary: { changed: 1 } } });
    expect(place.setpoint(["revert", "--yes"], given)).toMatchObject({ code: 0, json: { status: "reverted" } });
    expect(db.sql("SELECT value FROM app.settings", "shop")).toBe("USD");
    db.sql("UPDATE app.settings SET value = 'EUR'", "shop");
    const reverted = place.setpoint(["revert", applied.json.run ?? "", "--yes"], given);
    expect(reverted, `${reverted.err}${reverted.out}`).toMatchObject({ code: 0, json: { status: "reverted" } });
    expect(db.sql("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles ORDER BY 1")).toBe(before);
    expect(place.grep("a-long-pa55word")).toEqual([]);
  });
});

/** The playbook in the guide's section on databases. */
const section = readFileSync(new URL("../../docs/guide.md", import.meta.url), "utf8").split("\n## Databases\n")[1] ?? "";
const [, snippet = ""] = /```yaml\n([\s\S]*?)```/.exec(section) ?? [];

for (const dialect of dialects)
  withDatabase(dialect, (it) => {
    it("what the guide says of databases is applied, in sync, and reverted", ({ db, place }) => {
      const site = place.write(
        "site.yaml",
        `setpoint: 1\nname: guide\n${dialect === "sqlite" ? snippet.replace("secret: true", "secret: false") : snippet}`,
      );
      const applied = place.apply(site, env(db));
      expect(applied, applied.err + applied.out).toMatchObject({ code: 0, json: { summary: { changed: 3, verified: true } } });
      expect(db.sql("SELECT id, email, status FROM users ORDER BY id").replaceAll("\t", "|")).toBe(
        "1|ada@example.com|active\n5|five@example.com|inactive",
      );
      expect(place.apply(site, env(db))).toMatchObject({ code: 0, json: { status: "in-sync" } });
      const reverted = place.setpoint(["revert", "--yes"], env(db));
      expect(reverted, reverted.err + reverted.out).toMatchObject({ code: 0, json: { status: "reverted" } });
    });
  });

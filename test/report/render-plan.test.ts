import { describe, expect, test } from "vitest";
import type { Address } from "../../src/core/index.ts";
import { loadPainter, renderPlan, withoutCommands } from "../../src/report/index.ts";
import { absent, change, file, look, memory, nowhere, plain, plan, richPlan } from "./builders.ts";
import { expectGolden } from "./golden.ts";

describe("a plan for people", () => {
  test("shows every sort of change", async () => {
    const rich = richPlan();
    expectGolden("plan.txt", await renderPlan(rich.plan, rich.look, plain));
  });

  test("unfolds with --full, and does with ASCII", async () => {
    const rich = richPlan();
    expectGolden("plan-full-ascii.txt", await renderPlan(rich.plan, rich.look, { ...plain, full: true, unicode: false }));
  });

  test("in colour is the same text, with nothing but colours in between", async () => {
    const rich = richPlan();
    await loadPainter(1);
    const coloured = await renderPlan(rich.plan, rich.look, { ...plain, colour: 1 });
    expect(coloured).toContain("\x1b[32m+hello\x1b[39m");
    expect(coloured.replaceAll(/\x1b\[\d+m/g, "")).toBe(await renderPlan(rich.plan, rich.look, plain));
  });

  test("with nothing in it says so and reads no content", async () => {
    const contents = memory();
    expect(await renderPlan(plan([]), look(contents), plain)).toBe("Nothing to do: 57 resources are in sync.\n");
    expect(contents.reads).toBe(0);
  });

  test("never shows a sensitive content, whatever makes it one", async () => {
    const contents = memory();
    const old = contents.put("hunter1\n");
    const secret = contents.put("hunter2\n");
    const others = look(contents);
    const cases = [
      { plan: plan([change(0, "/a", file(old), file(secret))]), look: look(contents, secret) },
      { plan: plan([change(0, "/a", file(secret), file(old))]), look: look(contents, secret) },
      { plan: plan([change(0, "/a", file(old), file(secret), { manner: { sensitive: true } })]), look: others },
      { plan: plan([change(0, "/a", file(old, { mode: 0o640 }), file(secret))]), look: others },
      { plan: plan([change(0, "/a", absent, file(secret, { mode: 0o600 }))]), look: others },
      { plan: plan([change(0, "/a", file(secret), absent)]), look: look(contents, secret) },
    ];
    for (const one of cases) {
      const text = await renderPlan(one.plan, one.look, { ...plain, full: true });
      expect(text).not.toContain("hunter");
      expect(text).toContain("(sensitive)");
    }
    const lifted = plan([change(0, "/a", file(old, { mode: 0o600 }), file(secret, { mode: 0o600 }), { manner: { sensitive: false } })]);
    expect(await renderPlan(lifted, others, plain)).toContain("+hunter2");
  });

  test("shows a change whose content cannot be read any more", async () => {
    expect(await renderPlan(plan([change(0, "/a", absent, file(nowhere))]), look(memory()), plain)).toContain("cannot be read any more");
  });

  test("shows bytes that are no UTF-8, line ends of DOS and tabs that alone differ", async () => {
    const contents = memory();
    const one = plan([
      change(0, "/latin", file(contents.put("a\n")), file(contents.put(Buffer.from([0xe9, 0x0a])))),
      change(1, "/dos", file(contents.put("a\n")), file(contents.put("a\r\n"))),
      change(2, "/tabs", file(contents.put("    all\n")), file(contents.put("\tall\n"))),
    ]);
    const text = await renderPlan(one, look(contents), plain);
    expect(text).toContain("+\\xe9\n");
    expect(text).toContain("+a\\r\n");
    expect(text).toContain("+→       all\n");
  });

  test("of many changes lists the first, counts the rest and names every delete and irreversible one, reading none of the folded", async () => {
    const contents = memory();
    const tree = [{ address: "tree:/srv" as Address, at: { file: "site.yaml", line: 3, column: 5 } }];
    const changes = Array.from({ length: 10_000 }, (_, n) => change(n, `/srv/${n}`, absent, file(nowhere), { resources: tree }));
    changes.push(
      change(10_000, "/etc/gone", file(nowhere), absent),
      change(10_001, "/etc/never", absent, file(nowhere), { label: "irreversible" }),
    );
    const many = plan(changes);
    const text = await renderPlan(many, look(contents), plain);
    expect(contents.reads).toBeLessThan(60);
    // The fastest of a few: other work on the machine must not count.
    let fastest = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round += 1) {
      const from = performance.now();
      await renderPlan(many, look(contents), plain);
      fastest = Math.min(fastest, performance.now() - from);
    }
    expect(fastest).toBeLessThan(150);
    expect(text).toContain("- file:/etc/gone");
    expect(text).toContain("file:/etc/never  site.yaml:10006  IRREVERSIBLE");
    expect(text).toContain("9,950 more changes (--full shows all):\n    tree:/srv  9,950 to create");
    expect(text).toContain("Plan: 10,001 to create, 1 to delete.");
  });

  test("breaks what a CI runner would take for a command", async () => {
    const contents = memory();
    const hostile = plan([
      change(0, "/a", file(contents.put("::set-env name=A::b\n##[error]\n")), file(contents.put("::set-env name=A::b\n##[error]\nmore\n"))),
    ]);
    const text = withoutCommands(await renderPlan(hostile, look(contents), plain));
    expect(text).not.toMatch(/^\s*::/m);
    expect(text).not.toContain("##[");
  });
});

import { describe, expect, test } from "vitest";
import type { Address, RegisterId } from "../../src/core/index.ts";
import { jsonText, planJson, renderHistory, renderReport, renderRun, renderStatus, renderWhy, runJson } from "../../src/report/index.ts";
import { absent, file, nowhere, plain, problem, report, result, richPlan, runName } from "./builders.ts";
import { expectGolden } from "./golden.ts";

const time = (at: number): string => new Date(at).toISOString().slice(0, 19).replace("T", " ");
const halted = report(
  [
    result("path:/etc/a", "set", { before: absent, after: file(nowhere) }),
    result("path:/etc/b", "conflict", {
      before: file(nowhere),
      after: file(nowhere, { mode: 0o600 }),
      found: file(nowhere, { mode: 0o777, owner: "eve" }),
    }),
    result("path:/etc/c", "failed", { detail: "ENOSPC: no space left\non /etc" }),
    result("call:pay", "unknown"),
    result("path:/etc/d", "blocked"),
    ...Array.from({ length: 30 }, (_, n) => result(`path:/srv/${n}`, "pending")),
  ],
  {
    status: "halted",
    exit: 6,
    next: `setpoint resume ${runName}`,
    problems: [problem("disk-full", { summary: "the disk is full", detail: "Make room, then resume." })],
  },
);

describe("the end of a run", () => {
  test("counts what was done, in one line where all went well", () => {
    const good = report([result("path:/a", "set"), result("path:/b", "set"), result("path:/c", "set")]);
    expect(renderReport(good, plain)).toBe("Applied: 3 changed, 0 already, 0 conflicts, verified.\n");
    expect(renderReport({ ...good, status: "in-sync" }, plain)).toBe("Nothing to do: everything is in sync.\n");
    expect(renderReport({ ...good, exit: 9, summary: { ...good.summary, verified: false } }, plain)).toContain("NOT verified");
    const diverged = { code: "diverged", severity: "error" as const, summary: "s", detail: "d" };
    expect(renderReport({ ...good, exit: 9, summary: { ...good.summary, verified: false }, problems: [diverged] }, plain)).toContain(
      "DIVERGED",
    );
  });

  test("shows conflicts with their three states, what is left and the command that leads on", () => {
    expectGolden("run.txt", renderReport(halted, plain));
  });

  test("and a plan keep their documented JSON", () => {
    expectGolden("plan.json", `${jsonText(planJson(richPlan().plan, { digest: "not mine", hint: "extra" }), 2)}\n`);
    expectGolden("run.json", `${jsonText(runJson({ ...halted, actions: halted.actions.slice(0, 3) }), 2)}\n`);
  });

  test("JSON text escapes what steers a terminal and stays the same value", () => {
    const value = { "\x1b": "\x7f\x9b\u202e\u2028\udc80 é" };
    expect(jsonText(value)).toBe('{"\\u001b":"\\u007f\\u009b\\u202e\\u2028\\udc80 é"}');
    expect(JSON.parse(jsonText(value))).toEqual(value);
  });
});

describe("tables", () => {
  const row = { run: runName, stack: "web", kind: "apply", status: "applied", at: 1_785_579_072_000, changed: 1234 } as const;

  test("of runs, status, one register and one run are aligned", () => {
    const register = "path:/etc/hosts" as RegisterId;
    const texts = [
      renderHistory([row, { ...row, stack: "日本語", status: "revert-halted", conflicts: 2, failed: 1, changed: 1 }], plain, time),
      renderStatus(
        [
          {
            stack: "web",
            owned: 12,
            last: row,
            open: { run: runName, status: "halted", left: 3, next: "setpoint resume" },
            inDoubt: [{ address: "call:pay", next: "setpoint answer call:pay happened" }],
            prepared: [
              {
                transaction: "order",
                decision: "commit",
                address: "sql_row:stock",
                register: "sql_row:postgresql://db/shop/stock#id=1" as RegisterId,
                server: "postgresql://db",
                name: "sp1:run:order:3",
                since: row.at,
              },
            ],
            debts: [{ register: "service:nginx" as RegisterId, why: "restart" }],
            orphans: [{ address: "file:/x" as Address, register }],
          },
          { stack: "idle", owned: 1, inDoubt: [], prepared: [], debts: [], orphans: [] },
        ],
        plain,
        time,
        [
          { origin: "https://api.example.com", failures: 5, until: row.at },
          { origin: "https://b.example.com", failures: 1 },
        ],
      ),
      renderWhy(
        {
          register,
          current: file(nowhere),
          declared: [{ address: "line:/etc/hosts#a" as Address, at: { file: "site.yaml", line: 3, column: 5 }, aspects: ["line a"] }],
          owners: [{ stack: "web", aspects: ["line a"] }],
          sets: [{ run: runName, stack: "web", at: row.at, before: absent, after: file(nowhere) }],
        },
        plain,
        time,
      ),
      renderWhy({ register, declared: [], owners: [], sets: [] }, plain, time),
      renderRun(
        {
          ...row,
          endedAt: row.at + 61_000,
          by: "root",
          actions: halted.actions.slice(0, 4),
          playbooks: ["site.yaml"],
          next: "setpoint revert",
        },
        plain,
        time,
      ),
    ];
    expectGolden("tables.txt", texts.join("\n--\n\n"));
    expect(renderHistory([], plain, time)).toBe("No runs yet.\n");
  });
});

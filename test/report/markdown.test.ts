import { describe, expect, test } from "vitest";
import type { Address } from "../../src/core/index.ts";
import { markdownReport } from "../../src/report/index.ts";
import { absent, change, file, look, memory, plan, problem, report, result, richPlan } from "./builders.ts";
import { expectGolden } from "./golden.ts";

/** Reads Markdown's code blocks as a parser does; throws where one is left open. */
function outsideFences(text: string): string {
  const outside: string[] = [];
  let fence: string | undefined;
  for (const line of text.split("\n")) {
    const run = /^ {0,3}(`{3,})[a-z]*$/.exec(line)?.[1];
    if (fence === undefined && run !== undefined) fence = run;
    else if (fence !== undefined && line.trimStart().startsWith(fence) && /^ {0,3}`+\s*$/.test(line)) fence = undefined;
    else if (fence === undefined) outside.push(line);
  }
  if (fence !== undefined) throw new Error("a code block is left open");
  return outside.join("\n");
}

describe("a report for a pull request", () => {
  test("has counts, what is destroyed, all changes and folded diffs", async () => {
    const rich = richPlan();
    expectGolden("plan.md", await markdownReport(rich.plan, undefined, rich.look));
    const run = report([result("path:/etc/motd", "set"), result("path:/etc/b", "failed", { detail: "ENOSPC" })], {
      status: "halted",
      exit: 6,
      next: "setpoint resume",
      problems: [problem("x", { at: { file: "a", line: 1, column: 1 } })],
    });
    expectGolden("run.md", await markdownReport(rich.plan, run, rich.look));
  });

  test("stays under GitHub's limit however large the plan is, with every block closed", async () => {
    const contents = memory();
    const big = contents.put("日本語 `````` text\n".repeat(3000));
    const changes = Array.from({ length: 5000 }, (_, n) =>
      n % 3 === 0
        ? change(n, `/srv/${"日".repeat(20)}${n}`, file(big), absent)
        : change(n, `/srv/${n}`, n % 3 === 1 ? absent : file(contents.put(`a\n${n}\n`)), file(big)),
    );
    const failed = report(
      changes.map((one) => result(`path:${one.register.key}`, "failed", { detail: "日本".repeat(300) })),
      { status: "halted" },
    );
    for (const [chosen, run] of [
      [changes, undefined],
      [changes, failed],
      [changes.filter((one) => one.action !== "delete"), undefined],
      [changes.slice(1, 3), undefined],
      [changes.filter((one) => one.action !== "delete").slice(0, 90), failed],
    ] as const) {
      const text = await markdownReport(plan(chosen), run, look(contents));
      expect(Buffer.byteLength(text)).toBeLessThan(65_536);
      outsideFences(text);
      if (chosen.length > 2) expect(text).toMatch(/cut/);
      if (run) expect(text).toContain("### Left");
    }
  });

  test("takes no markup, HTML, mention or fence from strangers", async () => {
    const contents = memory();
    const evil = "</details><script>alert(1)</script> @everyone | `x` [a](http://b) ![i](j) <!-- \n```\n# hi\n~~~";
    const hostile = plan(
      [
        change(0, `/etc/${evil}`, absent, file(contents.put(`${evil}\n\`\`\`\`\`\n`))),
        change(
          1,
          "/x",
          absent,
          { is: "directory", owner: evil },
          { resources: [{ address: `a:${evil}` as Address, at: { file: evil, line: 1, column: 1 } }], foreign: evil, tentative: evil },
        ),
        change(2, "/context", file(contents.put("a\n```\n<b>\n````\n@all\n")), file(contents.put("b\n```\n<b>\n````\n@all\n"))),
      ],
      { stack: evil },
    );
    const run = report([result(`path:${evil}`, "conflict", { detail: evil, found: { is: evil } })], {
      next: evil,
      problems: [problem(evil, { detail: evil })],
    });
    const text = outsideFences(await markdownReport(hostile, run, look(contents)));
    expect(text.replaceAll(/<\/?(?:code|details|summary)>/g, "")).not.toMatch(/[<@`[\]!]/);
    for (const row of text.split("\n").filter((line) => line.startsWith("|"))) expect(row.split("|")).toHaveLength(6);
  });
});

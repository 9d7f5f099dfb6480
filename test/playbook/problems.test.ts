import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type JsonObject, type Problem, SystemFault } from "../../src/core/index.ts";
import { lintPlaybook, loadPlaybook, type PlaybookSources } from "../../src/playbook/index.ts";
import { fakeTypes, sources } from "./fake-types.ts";

interface Case {
  readonly name: string;
  readonly playbook: string;
  readonly whole?: boolean;
  readonly given?: { readonly [name: string]: string | number };
  readonly facts?: JsonObject;
  readonly selection?: Partial<PlaybookSources["selection"]>;
  readonly fails?: string;
  readonly lint?: boolean;
  readonly problems?: readonly string[];
  readonly first?: string;
  readonly never?: readonly string[];
}

const cases = parse(readFileSync(new URL("problems.cases.yaml", import.meta.url), "utf8")) as readonly Case[];

describe("every problem has its code and exact place", () => {
  for (const one of cases) {
    test(one.name, async () => {
      const text = one.whole ? one.playbook : `setpoint: 1\nname: web\n${one.playbook}`;
      const given = Object.fromEntries(Object.entries(one.given ?? {}).map(([name, value]) => [name, String(value)]));
      const command = (): string => {
        throw new SystemFault("ENOENT", one.fails ?? "");
      };
      const found = one.lint
        ? await lintPlaybook(text, "web.yaml", fakeTypes)
        : await loadPlaybook(
            text,
            "web.yaml",
            sources({ given, ...(one.facts && { facts: one.facts }), ...(one.selection && { selection: one.selection }), command }),
          ).then((loaded) => (loaded.ok ? loaded.value.warnings : loaded.problems));
      if (one.first !== undefined) return expectProblem(found[0], one.first);
      const wanted = one.problems ?? [];
      expect(found.map(shown), found.map((problem) => problem.detail).join("\n")).toEqual(wanted.map((line) => line.split("  ")[0]));
      for (const [index, line] of wanted.entries()) expectProblem(found[index], line.replace(/^\S+ /, ""));
      for (const problem of found) {
        expect(problem.excerpt).toBe(problem.at && text.split("\n")[problem.at.line - 1]);
        for (const secret of one.never ?? []) expect(JSON.stringify(problem)).not.toContain(secret);
      }
    });
  }
});

function shown(problem: Problem): string {
  return `${problem.at ? `${problem.at.line}:${problem.at.column}` : "-"} ${problem.code}`;
}

function expectProblem(problem: Problem | undefined, line: string): void {
  const [code = "", detail = ""] = line.split("  ");
  expect(problem?.code).toBe(code);
  expect(problem?.detail).toContain(detail);
}

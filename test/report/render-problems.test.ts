import { describe, expect, test } from "vitest";
import type { Address } from "../../src/core/index.ts";
import { githubAnnotations, problemsJson, renderProblems } from "../../src/report/index.ts";
import { plain, problem } from "./builders.ts";
import { expectGolden } from "./golden.ts";

const several = [
  problem("no-place", { severity: "note", summary: "nothing selected", detail: "--only names no resource." }),
  problem("unknown-key", {
    at: { file: "site.yaml", line: 12, column: 5 },
    address: "file:/etc/motd" as Address,
    excerpt: "    modee: '0644'",
  }),
  problem("fight", {
    severity: "warning",
    summary: "two resources fight",
    detail: "a and b\nboth set mode.",
    at: { file: "site.yaml", line: 3, column: 2 },
    excerpt: "\tmode: '0600'",
    more: "-mode 0644\n+mode 0600\n",
  }),
  problem("minified", { at: { file: "a.json", line: 1, column: 301 }, excerpt: `${"x".repeat(300)}!${"y".repeat(300)}` }),
];

describe("problems", () => {
  test("stand as compilers show them, sorted by place", () => {
    expectGolden("problems.txt", renderProblems(several, plain));
    expect(renderProblems([], plain)).toBe("");
  });

  test("put the caret under the character, also behind tabs, wide characters and escapes", () => {
    const at = (excerpt: string, column: number): number => {
      const lines = renderProblems([problem("x", { at: { file: "f", line: 1, column }, excerpt })], plain).split("\n");
      return (lines.find((line) => /^ +\| +\^$/.test(line)) ?? "").indexOf("^") - "1 | ".length;
    };
    expect(at("abc", 1)).toBe(0);
    expect(at("\tabc", 2)).toBe(8);
    expect(at("日本x", 3)).toBe(4);
    expect(at("\x1bx", 2)).toBe(4);
    expect(at("abc", 99)).toBe(3);
  });

  test("as annotations escape what GitHub's runner reads", () => {
    const text = githubAnnotations([
      problem("a", { summary: "100%: a,b", detail: "one\ntwo::three 5%\r\n::error::x", at: { file: "a,b:c.yaml", line: 2, column: 3 } }),
    ]);
    expect(text).toBe("::error file=a%2Cb%3Ac.yaml,line=2,col=3,title=100%25%3A a%2Cb [a]::one%0Atwo::three 5%25%0A::error::x\n");
    expect(githubAnnotations([problem("n", { severity: "note" })])).toMatch(/^::notice title=/);
    expectGolden("annotations.txt", githubAnnotations(several));
  });

  test("as JSON keep their fields", () => {
    expect(problemsJson(several.slice(1, 2))).toEqual([{ ...several[1] }]);
  });
});

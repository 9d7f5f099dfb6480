import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/registers/text/index.ts";

describe("a pattern", () => {
  test.each([
    ["a(?=b)", "lookahead (?=…) at character 2"],
    ["a(?!b)", "negative lookahead"],
    ["(?<!x)y", "lookbehind"],
    ["(?<=x)y", "lookbehind"],
    ["(a)\\1", "a backreference such as \\1 at character 4"],
    ["(?P<n>a)(?P=n)", "a backreference (?P=…) at character 9"],
    ["(?<n>a)\\k<n>", "a backreference \\k<…>"],
    ["(?>a)", "an atomic group"],
    ["a++", "a possessive repetition"],
    ["(?x)a b", "the x flag"],
    ["a\\Z", "write \\z, or $"],
    ["\\u00fc", "write \\x{XXXX}"],
  ])("with the foreign syntax %s is refused with a way round", (source, detail) => {
    expect(compile(source)).toMatchObject({
      ok: false,
      summary: "the pattern uses syntax that is not supported",
      detail: expect.stringContaining(detail),
    });
  });

  test.each([
    ["a(b", "missing closing ) at character 2"],
    ["a)b", "unexpected ) at character 2"],
    ["a[b", "missing closing ] at character 2"],
    ["x[z-a]", "invalid character class range at character 3"],
    ["*a", "missing argument to repetition operator at character 1"],
    ["a{2000}", "invalid repeat count at character 2"],
    ["a\\", "trailing backslash"],
  ])("that is broken, %s, says where", (source, detail) => {
    expect(compile(source)).toMatchObject({
      ok: false,
      summary: "the pattern is not a regular expression",
      detail: expect.stringContaining(detail),
    });
  });

  test.each([
    "[(?=]",
    "\\(\\?=",
    "\\\\1",
    "[]a]",
    "[^]\\]]",
    "[[:alpha:]]",
    "\\Q(?=\\E",
    "(?i)a",
    "(?P<n>a)(?<m>b)",
    "\\d{1,3}\\s+",
    "a+?",
  ])("%s is one", (source) => {
    expect(compile(source)).toMatchObject({ ok: true });
  });

  test("never throws, and finds exactly where it tests", () => {
    const source = fc.oneof(
      fc.string(),
      fc
        .array(fc.constantFrom("(", ")", "[", "]", "a", "b", "|", "*", "+", "?", "\\", "^", "$", ".", "(?:", "{2}", "\\b", "\\s"), {
          maxLength: 8,
        })
        .map((all) => all.join("")),
    );
    fc.assert(
      fc.property(source, fc.constantFrom("", "a", "ab ba", "aab\n", "(?:)"), (pattern, text) => {
        const compiled = compile(pattern);
        if (compiled.ok) expect(compiled.pattern.find(text) !== undefined).toBe(compiled.pattern.test(text));
      }),
      { numRuns: 3000 },
    );
  });

  test("that would take a backtracking engine years is quick", () => {
    const compiled = compile("^(a+)+$");
    expect(compiled.ok && compiled.pattern.test(`${"a".repeat(50_000)}b`)).toBe(false);
  });

  test("finds all matches, and no empty one right behind another", () => {
    const compiled = compile("a*");
    const all = compiled.ok ? [...compiled.pattern.findAll("aab")].map((match) => [match.start, match.end]) : [];
    expect(all).toEqual([
      [0, 2],
      [3, 3],
    ]);
  });
});

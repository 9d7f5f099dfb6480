import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  type BlockWant,
  type LineWant,
  type ReplaceWant,
  replaceText,
  setBlock,
  setLine,
  type TextResult,
  withoutBlock,
  withoutLine,
} from "../../../src/registers/text/index.ts";

type Case<W> = {
  readonly name: string;
  readonly text: string;
  readonly want: W;
  readonly result?: string;
  readonly unchanged?: true;
  readonly problem?: string;
  readonly detail?: string;
  readonly released?: string;
};

function cases<W>(kind: string): Case<W>[] {
  return parse(readFileSync(new URL(`${kind}.cases.yaml`, import.meta.url), "utf8"));
}

function check<W>(one: Case<W>, set: (text: string) => TextResult, release?: (text: string) => TextResult): void {
  const made = set(one.text);
  if (one.problem !== undefined) {
    expect(made).toMatchObject({ ok: false, summary: one.problem, detail: expect.stringContaining(one.detail ?? "") });
    return;
  }
  expect(made).toEqual({ ok: true, text: one.unchanged === true ? one.text : one.result });
  if (!made.ok) return;
  expect(set(made.text)).toEqual(made);
  if (one.released !== undefined) expect(release?.(made.text)).toEqual({ ok: true, text: one.released });
}

describe("line", () => {
  test.each(cases<Partial<LineWant>>("line"))("$name", (one) => {
    const want: LineWant = { state: "present", occurrence: "last", position: "end", ...one.want };
    check(
      one,
      (text) => setLine(text, want),
      (text) => withoutLine(text, want, one.text),
    );
  });

  const base: LineWant = { state: "present", text: "x=9", match: "^x=", occurrence: "last", position: "end" };
  test.each([
    ["a release keeps what others wrote since", base, "x=1\n", "new\nx=9\nb\n", "new\nx=1\nb\n"],
    ["a release leaves a line alone that somebody changed", base, "x=1\n", "x=5\n", "x=5\n"],
    ["a release does not double a line that somebody put back", base, "x=1\n", "x=1\nx=9\n", "x=1\n"],
    ["a release keeps a line that stood there before", base, "x=9\n", "x=9\nb\n", "x=9\nb\n"],
    ["a release without the text before takes our line out", base, undefined, "a\nx=9\nb\n", "a\nb\n"],
    [
      "a release tells the first line from its like",
      { ...base, occurrence: "first" as const },
      "x=1\nx=9\n",
      "a\nx=9\nx=9\n",
      "a\nx=1\nx=9\n",
    ],
    [
      "a release puts dropped lines back behind the first",
      { ...base, occurrence: "only" as const },
      "x=1\nb\nx=2\n",
      "a\nx=9\nb\n",
      "a\nx=1\nx=2\nb\n",
    ],
    ["a release of an absent line brings nothing back", { ...base, state: "absent" as const }, "x=1\n", "", ""],
  ])("%s", (_, want, was, text, after) => {
    expect(withoutLine(text, want, was)).toEqual({ ok: true, text: after });
  });
});

describe("block", () => {
  test.each(cases<Partial<BlockWant>>("block"))("$name", (one) => {
    const want: BlockWant = { state: "present", marker: "web", comment: "#", position: "end", ...one.want };
    check(
      one,
      (text) => setBlock(text, want),
      (text) => withoutBlock(text, want, one.text),
    );
  });
});

describe("replace", () => {
  test.each(cases<ReplaceWant>("replace"))("$name", (one) => {
    check(one, (text) => replaceText(text, one.want));
  });
});

test("a megabyte of 20000 lines is edited in well under half a second", () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index} some line with key=value and number ${index * 7} as padding`);
  const text = `${lines.join("\n")}\n#PermitRootLogin yes\n`;
  const want: LineWant = {
    state: "present",
    text: "PermitRootLogin no",
    match: "^#?\\s*PermitRootLogin\\b",
    occurrence: "last",
    position: "end",
  };
  const slow = { ...want, text: "zz", match: "(?:.*x)?zz$", position: { after: "number (?:\\d+) as" } };
  for (const edit of [
    () => setLine(text, want),
    () => setLine(text, slow),
    () => replaceText(text, { pattern: "key=\\w+", with: "key=other" }),
  ]) {
    const start = performance.now();
    expect(edit()).toMatchObject({ ok: true });
    // Generous, as the machine may be busy; alone it takes a tenth of this.
    expect(performance.now() - start).toBeLessThan(2000);
  }
});

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linesOf, loadDiffer, unifiedDiff } from "../../src/report/line-diff.ts";

/** Applies a diff to a text as patch does, by the numbers in its hunk headers. */
function patched(before: string, diff: ReturnType<typeof unifiedDiff>): string {
  const left = linesOf(before);
  const result: string[] = [];
  let at = 0;
  for (const [index, { is, text }] of diff.entries()) {
    const bare = diff[index + 1]?.is === "note";
    const line = bare ? text : `${text}\n`;
    if (is === "hunk") {
      const [, start, length] = /^@@ -(\d+)(?:,(\d+))? /.exec(text) ?? [];
      const from = Number(start) - (length === "0" ? 0 : 1);
      result.push(...left.slice(at, from));
      at = from;
    } else if (is === "add") result.push(line);
    else if (is === "drop" || is === "same") {
      expect(left[at]).toBe(line);
      if (is === "same") result.push(line);
      at += 1;
    }
  }
  return [...result, ...left.slice(at)].join("");
}

const text = fc.array(fc.constantFrom("a\n", "b\n", "c\n", "\n", "d"), { maxLength: 40 }).map((lines) => lines.join(""));

describe("a unified diff", () => {
  test("from or to nothing says so in its header", async () => {
    const differ = await loadDiffer();
    expect(unifiedDiff("", "a\n", differ)[0]?.text).toBe("@@ -0,0 +1 @@");
    expect(unifiedDiff("a\nb", "", differ)[0]?.text).toBe("@@ -1,2 +0,0 @@");
  });

  test("leads from one text to the other, whatever they are", async () => {
    const differ = await loadDiffer();
    fc.assert(fc.property(text, text, (before, after) => patched(before, unifiedDiff(before, after, differ)) === after));
    fc.assert(
      fc.property(
        text,
        text,
        (before, after) =>
          patched(
            before,
            unifiedDiff(before, after, () => undefined),
          ) === after,
      ),
    );
  });

  test("is what the system's diff -u prints", async () => {
    const differ = await loadDiffer();
    const before = Array.from({ length: 60 }, (_, n) => `line ${n}\n`).join("");
    const after = before
      .replace("line 5\n", "")
      .replace("line 12\n", "line 12\nmore\n")
      .replace("line 20\n", "other\n")
      .replace("line 59\n", "line 59");
    const folder = mkdtempSync(join(tmpdir(), "setpoint-diff-"));
    try {
      writeFileSync(join(folder, "a"), before);
      writeFileSync(join(folder, "b"), after);
      let theirs = "";
      try {
        execFileSync("diff", ["-u", "a", "b"], { cwd: folder });
      } catch (thrown) {
        theirs = String((thrown as { stdout: Buffer }).stdout);
      }
      const marks = { hunk: "", note: "", add: "+", drop: "-", same: " " };
      const ours = unifiedDiff(before, after, differ).map(({ is, text: line }) => marks[is] + line);
      expect(ours).toEqual(theirs.trimEnd().split("\n").slice(2));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("of large texts that have little in common is done soon", async () => {
    const differ = await loadDiffer();
    const many = (word: string): string => Array.from({ length: 20_000 }, (_, n) => `${word} ${n}\n`).join("");
    const from = performance.now();
    expect(unifiedDiff(many("a"), many("b"), differ)).toHaveLength(40_001);
    expect(performance.now() - from).toBeLessThan(2000);
  });

  test("of a text with more lines than a call takes as arguments is made", async () => {
    const differ = await loadDiffer();
    expect(unifiedDiff("was\n".repeat(300_000), "is\n".repeat(200_000), differ)).toHaveLength(500_001);
  });
});

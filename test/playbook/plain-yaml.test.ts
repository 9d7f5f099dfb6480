import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { parseYaml } from "../../src/playbook/parse-yaml.ts";
import { parsePlainYaml } from "../../src/playbook/plain-yaml.ts";
import { Reports, Source } from "../../src/playbook/source.ts";
import type { Node } from "../../src/playbook/tree.ts";

/** A tree without what nobody asks for: where lists and maps end. */
function bare(node: Node | undefined): unknown {
  if (node === undefined || node.is === "scalar") return node;
  if (node.is === "list") return { start: node.start, items: node.items.map(bare) };
  return { start: node.start, entries: node.entries.map((entry) => ({ ...entry, value: bare(entry.value) })) };
}

function same(text: string): boolean {
  const plain = parsePlainYaml(text);
  if (plain === undefined) return false;
  const reports = new Reports();
  const whole = parseYaml(new Source("x", text), reports);
  expect(reports.all(), text).toEqual([]);
  expect(bare(plain), text).toEqual(bare(whole));
  return true;
}

describe("what is read without the library is what the library reads", () => {
  test.each([
    "a: 1\n",
    "---\na: 1\nb:\n  - x\n  - y: 1\n    z: [ a, 'b c', \"d\\n\", { k: v } ]\n",
    "a:\n- b\n- c\nd: # note\n  e: f # note\n# end\n",
    "a: |\n  one\n\n    two # no note\n\nb: |-\n  x\n",
    "- a: |\n    x\n  b: 'it''s'\n- c\n-\n  d: 1\n",
    "a:\nb: ~\nc: true\nd: -5\ne: 1.50\nf: 1.2.3\ng: v1:2\nh: a#b\ni: http://x/y?z=1\n",
    "\"k: x\": 1\n'l': 2\nm.n/o-p: 3\n",
    "a: {}\nb: []\nc: [ [ 1 ], { x: { y: z } }, ]\n",
    "setpoint: 1\nname: web\nresources:\n  - file: ${{ vars.root }}/a\n    content: \"x ${{ y }}\"\n    when: facts.os.family == 'debian'\n",
    "a: b c  \n\n\n",
  ])("%j", (text) => {
    expect(same(text)).toBe(true);
  });

  test.each([
    "a: b: c\n",
    "a: b\n  c\n",
    "a: 0644\nb: 0x1f\n",
    "a: >\n  x\n",
    "a: *x\n",
    "a: &x 1\n",
    "a: !t 1\n",
    "a: 1\na: 2\n",
    "a:\tb\n",
    "a: 'x\n",
    "a: [ 1\n",
    "a: 1\n---\nb: 2\n",
    "? a\n: b\n",
    "a: 1\n b: 2\n",
    "  a: 1\nb: 2\n",
    "- a\nb: 1\n",
    "true: 1\n",
    "a: 1e3\n",
    "x\n",
    "",
    "a: |\n  x",
  ])("%j is left to the library, or read alike", (text) => {
    same(text);
  });

  test("all texts of the cases", () => {
    const cases = parse(readFileSync(new URL("problems.cases.yaml", import.meta.url), "utf8")) as readonly {
      readonly playbook: string;
      readonly whole?: boolean;
    }[];
    for (const one of cases) {
      const plain = parsePlainYaml(one.playbook);
      const reports = new Reports();
      if (plain !== undefined) expect(bare(plain)).toEqual(bare(parseYaml(new Source("x", one.playbook), reports)));
    }
  });

  test("any value, as the library writes it", () => {
    const word = fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom("a", "b c", "/x", "k: v", "1", "y${{ z }}") },
      fc.constantFrom(
        "a",
        "b c",
        "d/e",
        "f g h",
        "/etc/motd",
        "0644",
        "x${{ y }}",
        "true",
        "1",
        "x: y",
        "# n",
        "it's",
        "- z",
        "${{ a }}",
        "é",
        "line\nline\n",
        "line\n\n  more",
        "",
        "null",
        "0x1",
        "1.5",
        "~",
        "[",
        "a,b",
        '"',
      ),
      fc.string({ maxLength: 3 }),
    );
    const key = fc.oneof({ weight: 9, arbitrary: fc.constantFrom("a", "b.c", "d-e", "f/g", "h i", "k_1") }, word);
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small" },
        word,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("node"), { maxLength: 4 }),
        fc.dictionary(key, tie("node"), { maxKeys: 4 }),
      ),
    })).node;
    let read = 0;
    fc.assert(
      fc.property(value, fc.boolean(), fc.constantFrom(0, 80), (one, flow, lineWidth) => {
        if (same(stringify({ root: one, more: [one] }, { collectionStyle: flow ? "flow" : "any", lineWidth, indentSeq: !flow }))) read += 1;
      }),
      { numRuns: 1500 },
    );
    expect(read).toBeGreaterThan(200);
  });

  test("any heap of pieces of YAML", () => {
    const piece = fc.constantFrom(
      "a: ",
      "b:",
      "c: x",
      "- ",
      "-",
      "  ",
      " ",
      "\n",
      "\n  ",
      "\n    ",
      "'",
      '"',
      "[",
      "]",
      "{",
      "}",
      ", ",
      ",",
      "# n",
      " #",
      ": ",
      ":",
      "|",
      "|-",
      "---",
      "1",
      "-1",
      "null",
      "x y",
      "'q'",
      '"r"',
      "\\",
      "\\n",
      ".",
      "?",
      "&",
      "*",
      "!",
      "%",
      ">",
      "$",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
        same(pieces.join(""));
      }),
      { numRuns: 20_000 },
    );
  }, 60_000);
});

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const top = resolve(import.meta.dirname, "../..");
const path = join(top, "docs/reliability.md");
const page = existsSync(path) ? readFileSync(path, "utf8") : "";

/** The tests that the page names: a file, and the titles from the outermost group inwards. */
const named = [...page.matchAll(/^- `([^`]+\.test\.ts)` › (.*?)(?: \(\*\*[\w ]+\*\*\))?$/gm)].map(([, file = "", titles = ""]) => ({
  file,
  titles: titles.split(" › "),
}));

/** A title as it stands in the source, whatever is put into it. */
function patternOf(literal: string): RegExp {
  const parts = literal.split(/\$\{(?:[^{}]|\{[^}]*\})*\}|%[sdifjo]|\$\w+/);
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")).join(".*")}$`, "s");
}

const sources = new Map<string, readonly RegExp[]>();

/** The texts in a test's file and in what of the tests it imports. */
function titlesIn(path: string): readonly RegExp[] {
  const known = sources.get(path);
  if (known) return known;
  sources.set(path, []);
  const text = readFileSync(path, "utf8");
  const own = [...text.matchAll(/"((?:[^"\\\n]|\\.)+)"|'((?:[^'\\\n]|\\.)+)'|`((?:[^`\\]|\\.)+)`/g)].map(([, double, single, template]) =>
    patternOf((double ?? single ?? template ?? "").replace(/\\(.)/g, "$1")),
  );
  const imported = [...text.matchAll(/from "(\.\.?\/[^"]+\.ts)"/g)]
    .map(([, from = ""]) => join(dirname(path), from))
    .filter((from) => from.startsWith(join(top, "test")) && existsSync(from));
  const all = [...own, ...imported.flatMap(titlesIn)];
  sources.set(path, all);
  return all;
}

describe("the page on reliability", () => {
  test("has a row for each promise", () => {
    for (let number = 1; number <= 30; number++) expect(page).toMatch(new RegExp(`^\\| I${number} \\| .+ \\| .* \\| .* \\|$`, "m"));
  });

  test("names only tests that are there", () => {
    expect(named.length).toBeGreaterThan(30);
    const gone = named.filter(({ file, titles }) => {
      const path = join(top, file);
      return (
        !existsSync(path) || !titles.every((title) => titlesIn(path).some((pattern) => pattern.source !== "^.*$" && pattern.test(title)))
      );
    });
    expect(gone, "npm run test:crash -- --report writes the page anew").toEqual([]);
  });
});

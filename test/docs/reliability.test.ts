import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
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

/** What is all put in fits every title, so that it tells nothing of one that carries a number. */
function fits(pattern: RegExp, title: string): boolean {
  const told = pattern.source.replaceAll(".*", "").length;
  return pattern.test(title) && (told > 12 || !/^I\d/.test(title));
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
      return !existsSync(path) || !titles.every((title) => titlesIn(path).some((pattern) => fits(pattern, title)));
    });
    expect(gone, "npm run test:crash -- --report writes the page anew").toEqual([]);
  });
});

describe("the page of several runs", () => {
  const machine = { node: "20.20.2", kernel: "6.1", cores: 2, version: "0.1.0" };
  const one = { file: "test/crash/one.test.ts", titles: ["I3: it is resumed"] };
  const other = { file: "test/crash/other.test.ts", titles: ["I4: it is reverted"] };
  const images = (count: number) => ({ invariants: ["I3"], what: "crash images", count });

  async function pageOf(...runs: readonly object[]): Promise<string> {
    const { reliabilityPage } = (await import(pathToFileURL(join(top, "scripts/reliability-page.mjs")).href)) as {
      readonly reliabilityPage: (runs: readonly object[]) => string;
    };
    return reliabilityPage(runs);
  }

  const long = {
    ...machine,
    share: 1,
    minutes: 50,
    figures: [images(1000)],
    tests: [
      { ...one, status: "passed" },
      { ...other, status: "not run" },
    ],
  };
  const short = {
    ...machine,
    share: 0.02,
    minutes: 3,
    figures: [images(234)],
    tests: [
      { ...one, status: "failed" },
      { ...other, status: "passed" },
    ],
  };

  test("adds up what was tried, and says which run tried what", async () => {
    const text = await pageOf(long, short);
    expect(text).toContain("| crash images | 1,234 |");
    expect(text).toContain("| share of the long suites | 1, 0.02 (1 is all) |");
    expect(text).toContain("| 1 | 1 | 50 min | 1,000 |");
    expect(text).toContain("| 0.02 | 2 | 3 min | 234 |");
  });

  test("what failed once has failed, and what ran once was run", async () => {
    const text = await pageOf(long, short);
    expect(text).toContain("| tests | 1 passed, 1 failed, 0 skipped |");
    expect(text).toContain("| violations | 1 |");
    expect(text).toContain("- `test/crash/one.test.ts` › I3: it is resumed (**failed**)");
    expect(await pageOf(long)).toContain("| tests | 1 passed, 0 failed, 0 skipped, 1 not run this time |");
  });
});

// `npm run test:crash -- [--report] [vitest arguments]`: the crash tests. With --report also the system tests and those unit tests that hold a
// numbered promise, and docs/reliability.md is written from what they were and what they tried. SETPOINT_SHARE (0..1] says how much of the long
// suites is run; each test notes what it tried through test/support/figures.ts.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, release, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { reliabilityPage } from "./reliability-page.mjs";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const given = process.argv.slice(2);
const isReport = given.includes("--report");
const passedOn = given.filter((word) => word !== "--report");
/** What vitest's -t is given: a title, or that of a group, that begins with the number of a promise. */
const NUMBERED = "(^| )I[0-9]+((, | and )I[0-9]+)*: ";

process.exitCode = isReport ? report() : vitest(["--config", "vitest.crash.config.ts", ...passedOn], {});

function vitest(words, env) {
  const program = join(top, "node_modules/vitest/vitest.mjs");
  const ran = spawnSync(process.execPath, [program, "run", ...words], { cwd: top, stdio: "inherit", env: { ...process.env, ...env } });
  return ran.status ?? 1;
}

function report() {
  const folder = mkdtempSync(join(tmpdir(), "setpoint-figures-"));
  try {
    const started = Date.now();
    const suites = [
      { name: "crash", config: "vitest.crash.config.ts", words: [] },
      { name: "system", config: "vitest.system.config.ts", words: [] },
      // Its own page is checked by a test that would find the old one.
      { name: "unit", config: "vitest.config.ts", words: ["-t", NUMBERED] },
    ];
    let status = 0;
    const tests = suites.flatMap(({ name, config, words }) => {
      const file = join(folder, `${name}.json`);
      const output = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
      if (vitest(["--config", config, ...words, ...output, ...passedOn], { SETPOINT_FIGURES: folder }) !== 0) status = 1;
      const ran = testsOf(file);
      const seen = new Set(ran.map((one) => keyOf(one)));
      // Where only some were asked for, the page still names all, and says which did not run.
      return [
        ...ran,
        ...(passedOn.length === 0 ? [] : listed(config, join(folder, `${name}-all.json`)).filter((one) => !seen.has(keyOf(one)))),
      ];
    });
    const page = reliabilityPage({
      tests,
      figures: figuresIn(folder),
      minutes: Math.max(1, Math.round((Date.now() - started) / 60_000)),
      share: Number(process.env.SETPOINT_SHARE ?? 1),
      node: process.versions.node,
      kernel: release().split("-")[0],
      cores: availableParallelism(),
      version: JSON.parse(readFileSync(join(top, "package.json"), "utf8")).version,
    });
    writeFileSync(join(top, "docs/reliability.md"), page);
    process.stdout.write("wrote docs/reliability.md\n");
    return status;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function keyOf({ file, titles }) {
  return [file, ...titles].join("\n");
}

/** The numbered tests of a suite, none of them run. A file that cannot be loaded has none. */
function listed(config, file) {
  const program = join(top, "node_modules/vitest/vitest.mjs");
  const words = ["run", "--config", config, "-t", "(?!)", "--reporter=json", `--outputFile.json=${file}`];
  spawnSync(process.execPath, [program, ...words], { cwd: top, stdio: "ignore" });
  return testsOf(file)
    .filter(({ status }) => status !== "failed")
    .map((one) => ({ ...one, status: "not run" }));
}

/** The tests of vitest's report that ran or were to run; those that -t left out are none of ours. */
function testsOf(file) {
  const numbered = new RegExp(NUMBERED);
  // Where no file is asked for there is no report.
  if (!existsSync(file)) return [];
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  return testResults.flatMap(({ name, assertionResults, status }) => {
    const path = relative(top, name);
    if (assertionResults.length === 0) return status === "failed" ? [{ file: path, titles: ["(the file itself)"], status }] : [];
    return assertionResults
      .map((one) => ({ file: path, titles: [...one.ancestorTitles.filter((title) => title !== ""), one.title], status: one.status }))
      .filter((one) => one.status === "passed" || one.status === "failed" || numbered.test(one.titles.join(" ")));
  });
}

function figuresIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
    .map((line) => JSON.parse(line));
}

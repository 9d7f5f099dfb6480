// `npm run test:crash -- [vitest arguments]`: the crash tests. SETPOINT_SHARE (0..1] says how much of the long suites is run.
//   --report          also the system tests and those unit tests that hold a numbered promise; docs/reliability.md is written from what they
//                     were and what they tried, which each test notes through test/support/figures.ts
//   --record FOLDER   the same, kept in the folder: a long run can be made in parts, on several machines, each with a share of its own
//   --report-of FOLDER  runs nothing and writes the page from all that is kept there
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, release, tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { reliabilityPage } from "./reliability-page.mjs";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const given = process.argv.slice(2);
const [mode, ...rest] = ["--report", "--record", "--report-of"].includes(given[0]) ? given : [undefined, ...given];
const [place, passedOn] = mode === "--record" || mode === "--report-of" ? [rest[0], rest.slice(1)] : [undefined, rest];
/** What vitest's -t is given: a title, or that of a group, that begins with the number of a promise. */
const NUMBERED = "(^| )I[0-9]+((, | and )I[0-9]+)*: ";

process.exitCode = chosen();

function chosen() {
  if (mode === "--report") return recordAndReport();
  if (mode === undefined) return vitest(["--config", "vitest.crash.config.ts", ...given], {});
  if (place === undefined || place.startsWith("-")) {
    process.stderr.write(`${mode} wants a folder\n`);
    return 2;
  }
  return mode === "--record" ? record(resolve(place)) : report(resolve(place));
}

function vitest(words, env) {
  const program = join(top, "node_modules/vitest/vitest.mjs");
  const ran = spawnSync(process.execPath, [program, "run", ...words], { cwd: top, stdio: "inherit", env: { ...process.env, ...env } });
  return ran.status ?? 1;
}

/** Runs all that hold a numbered promise, or those of the files given, and keeps in the folder what they were and what they tried. */
function record(folder) {
  const scratch = mkdtempSync(join(tmpdir(), "setpoint-figures-"));
  try {
    const started = Date.now();
    const suites = [
      { name: "crash", config: "vitest.crash.config.ts", words: [] },
      { name: "system", config: "vitest.system.config.ts", words: [] },
      // Its own page is checked by a test that would find the old one.
      { name: "unit", config: "vitest.config.ts", words: ["-t", NUMBERED, "--passWithNoTests"] },
    ];
    let status = 0;
    const tests = suites.flatMap(({ name, config, words }) => {
      const file = join(scratch, `${name}.json`);
      const output = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
      if (vitest(["--config", config, ...words, ...output, ...passedOn], { SETPOINT_FIGURES: scratch }) !== 0) status = 1;
      const ran = testsOf(file);
      const seen = new Set(ran.map((one) => keyOf(one)));
      // Where only some were asked for, the page still names all, and says which did not run.
      return [
        ...ran,
        ...(passedOn.length === 0 ? [] : listed(config, join(scratch, `${name}-all.json`)).filter((one) => !seen.has(keyOf(one)))),
      ];
    });
    const kept = {
      tests,
      figures: figuresIn(scratch),
      minutes: Math.max(1, Math.round((Date.now() - started) / 60_000)),
      share: Number(process.env.SETPOINT_SHARE ?? 1),
      node: process.versions.node,
      kernel: release().split("-")[0],
      cores: availableParallelism(),
      version: JSON.parse(readFileSync(join(top, "package.json"), "utf8")).version,
    };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${started}.json`), JSON.stringify(kept));
    return status;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Writes the page of all that is kept in a folder. */
function report(folder) {
  const names = readdirSync(folder).filter((name) => /^\d+\.json$/.test(name));
  if (names.length === 0) {
    process.stderr.write(`${folder}: nothing is recorded there; \`npm run test:crash -- --record ${folder}\` does\n`);
    return 1;
  }
  const runs = names.sort().map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
  writeFileSync(join(top, "docs/reliability.md"), reliabilityPage(runs));
  process.stdout.write("wrote docs/reliability.md\n");
  return 0;
}

function recordAndReport() {
  const folder = mkdtempSync(join(tmpdir(), "setpoint-record-"));
  try {
    const status = record(folder);
    return report(folder) || status;
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

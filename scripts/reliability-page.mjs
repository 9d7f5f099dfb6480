// The text of docs/reliability.md, made of what the tests said. Pure: the same results give the same page.

/** What is promised; the numbers stand in the titles of the tests, and in the code where a rule is kept. */
const PROMISES = {
  I1: "`plan`, `verify`, `lint`, `show`, `status` and all other commands that only look change nothing on the system",
  I2: "a second `apply` makes no change and writes nothing outside the state directory",
  I3: "a crash anywhere, then `resume`: the state that an uninterrupted `apply` reaches",
  I4: "a crash anywhere, then `revert`: the state before the run, for all that is labelled `exact`",
  I5: "a crash inside a recovery, `resume`, `revert` or `gc`, and the same again: still I3 and I4",
  I6: "`kill -9`, a recovery, and then a power cut: still I3 to I5",
  I7: "a second `revert` is nothing, and so is the `resume` of an applied run",
  I8: "nothing is changed before its intent and its before-image are durable",
  I9: "what was said with exit 0 survives an immediate power cut",
  I10: "what is outside the plan never changes, and no temporary file is left after a run that ended or was recovered",
  I11: "what somebody changed since is never overwritten without being named",
  I12: "who reads a file meanwhile sees all of the old or all of the new",
  I13: "a torn end of a journal is put aside, damage is refused by name, and neither leads to a wrong state",
  I14: "recovering twice is as recovering once, and a run's state is a fold of its journal's records",
  I15: "one writer at a time; a holder of the lock that is killed blocks nobody",
  I16: "a full disk, an I/O error, a read-only file system, no descriptors: a clear error, and I3 and I4 afterwards",
  I17: "a failed sync is never tried again, and nothing is changed after it",
  I18: "a kept content is checked against its digest before it is written: a rotten one never is",
  I19: "no secret is in a plan, journal, plain blob, log, diff, report or process list",
  I20: "the state directory is 0700, its files 0600, and a target is never more open than before or after, under any umask",
  I21: "no part of a path is followed through somebody else's symlink",
  I22: "the key of an effect is the same for the same stack, address and occurrence, and one key has one effect",
  I23: "an effect in doubt is never sent again by itself, and never compensated",
  I24: "the participants of a two-phase transaction all commit or all abort",
  I25: "jumps of the clock, a reboot and another time zone change nothing but the times that are shown",
  I26: "journals and state directories of released versions are resumed, reverted, or refused by name",
  I27: "a saved plan with any byte changed is refused, and a stale one ends in exit 4; nothing is touched",
  I28: "a signal, a closed pipe or a closed terminal at any moment: halted or finished, and resumable",
  I29: "each name in the blob store is the digest of its content, and `gc` never removes what is referenced",
  I30: "a run and its actions take no step that is not in the tables of states",
};

const numbersIn = (titles) => [
  ...new Set(
    titles.flatMap((title) => {
      const [head] = /^I\d+(?:(?:, | and )I\d+)*: /.exec(title) ?? [];
      return head === undefined ? [] : (head.match(/I\d+/g) ?? []);
    }),
  ),
];

const written = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** Counts by what was counted: most first. */
function sums(figures) {
  const counts = new Map();
  for (const { what, count } of figures) counts.set(what, (counts.get(what) ?? 0) + count);
  return [...counts].sort(([a, m], [b, n]) => n - m || byText(a, b));
}

const WORST_FIRST = ["failed", "passed", "skipped", "not run"];

/** A test that several runs know is what the worst of them says, and not run only where none ran it. */
function merged(runs) {
  const byName = new Map();
  for (const test of runs.flatMap(({ tests }) => tests)) {
    const name = [test.file, ...test.titles].join("\n");
    const other = byName.get(name);
    if (other === undefined || WORST_FIRST.indexOf(test.status) < WORST_FIRST.indexOf(other.status)) byName.set(name, test);
  }
  return [...byName.values()];
}

/** What was run, by share; where there is but one, that says it all. */
function parts(runs) {
  if (runs.length < 2) return [];
  return [
    "",
    `The figures are those of ${runs.length} runs:`,
    "",
    "| share | tests | time | crash images | on |",
    "| --- | --- | --- | --- | --- |",
    ...runs.map(({ share, tests, minutes, figures, node, kernel, cores }) => {
      const ran = tests.filter(({ status }) => status !== "not run");
      const images = figures.filter(({ what }) => what === "crash images").reduce((sum, { count }) => sum + count, 0);
      return `| ${share} | ${written(ran.length)} | ${written(minutes)} min | ${written(images)} | Node ${node}, Linux ${kernel}, ${cores} cores |`;
    }),
  ];
}

/** @param runs each with its tests `{ file, titles, status }`, figures `{ invariants, what, count, test, file }`, and what they ran on. */
export function reliabilityPage(runs) {
  const tests = merged(runs);
  const figures = runs.flatMap((run) => run.figures);
  const minutes = runs.reduce((sum, run) => sum + run.minutes, 0);
  const each = (name) => [...new Set(runs.map((run) => run[name]))].join(", ");
  const count = (status) => written(tests.filter((one) => one.status === status).length);
  const others = tests.filter(({ status }) => status !== "passed" && status !== "failed" && status !== "not run").length;
  const notRun = tests.some(({ status }) => status === "not run") ? `, ${count("not run")} not run this time` : "";
  const rows = Object.keys(PROMISES).map((id) => ({
    id,
    tests: tests.filter(({ titles }) => numbersIn(titles).includes(id)),
    figures: figures.filter(({ invariants }) => invariants.includes(id)),
  }));
  const missing = rows.filter((row) => row.tests.length === 0);
  return [
    "# Reliability",
    "",
    "Made by `npm run test:crash -- --report` from the tests themselves; do not edit it.",
    "",
    "A run of setpoint may be killed, lose its power or meet a full disk at any moment, and it promises what is true afterwards.",
    "Each promise below has a number, and each test that could break it carries that number in its title. They are of four sorts:",
    "",
    "- **A simulated machine** (`src/system/simulated`): a file system in memory on which each write, name and sync becomes durable by",
    "  itself. A power cut leaves any image that POSIX allows, chosen by a seed; the whole program runs on it, crashes at every call that",
    "  changes something, and goes on from the image. What it finds depends on the model being as loose as real disks are.",
    "- **Real processes on real file systems**: `kill -9` at random moments and at chosen system calls, faults injected with strace, small",
    "  and broken file systems on loop devices, other accounts that play with the paths.",
    "- **Damage made on purpose**: journals, plans, contents and ledgers with bytes cut, flipped, swapped or taken from elsewhere.",
    "- **Each ordering barrier left out in turn**: a test that leaves out one sync must find a broken promise, or the tests prove little.",
    "",
    "Tests show faults and never their absence: the numbers below say how often a promise was tried and held.",
    "",
    "## In sum",
    "",
    "| | |",
    "| --- | --- |",
    `| setpoint | ${each("version")} |`,
    `| share of the long suites | ${each("share")} (1 is all) |`,
    `| on | Node ${each("node")}, Linux ${each("kernel")}, ${each("cores")} cores |`,
    `| time | ${written(minutes)} min |`,
    `| tests | ${count("passed")} passed, ${count("failed")} failed, ${written(others)} skipped${notRun} |`,
    `| violations | ${count("failed")} |`,
    ...sums(figures).map(([what, count]) => `| ${cell(what)} | ${written(count)} |`),
    ...parts(runs),
    "",
    "## The promises",
    "",
    "| | promise | tests | tried |",
    "| --- | --- | --- | --- |",
    ...rows.map(({ id, tests: mine, figures: tried }) => {
      const bad = mine.filter(({ status }) => status === "failed").length;
      const idle = mine.filter(({ status }) => status === "not run").length;
      const state =
        mine.length === 0 ? "not tested" : `${mine.length}${bad > 0 ? `, **${bad} failed**` : ""}${idle > 0 ? `, ${idle} not run` : ""}`;
      const counts = sums(tried).map(([what, count]) => `${written(count)} ${what}`);
      return `| ${id} | ${PROMISES[id]} | ${state} | ${cell(counts.join(", "))} |`;
    }),
    "",
    "## The tests",
    "",
    ...rows
      .filter((row) => row.tests.length > 0)
      .flatMap((row) => [
        `### ${row.id}`,
        "",
        ...row.tests
          .map(({ file, titles, status }) => `- \`${file}\` › ${titles.join(" › ")}${status === "passed" ? "" : ` (**${status}**)`}`)
          .sort(byText),
        "",
      ]),
    "## What is not tested",
    "",
    ...missing.map(({ id }) => `- ${id}: no test carries its number yet.`),
    "- Disks that lie about a sync, or lose what was synced: nothing that a program does helps there. A journal that lost whole records",
    "  at its end in such a way, where the ledger is lost too, cannot be told from one of a run that was killed there.",
    "- Faults of memory, and a system clock or random source that an attacker controls.",
    "- Other kernels than Linux: nothing here ran on macOS or a BSD.",
    "- Network file systems as the place of the state directory: they are refused unless `--allow-weak-state-dir` says otherwise.",
    "- Somebody with the rights of the account that setpoint runs as: who can write to the state directory can write a journal that holds.",
    "- Archives: no resource type unpacks one yet, so there is no test of names in archives that lead outside (zip slip).",
    "",
  ].join("\n");
}

// `npm run bench [-- --quick] [--only NAME] [--launcher FILE] [--out FILE]`: measures setpoint beside node, rsync and cp, and writes
// docs/performance.md.
//
//   --quick          2,000 files and few rounds, for a smoke test; the page is not written
//   --only NAME      one of start, sync, change, large (repeatable); the page is not written
//   --launcher FILE  another build's bin/setpoint.js
//   --out FILE       where the page is written, whatever is measured
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { enterPlace } from "./place.mjs";
import { machineLine, page, tableOf } from "./report.mjs";
import { changeRows, inSyncRows, largeRows, startRows } from "./rows.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    launcher: { type: "string" },
    out: { type: "string" },
  },
});

const { quick, only } = options;
const files = quick ? 2_000 : 10_000;
const many = quick ? 10_000 : 100_000;
const rounds = quick ? { start: 5, sync: 3, change: 2, large: 1 } : { start: 21, sync: 7, change: 3, large: 1 };
const count = (number) => `${number.toLocaleString("en")} files`;

if (options.launcher === undefined) build();
const place = enterPlace();
const node = process.execPath;
const setpoint = [node, options.launcher ?? join(root, "bin/setpoint.js")];
const common = { node, setpoint, folder: place.folder };
const groups = {
  start: () => startRows({ ...common, rounds: rounds.start }),
  sync: () => inSyncRows({ ...common, rounds: rounds.sync, files, name: count(files) }),
  change: () => changeRows({ ...common, rounds: rounds.change, files, name: count(files) }),
  large: () => largeRows({ ...common, rounds: rounds.large, files: many, small: files, name: count(many) }),
};

process.stderr.write(`measuring on ${place.what}\n`);
const rows = [];
const [busy] = loadavg();
try {
  for (const [name, measure] of Object.entries(groups)) {
    if (only !== undefined && !only.includes(name)) continue;
    process.stderr.write(`${name}: ${rounds[name]} rounds\n`);
    rows.push(...(await measure()));
  }
} finally {
  place.leave();
}

console.log(tableOf(rows));
const target = options.out ?? (quick || only !== undefined ? undefined : join(root, "docs/performance.md"));
if (target !== undefined) {
  writeFileSync(
    target,
    page({
      rows,
      machine: machineLine(place.what),
      load: { before: busy, after: loadavg()[0] },
      date: new Date().toISOString().slice(0, 10),
      command: `npm run bench${quick ? " -- --quick" : ""}`,
      rounds: `Rounds: ${Object.entries(rounds)
        .map(([name, number]) => `${name} ${number}`)
        .join(", ")}; within each, all that is compared runs once, one after another.`,
    }),
  );
  process.stderr.write(`wrote ${target}\n`);
}

/** What is measured is what the sources say now. */
function build() {
  const ran = spawnSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-stale"], { stdio: ["ignore", "inherit", "inherit"] });
  if (ran.status !== 0) process.exit(ran.status ?? 1);
}

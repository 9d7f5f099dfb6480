// The page docs/performance.md, and the same table for the terminal.
import { cpus, release, totalmem, type } from "node:os";
import { summary } from "./measure.mjs";

/** What the measuring machine is, without its name. */
export function machineLine(place) {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}, ${memory} GiB, ${type()} ${release().split("-")[0]}, Node ${process.versions.node}; files on ${place}`;
}

const HEAD = ["work", "setpoint", "against", "its time", "ratio", "target", "met"];

function cells(row) {
  const { ratio } = row;
  const against = row.theirs === undefined ? "not measured" : `${range(summary(row.theirs))}`;
  const lines = [
    [
      row.work,
      range(summary(row.ours)),
      row.against,
      against,
      ratio === undefined ? "" : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
      ratio === undefined ? "" : `≤ ${Number(ratio.most.toFixed(2))} ×`,
      ratio === undefined ? "" : ratio.met ? "yes" : "no",
    ],
  ];
  if (row.memory !== undefined) {
    const { mb, most } = row.memory;
    lines.push(["its peak memory", `${Math.round(mb)} MB`, "", "", "", `≤ ${most} MB`, mb <= most ? "yes" : "no"]);
  }
  return lines;
}

function range({ median, min, max }) {
  return `${number(median)} ms (${number(min)}–${number(max)})`;
}

function number(ms) {
  return ms < 100 ? ms.toFixed(1) : Math.round(ms).toLocaleString("en");
}

/** The whole page. */
export function page({ rows, machine, load, date, command, rounds }) {
  const lines = rows.flatMap(cells);
  return `# Performance

Written by \`${command}\` on ${date}; nothing here is asserted by a test, as no shared machine is quiet enough for that.

${machine}. Load average ${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after: above the number of cores, others were at work, and ratios say more than times.

${rounds}
A ratio is the median (least–most) of the ratios within each round; times are median (least–most) in wall milliseconds. All
programs start with the files in the page cache. The files of a \`tree\` have 200 bytes each, 100 to a folder, no two alike.

${table(lines)}

## What is compared

| row | setpoint | the other |
| --- | --- | --- |
| \`--version\` | \`setpoint --version\` | \`node -e 0\` |
| one file in sync | \`setpoint plan one.yaml\`, the file being as declared and known to the ledger | \`node -e 0\` |
| in sync | \`setpoint plan site.yaml\` and \`setpoint apply site.yaml --yes\`: both read every source and every target whole | \`rsync -a --checksum -n source/ target/\`, which does too |
| first apply | \`setpoint apply site.yaml --yes\` into a folder that is not there, with a new state directory: planned, journalled, every file and folder durable, then read back and compared | \`cp -r source target\` and \`sync -f target\`: durable, but neither journalled nor read back |
| revert | \`setpoint revert --yes\`: every file compared with what the run left, journalled, removed, durable | the apply of the same round |
| 100,000 files | the same commands, each with the highest resident memory of its process | the same with 10,000 files, in the same round |

Each round of the changing rows works in folders of its own, and nothing is removed before the end: removing slows down what follows. Between
two steps the file system is synced, so that none pays for another.
`;
}

/** A Markdown table. */
export function table(lines) {
  return [HEAD, HEAD.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

/** The rows for the terminal. */
export function tableOf(rows) {
  return table(rows.flatMap(cells));
}

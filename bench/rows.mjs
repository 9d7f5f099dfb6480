// What is measured. Each function measures some rows side by side and gives them:
// `{ work, target, cells: [{ name, samples }], ratios: [{ name, value, target, met }], notes }`.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { has, interleaved, signals, summary, timeAndMemoryOf, timeOf } from "./measure.mjs";
import { filePlaybook, makeTree, treePlaybook } from "./trees.mjs";

/** The part of a ratio's rounds that is the most telling one: the median of the ratios within each round. */
function ratio(samples, over) {
  return summary(samples.map((ms, round) => ms / over[round]));
}

function judged(samples, over, most) {
  const { median, min, max } = ratio(samples, over);
  return { median, min, max, most, met: median <= most };
}

/** `--version` and a plan of one file in sync against a node that does nothing. */
export async function startRows({ node, setpoint, folder, rounds }) {
  const inside = join(folder, "start");
  mkdirSync(inside);
  const playbook = filePlaybook(join(inside, "one.yaml"), join(inside, "one"));
  const state = ["--state-dir", join(inside, "state")];
  // The ledger knows the file, as it does on any machine where a plan is in sync.
  timeOf([...setpoint, "apply", playbook, "--yes", ...state]);
  const samples = await interleaved(rounds, {
    node: () => timeOf([node, "-e", "0"]),
    version: () => timeOf([...setpoint, "--version"]),
    plan: () => timeOf([...setpoint, "plan", playbook, ...state]),
  });
  return [
    {
      work: "`setpoint --version`",
      against: "`node -e 0`",
      ours: samples.version,
      theirs: samples.node,
      ratio: judged(samples.version, samples.node, 1.1),
    },
    {
      work: "`plan` of one file in sync",
      against: "`node -e 0`",
      ours: samples.plan,
      theirs: samples.node,
      ratio: judged(samples.plan, samples.node, 1.8),
    },
  ];
}

/** A tree that is in sync, against rsync that compares the same files by checksum and changes nothing. */
export async function inSyncRows({ setpoint, folder, rounds, files, name }) {
  const { source } = treeAt(folder, files);
  const inside = join(folder, `sync-${files}`);
  mkdirSync(inside);
  const target = join(inside, "target");
  const playbook = treePlaybook(join(inside, "site.yaml"), source, target);
  const state = ["--state-dir", join(inside, "state")];
  timeOf([...setpoint, "apply", playbook, "--yes", ...state]);
  const rsync = has("rsync") ? { rsync: () => timeOf(["rsync", "-a", "--checksum", "-n", `${source}/`, `${target}/`]) } : {};
  const samples = await interleaved(rounds, {
    ...rsync,
    plan: () => timeOf([...setpoint, "plan", playbook, ...state]),
    apply: () => timeOf([...setpoint, "apply", playbook, "--yes", ...state]),
  });
  return ["plan", "apply"].map((verb) => ({
    work: `\`${verb}\` of ${name} in sync`,
    against: "`rsync -a --checksum -n`",
    ours: samples[verb],
    theirs: samples.rsync,
    ...(samples.rsync && { ratio: judged(samples[verb], samples.rsync, 3) }),
  }));
}

/** The first apply, against a copy that is made durable too, and the revert of it. Every round in fresh folders: nothing is removed between. */
export async function changeRows({ setpoint, folder, rounds, files, name }) {
  const { source } = treeAt(folder, files);
  const inside = join(folder, `change-${files}`);
  mkdirSync(inside);
  const settle = () => execFileSync("sync", ["-f", inside]);
  const at = (round) => join(inside, `round-${round}`);
  const samples = await interleaved(rounds, {
    copy(round) {
      mkdirSync(at(round));
      const target = join(at(round), "copy");
      settle();
      return timeOf(["cp", "-r", source, target]) + timeOf(["sync", "-f", target]);
    },
    apply(round) {
      const playbook = treePlaybook(join(at(round), "site.yaml"), source, join(at(round), "target"));
      settle();
      return timeOf([...setpoint, "apply", playbook, "--yes", "--state-dir", join(at(round), "state")]);
    },
    revert(round) {
      settle();
      return timeOf([...setpoint, "revert", "--yes", "--state-dir", join(at(round), "state")]);
    },
  });
  return [
    {
      work: `first \`apply\` of ${name}`,
      against: "`cp -r` + `sync -f`",
      ours: samples.apply,
      theirs: samples.copy,
      ratio: judged(samples.apply, samples.copy, 5),
    },
    {
      work: `\`revert\` of it`,
      against: "that apply",
      ours: samples.revert,
      theirs: samples.apply,
      ratio: judged(samples.revert, samples.apply, 1.5),
    },
  ];
}

/** Ten times as many files: no more than ten times the time, and not too much memory. */
export async function largeRows({ setpoint, folder, rounds, files, small, name }) {
  const runs = { small: {}, large: {} };
  for (let round = 0; round < rounds; round += 1) {
    for (const [size, count] of [
      ["small", small],
      ["large", files],
    ]) {
      const { source } = treeAt(folder, count);
      const inside = join(folder, `large-${count}-${round}`);
      mkdirSync(inside);
      const playbook = treePlaybook(join(inside, "site.yaml"), source, join(inside, "target"));
      const state = ["--state-dir", join(inside, "state")];
      const steps = {
        "first `apply`": [...setpoint, "apply", playbook, "--yes", ...state],
        "`plan` in sync": [...setpoint, "plan", playbook, ...state],
        "`apply` in sync": [...setpoint, "apply", playbook, "--yes", ...state],
        "`revert`": [...setpoint, "revert", "--yes", ...state],
      };
      for (const [step, argv] of Object.entries(steps)) {
        execFileSync("sync", ["-f", inside]);
        runs[size][step] ??= [];
        runs[size][step].push(timeAndMemoryOf(argv));
        await signals();
      }
    }
  }
  return Object.keys(runs.large).map((step) => {
    const ours = runs.large[step].map(({ ms }) => ms);
    const theirs = runs.small[step].map(({ ms }) => ms);
    const peaks = runs.large[step].map(({ mb }) => mb).filter((mb) => mb !== undefined);
    return {
      work: `${step} of ${name}`,
      against: `${(files / small).toLocaleString("en")} × fewer files`,
      ours,
      theirs,
      // Linear: as many times as long as there are more files, give or take a fifth.
      ratio: judged(ours, theirs, (files / small) * 1.2),
      ...(peaks.length > 0 && { memory: { mb: Math.max(...peaks), most: 700 } }),
    };
  });
}

function treeAt(folder, files) {
  const source = join(folder, `source-${files}`);
  if (!made.has(source)) makeTree(source, files);
  made.add(source);
  return { source };
}

const made = new Set();

// `node scripts/test-nodes.mjs [--smoke] [22 24 ...]`: the unit tests, or with --smoke only the first commands of the README, on other majors
// of Node. They are installed from npm into a temporary folder. Says on its last line how many passed and failed; needs a built dist/.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "bin/setpoint.js");
const majors = process.argv.slice(2).filter((argument) => /^\d+$/.test(argument));
const isSmoke = process.argv.includes("--smoke");
const folder = mkdtempSync(join(tmpdir(), "setpoint-nodes-"));
let passed = 0;
let failed = 0;

try {
  for (const major of majors.length > 0 ? majors : ["22", "24"]) {
    const node = install(major);
    if (node === undefined) count(`Node ${major} can be installed`, false);
    else if (isSmoke) smoke(node, major);
    else count(`the unit tests pass on Node ${major}`, run(node, [join(root, "node_modules/vitest/vitest.mjs"), "run"]) === 0);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

// The path of that Node, or undefined. The package "node" unpacks it in its install script.
function install(major) {
  const prefix = join(folder, major);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const status = run("npm", ["install", "--prefix", prefix, "--no-audit", "--no-fund", "--no-save", "--loglevel=error", `node@${major}`]);
    const node = join(prefix, "node_modules/node/bin/node");
    if (status === 0 && existsSync(node)) return node;
  }
  return undefined;
}

function smoke(node, major) {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  count(`--version on Node ${major}`, output(node, ["--version"]).stdout === `${version}\n`);

  const playbook = join(folder, `smoke-${major}.yaml`);
  const state = ["--state-dir", join(folder, `state-${major}`)];
  const target = join(folder, `motd-${major}`);
  writeFileSync(playbook, `setpoint: 1\nname: smoke\nresources:\n  - file: ${target}\n    content: "hello\\n"\n`);
  count(`plan finds changes on Node ${major}`, output(node, ["plan", playbook, ...state]).status === 2);
  count(`apply succeeds on Node ${major}`, output(node, ["apply", playbook, "--yes", ...state]).status === 0);
  count(`the file is there on Node ${major}`, existsSync(target) && readFileSync(target, "utf8") === "hello\n");
  count(`a second plan is empty on Node ${major}`, output(node, ["plan", playbook, ...state]).status === 0);
}

function output(node, argv) {
  const result = spawnSync(node, [bin, ...argv], { encoding: "utf8", cwd: folder, stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
  process.stderr.write(result.stderr ?? "");
  return result;
}

function run(command, argv) {
  return spawnSync(command, argv, { cwd: root, stdio: ["ignore", "inherit", "inherit"] }).status;
}

function count(name, isGood) {
  if (isGood) passed += 1;
  else failed += 1;
  process.stdout.write(`${isGood ? "ok  " : "FAIL"} ${name}\n`);
}

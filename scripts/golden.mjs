// `npm run golden`: keeps the state directories that this version leaves in test/golden-journals/<version>, for every later version to read.
// Run it once for a release, and look at what it made; those of earlier versions are never made again.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const top = join(dirname(fileURLToPath(import.meta.url)), "..");
const words = [join(top, "node_modules/vitest/vitest.mjs"), "run", "--config", "vitest.crash.config.ts", "test/crash/golden.test.ts"];
const ran = spawnSync(process.execPath, words, { cwd: top, stdio: "inherit", env: { ...process.env, SETPOINT_GOLDEN: "make" } });
process.exitCode = ran.status ?? 1;

import { spawnSync } from "node:child_process";

/** Builds dist/ before the first test if a source is newer, as tests start the real bin/setpoint.js. Throws in CI; elsewhere it warns, so that one unfinished file does not stop the tests of all others. */
export function setup(): void {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/build.mjs", "--if-stale"], { encoding: "utf8" });
  if (status === 0) return;
  if (process.env.CI === "true") throw new Error(`the build failed:\n${stderr}`);
  process.stderr.write(`\n*** dist/ is stale, because the build fails:\n${stderr}\n`);
}

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("the reference is what the program says", () => {
  const script = new URL("../../scripts/reference.mjs", import.meta.url).pathname;
  const ran = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  expect(ran.status, ran.stderr).toBe(0);
});

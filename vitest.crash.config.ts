import { defineConfig } from "vitest/config";

// test/crash: kills, power cuts and full disks. One file at a time, as they share the machine.
export default defineConfig({
  test: {
    include: ["test/crash/**/*.test.ts"],
    globalSetup: ["test/setup/fresh-build.ts", "test/setup/system-tools.ts"],
    setupFiles: ["test/setup/runs.ts"],
    pool: "forks",
    fileParallelism: false,
    passWithNoTests: true,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});

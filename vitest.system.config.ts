import { defineConfig } from "vitest/config";

// test/system: real roots, packages and servers. One file at a time, as they share the machine.
export default defineConfig({
  test: {
    include: ["test/system/**/*.test.ts"],
    globalSetup: ["test/setup/fresh-build.ts", "test/setup/system-tools.ts"],
    setupFiles: ["test/setup/runs.ts"],
    pool: "forks",
    fileParallelism: false,
    passWithNoTests: true,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

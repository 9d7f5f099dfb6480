import { defineConfig } from "vitest/config";

// The unit tests: all that needs no privileges, no servers and no kill. SETPOINT_RUNS says how often fast-check tries each property.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/system/**", "test/crash/**"],
    globalSetup: ["test/setup/fresh-build.ts"],
    setupFiles: ["test/setup/runs.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
  },
});

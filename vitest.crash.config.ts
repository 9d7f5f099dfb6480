import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** What both sorts of tests have in common. */
const common = {
  setupFiles: ["test/setup/runs.ts"],
  pool: "forks",
  testTimeout: 300_000,
  hookTimeout: 300_000,
} as const;

const REAL = "test/crash/real-*.test.ts";

// test/crash: kills, power cuts and full disks. What is simulated needs a core and nothing else; what is real goes one file at a time, as it
// shares the machine.
export default defineConfig({
  test: {
    globalSetup: ["test/setup/fresh-build.ts", "test/setup/system-tools.ts"],
    passWithNoTests: true,
    projects: [
      {
        test: {
          ...common,
          name: "simulated",
          include: ["test/crash/**/*.test.ts"],
          exclude: [REAL],
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...common, name: "real", include: [REAL], fileParallelism: false, sequence: { groupOrder: 1 } } },
    ],
  },
});

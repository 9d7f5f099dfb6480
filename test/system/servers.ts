import { existsSync } from "node:fs";
import type { TestContext } from "vitest";

/** Whether a program of a server is missing: then tests are skipped and say so, and in CI they fail. */
export function needing(...programs: readonly string[]): { readonly lacks: boolean; skip(context: TestContext): void } {
  const folders = `${process.env.PATH}:/usr/sbin:/sbin`.split(":");
  const missing = programs.filter(
    (program) => ![program, ...folders.map((folder) => `${folder}/${program}`)].some((path) => path.startsWith("/") && existsSync(path)),
  );
  const why = `this machine lacks ${missing.join(", ")}`;
  return {
    lacks: missing.length > 0,
    skip(context) {
      if (missing.length === 0) return;
      if (process.env.CI === "true") throw new Error(why);
      context.skip(why);
    },
  };
}

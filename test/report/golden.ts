import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** Compares a text with `golden/<name>`; UPDATE_GOLDEN=1 writes it instead. The diff is reviewed. */
export function expectGolden(name: string, text: string): void {
  const path = new URL(`golden/${name}`, import.meta.url);
  if (process.env.UPDATE_GOLDEN === "1") {
    mkdirSync(new URL("golden/", import.meta.url), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  expect(text).toBe(readFileSync(path, "utf8"));
}

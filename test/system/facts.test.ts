import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { expect, test } from "vitest";
import { gatherFacts, realSystem } from "../../src/system/index.ts";

test("facts are what the kernel says, whose files have no size", () => {
  const facts = gatherFacts(realSystem());
  expect(facts.hostname).toBe(readFileSync("/proc/sys/kernel/hostname", "utf8").trim());
  expect(facts.kernel).toBe(readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
  expect(facts.cpus).toBe(cpus().length);
  expect(facts.memory).toBe(totalmem());
});

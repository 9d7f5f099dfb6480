import { cpSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { story } from "./story.ts";

const playbooks = fileURLToPath(new URL("../../playbooks", import.meta.url));
const names = readdirSync(playbooks).filter((name) => name.endsWith(".yaml"));

test.each(names)("the example %s has nothing that lint would say", (name) => {
  const at = story();
  cpSync(playbooks, at.book, { recursive: true });
  expect(at.run(0, "lint", name).all).not.toMatch(/warning|error\[/);
});

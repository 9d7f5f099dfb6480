import { appendFileSync, renameSync } from "node:fs";
import { expect, test } from "vitest";
import { EventStacks } from "../support/event-stacks.ts";
import { story } from "./story.ts";

const names = (lines: readonly { readonly [key: string]: unknown }[]) => lines.map(({ name }) => name);

test("stacks that hear each other converge, and what is taken back is taken back by those who listened", { timeout: 120_000 }, () => {
  const stacks = new EventStacks(story());
  expect(stacks.wish("one").exit).toBe(0);
  expect(names(stacks.events())).toEqual(["ready"]);
  const first = stacks.watchOnce("b");
  expect(first).toMatchObject({ exit: 0 });
  expect(JSON.parse(first.stdout)).toMatchObject({ event: { name: "ready", stack: "a" }, outcome: "applied", exit: 0 });
  expect(stacks.watchOnce("b")).toMatchObject({ exit: 0, stdout: "" });
  expect(stacks.watchOnce("a").exit).toBe(0);
  expect(["a", "b", "answer"].map((name) => stacks.story.read(name))).toEqual(["one", "one", "one"]);
  expect(names(stacks.events())).toEqual(["ready", "answered"]);
  // All that follows from one run is one chain.
  expect(new Set(stacks.events().map(({ correlation }) => correlation)).size).toBe(1);

  const [run] = (stacks.try("a", ["history", "--json"]).json().runs as { run: string }[]).slice(-1);
  expect(stacks.try("a", ["revert", run?.run as string, "--yes"]).exit).toBe(0);
  expect(names(stacks.events())).toEqual(["ready", "answered", "ready.failed"]);
  expect(stacks.watchOnce("b").exit).toBe(0);
  expect(stacks.watchOnce("a").exit).toBe(0);
  expect(Object.keys(stacks.story.snapshot())).toEqual(["b", "wish"]);
  expect(stacks.story.read("b")).toBe("none");
  expect(names(stacks.events())).toEqual(["ready", "answered", "ready.failed", "answered.failed"]);
});

test("an event that cannot be sent waits, a torn line is passed over, and a second copy is not handled again", { timeout: 120_000 }, () => {
  const stacks = new EventStacks(story());
  stacks.story.directory("../events.log");
  const held = stacks.wish("one");
  expect(held.exit).toBe(0);
  expect(held.stderr).toContain("wait to be sent");
  renameSync(stacks.log, `${stacks.log}.gone`);
  appendFileSync(stacks.log, '{"id":"torn');
  expect(stacks.watchOnce("a").exit).toBe(0);
  expect(names(stacks.events())).toEqual(["ready"]);
  appendFileSync(stacks.log, `${JSON.stringify(stacks.events()[0])}\n`);
  expect(stacks.watchOnce("b").exit).toBe(0);
  expect(stacks.heard("b")).toHaveLength(1);
  expect([...stacks.runsByEvent("b").values()]).toEqual([["applied"]]);
});

import { describe, expect, test } from "vitest";
import type { RegisterId } from "../../src/core/index.ts";
import { type RunView, terminalView } from "../../src/report/index.ts";
import { absent, file, nowhere, plain, report, result, runName } from "./builders.ts";

function screen(options: { isTTY: boolean; columns?: number }): {
  written: string[];
  write(text: string): void;
  isTTY: boolean;
  columns?: number;
} {
  const written: string[] = [];
  return { written, write: (text) => void written.push(text), ...options };
}

/** Runs so many actions of 10 ms each, the last one a conflict. */
function play(view: RunView, clock: { at: number }, total: number): void {
  view.show({ type: "begin", run: runName, stack: "web", kind: "apply", total });
  const actions = Array.from({ length: total }, (_, n) =>
    n === total - 1 ? result(`path:/srv/${n}`, "conflict") : result(`path:/srv/${n}`, "set", { before: absent, after: file(nowhere) }),
  );
  for (const [n, one] of actions.entries()) {
    view.show({ type: "started", register: one.register });
    clock.at += 10;
    view.show({ type: "action", result: one, done: n + 1, total });
  }
  view.show({ type: "phase", name: "verifying", count: total });
  view.show({ type: "end", report: report(actions.map((one) => ({ ...one }))) });
  view.close();
}

/** What a terminal shows in the end: a line that was erased is gone. */
function finalLines(written: readonly string[]): string[] {
  return written
    .join("")
    .split("\n")
    .map((line) => line.split("\r\x1b[2K").at(-1) ?? "");
}

describe("a view of a run", () => {
  test("elsewhere than on a terminal names few changes one by one", () => {
    const clock = { at: 0 };
    const out = screen({ isTTY: false });
    play(terminalView(out, plain, { now: () => clock.at }), clock, 3);
    expect(out.written.join("")).toBe(
      [
        "applying web: 3 actions (run 20260801T101112345-0a1b2c)",
        "+ path:/srv/0",
        "+ path:/srv/1",
        "✗ path:/srv/2  conflict",
        "verifying 3 registers",
        "Applied: 2 changed, 0 already, 1 conflict, verified.",
        "",
        "1 conflict: the system is neither as planned from nor as planned to; nothing was overwritten.",
        "  conflict  path:/srv/2",
        "",
      ].join("\n"),
    );
  });

  test("of a large run tells its progress every 5 % and names only what went wrong", () => {
    const clock = { at: 0 };
    const out = screen({ isTTY: false });
    play(terminalView(out, plain, { now: () => clock.at }, { summary: false }), clock, 1000);
    const lines = out.written.join("").trimEnd().split("\n");
    expect(lines).toHaveLength(1 + 20 + 1 + 1);
    expect(lines[3]).toBe("applying 150/1,000 (15 %)  100/s  9s left");
    expect(lines).toContain("✗ path:/srv/999  conflict");
  });

  test("on a terminal draws at most ten times a second, within its width, and leaves no live line", () => {
    const clock = { at: 0 };
    const out = screen({ isTTY: true, columns: 24 });
    play(terminalView(out, plain, { now: () => clock.at }, { summary: false }), clock, 1000);
    const drawn = out.written.filter((text) => text.includes("applying") && !text.endsWith("\n"));
    expect(drawn.length).toBeGreaterThan(90);
    expect(drawn.length).toBeLessThan(110);
    for (const text of drawn) expect(text.replace("\r\x1b[2K", "").length).toBeLessThan(24);
    expect(finalLines(out.written)).toEqual([
      "applying web: 1,000 actions (run 20260801T101112345-0a1b2c)",
      "✗ path:/srv/999  conflict",
      "",
    ]);
  });

  test("takes marks from the plan and lets time go on between events", () => {
    const clock = { at: 0 };
    const out = screen({ isTTY: true, columns: 80 });
    const view = terminalView(
      out,
      plain,
      { now: () => clock.at },
      { actionOf: (register) => (register === "command:x" ? "run" : undefined) },
    );
    view.show({ type: "begin", run: runName, stack: "web", kind: "revert", total: 2 });
    view.show({ type: "action", result: result("command:x", "set"), done: 1, total: 2 });
    view.show({ type: "started", register: "path:/slow" as RegisterId });
    clock.at = 5000;
    view.tick();
    expect(out.written.join("")).toContain("▸ command:x\n");
    expect(out.written.at(-1)).toBe("\r\x1b[2Kreverting 1/2 (50 %)  0.2/s  5s left  path:/slow");
    view.close();
    view.close();
    expect(out.written.at(-1)).toBe("\r\x1b[2K");
  });
});

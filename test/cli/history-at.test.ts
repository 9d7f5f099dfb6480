import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/core/index.ts";
import { Machine } from "./machine.ts";

interface Row {
  readonly register: string;
  readonly state?: { readonly is: string; readonly content?: string };
  readonly how?: string;
  readonly run?: string;
  readonly owners: readonly string[];
  readonly contents: readonly { readonly digest: string; readonly at_hand: boolean; readonly sensitive: boolean }[];
}

function past(
  machine: Machine,
  at: string,
): { readonly rows: readonly Row[]; row(path: string): Row | undefined; readonly unknownBefore: unknown } {
  const answer = machine.json(["history", "--at", at]);
  const rows = answer.registers as unknown as readonly Row[];
  return {
    rows,
    row: (path) => rows.find(({ register }) => register === `path:${machine.folder}/${path}`),
    unknownBefore: answer.unknown_before,
  };
}

const content = (machine: Machine, at: string, path: string) => machine.run("history", "--at", at, "--content", path);

describe("history --at", { timeout: 120_000 }, () => {
  test("shows after each run what was there then, and writes out its contents", () => {
    const machine = new Machine().write("motd", "as it was\n");
    const first = machine.applyFiles("web", { motd: "1\n", other: "x\n" });
    const second = machine.applyFiles("web", { motd: "2\n", other: "x\n" });
    const third = machine.applyFiles("blog", { post: "hello\n" });
    machine.json(["revert", second]);
    machine.json(["revert", third]);
    expect(past(machine, first).row("motd")).toMatchObject({ how: "set", run: first, owners: ["web"], state: { content: sha256("1\n") } });
    expect(past(machine, first).row("post")).toBeUndefined();
    expect(past(machine, second).row("motd")?.state?.content).toBe(sha256("2\n"));
    expect(past(machine, third).row("post")).toMatchObject({ state: { is: "file" }, owners: ["blog"] });
    const now = past(machine, "2999-01-01");
    expect(now.row("motd")).toMatchObject({ how: "undone", run: second, owners: ["web"], state: { content: sha256("1\n") } });
    expect(now.row("post")).toMatchObject({ how: "undone", owners: [], state: { is: "absent" } });
    expect(now.row("motd")?.contents).toEqual([{ digest: sha256("1\n"), at_hand: true, sensitive: false }]);
    expect(content(machine, first, "motd")).toEqual({ exit: 0, out: "1\n", err: "" });
    expect(content(machine, second.slice(0, -1), join(machine.folder, "motd")).out).toBe("2\n");
    expect(content(machine, "2999-01-01T00:00:00Z", "post").err).toContain("absent then");
    expect(machine.run("history", "--at", first).out).toContain("owned by  stack web");
    expect(machine.json(["history", "--at", first, "--stack", "blog"]).registers).toEqual([]);
    const { began } = machine.json(["history", "--stack", "blog"]).runs[0] as unknown as { began: number };
    expect(past(machine, new Date(began - 1).toISOString()).row("post")).toBeUndefined();
    expect(past(machine, "1999-12-31 23:59:59").rows).toEqual([]);
  });

  test("says what a halted run had done by then, and what was left", () => {
    const machine = new Machine();
    machine.write(
      "web.yaml",
      'setpoint: 1\nname: web\nresources:\n  - file: a\n    content: "1"\n  - command: stop\n    run: [ "false" ]\n    creates: made\n    undo: none\n  - file: b\n    content: "1"\n',
    );
    expect(machine.run("apply", "web.yaml", "--yes").exit).toBe(6);
    const run = machine.json(["history"]).runs[0]?.run as string;
    machine.write("made", "");
    machine.json(["resume"]);
    // The run went forward twice: right after it, all was done; at the time between, only a part.
    expect(past(machine, run).row("b")?.state?.is).toBe("file");
    const { began } = machine.json(["history"]).runs[0] as unknown as { began: number };
    const { ended } = machine.json(["show", run]) as unknown as { ended: number };
    const between = machine.json(["show", run, "--salvage"]) as unknown as {
      journals: { records: { t: string; at: number }[] }[];
    };
    const halted = between.journals[0]?.records.find(({ t }) => t === "end")?.at as number;
    expect(began).toBeLessThan(halted);
    expect(halted).toBeLessThan(ended);
    const then = past(machine, new Date(halted).toISOString());
    expect(then.row("a")).toMatchObject({ how: "set", state: { is: "file" } });
    expect(then.row("b")).toMatchObject({ how: "found", state: { is: "absent" } });
  });

  test("never writes out what is sensitive, and says what gc gave up", () => {
    const machine = new Machine();
    machine.write(
      "web.yaml",
      'setpoint: 1\nname: web\ninputs:\n  token: { type: string, secret: true }\nresources:\n  - file: key\n    content: "${{ inputs.token }}"\n',
    );
    const first = machine.json(["apply", "web.yaml", "--yes", "--var", "token=correct-horse"]).run;
    const told = machine.run("history", "--at", first, "--json");
    expect(told.out).not.toContain("correct-horse");
    expect(past(machine, first).row("key")?.contents).toMatchObject([{ sensitive: true, at_hand: false }]);
    expect(content(machine, first, "key")).toMatchObject({ exit: 1, out: "" });
    expect(machine.json(["history", "--at", first, "--content", "key"], 1).problems[0]?.code).toBe("sensitive-content");
    machine.applyFiles("web", { b: "1" });
    const last = machine.applyFiles("web", { b: "2" });
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    expect(machine.json(["history", "--at", first], 1).problems[0]?.code).toBe("gone-run");
    const after = past(machine, last);
    expect(after.unknownBefore).toEqual(expect.any(Number));
    expect(after.row("b")?.state?.content).toBe(sha256("2"));
    // Owned still, and set by a run that is gone: that it was managed is known, and how it was is not.
    expect(after.row("key")).toEqual({ register: `path:${machine.folder}/key`, owners: ["web"], contents: [] });
    expect(machine.run("history", "--at", last).out).toContain("not known: the runs that set it are gone");
    expect(machine.json(["history", "--at", last, "--content", "key"], 1).problems[0]?.code).toBe("unknown-state");
  });

  test("goes on without a run that cannot be read, and names it", () => {
    const machine = new Machine();
    const first = machine.applyFiles("web", { a: "1" });
    const second = machine.applyFiles("web", { a: "2" });
    rmSync(join(machine.state, "runs", first, "plan.json"));
    const ended = machine.run("history", "--at", second);
    expect(ended.exit).toBe(0);
    expect(ended.err).toContain(`what run ${first} set is not known`);
    expect(machine.json(["history", "--at", first], 1).problems[0]?.code).toBe("gone-run");
  });

  test.each([["yesterday"], ["2026-13-01"], ["20260801T101112000-1a2b3c"], ["2026-08-01 10"]])("refuses %s, which is no moment", (when) => {
    expect(new Machine().run("history", "--at", when).exit).toBe(64);
  });

  test("wants a moment with --content, and no --limit with --at", () => {
    expect(new Machine().run("history", "--content", "a").exit).toBe(64);
    expect(new Machine().run("history", "--at", "2026-08-01", "--limit", "3").exit).toBe(64);
  });
});

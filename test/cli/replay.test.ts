import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { replay } from "../../src/cli/commands/replay.ts";
import { type Change, type Goal, type Plan, planTextOf, type RunId, sha256 } from "../../src/core/index.ts";
import { replayPlan, Vault } from "../../src/engine/index.ts";
import { firstChain, frame, parseJournal } from "../../src/journal/frame.ts";
import { Ledger } from "../../src/journal/index.ts";
import { goals, kinds } from "../../src/registers/index.ts";
import { ContentStore } from "../../src/system/index.ts";
import { DeedWorld, deed } from "../support/deeds.ts";
import { runCommand } from "../support/in-process.ts";
import { Machine } from "./machine.ts";

const TRIES = Number(process.env.SETPOINT_RUNS) || 40;

interface Run {
  readonly run: string;
  readonly same: boolean;
  readonly replayed: number;
  readonly differences: readonly { readonly register?: string; readonly what: string }[];
  readonly not_replayed: readonly { readonly register: string; readonly why: string }[];
  readonly notes: readonly string[];
}

const runs = (machine: Machine, ...argv: readonly string[]) => machine.json(["replay", ...argv]).runs as unknown as readonly Run[];

/** A plan that a run of the real program froze, with what else stands in its folder. */
function frozen(): { readonly plan: Plan; readonly contents: ContentStore } {
  const machine = new Machine().write("hosts", "one\n");
  const old = "sum\nof\n";
  machine.write("hosts", old);
  machine.write("web.yaml", 'setpoint: 1\nname: web\nresources:\n  - file: a\n    content: "1"\n  - line: hosts\n    text: more\n');
  const { run } = machine.json(["apply", "web.yaml", "--yes"]);
  const contents = new ContentStore(() => undefined);
  for (const text of [old, `${old}more\n`, "1"]) contents.put(text);
  return { plan: JSON.parse(readFileSync(join(machine.state, "runs", run, "plan.json"), "utf8")) as Plan, contents };
}

/** Puts another plan in place of the one that a run froze, so that its digests hold all the same. */
function forge(folder: string, run: RunId, change: (plan: Plan) => Plan): void {
  const { digest: _digest, format: _format, ...plan } = change(JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")) as Plan);
  const { text, digest } = planTextOf(JSON.stringify(plan));
  writeFileSync(join(folder, "plan.json"), text);
  let chain = firstChain(run);
  const lines = parseJournal(readFileSync(join(folder, "journal")), run).records.map((record) => {
    const framed = frame(record.t === "begin" ? { ...record, plan: digest } : record, chain);
    chain = framed.chain;
    return framed.line;
  });
  writeFileSync(join(folder, "journal"), lines.join(""));
}

function parts(contents: ContentStore, with_: ReadonlyMap<string, Goal> = goals) {
  const vault = new Vault(
    [],
    () => {
      throw new Error("no keys");
    },
    contents,
  );
  return { kinds, goals: with_, contents, vault, ledger: new Ledger() };
}

describe("replay", { timeout: 120_000 }, () => {
  test("decides the same of every run: partial edits, prunes, debts, reverts and a secret", () => {
    const machine = new Machine().write("hosts", "first\n");
    const apply = (resources: string, ...more: readonly string[]) => {
      machine.write("web.yaml", `setpoint: 1\nname: web\ninputs:\n  token: { type: string, secret: true }\nresources:\n${resources}`);
      return machine.json(["apply", "web.yaml", "--yes", "--var", "token=correct-horse", ...more]).run;
    };
    const rest =
      "  - line: hosts\n    text: 127.0.0.1 here\n  - command: tell\n    run: [ sh, -c, 'echo >> log' ]\n    run_when: [ 'line:*' ]\n    undo: none\n";
    apply(`  - file: a\n    content: "1"\n  - directory: deep/er\n${rest}`);
    const secret = apply(
      `  - file: a\n    content: "2"\n  - file: key\n    content: "k=\${{ inputs.token }}"\n  - line: hosts\n    id: t\n    text: "t=\${{ inputs.token }}"\n${rest}`,
    );
    machine.json(["revert", "--var", "token=correct-horse"]);
    apply(rest, "--prune");
    const all = runs(machine, "--all", "--var", "token=correct-horse");
    expect(all).toHaveLength(3);
    expect(all.map(({ same, not_replayed, notes }) => ({ same, not_replayed, notes }))).toEqual(
      all.map(() => ({ same: true, not_replayed: [], notes: [] })),
    );
    const without = runs(machine, secret)[0] as Run;
    expect(without.same).toBe(true);
    expect(without.not_replayed).toEqual([{ register: `path:${machine.folder}/hosts`, why: expect.stringContaining("--var") }]);
    expect(machine.run("replay", secret).out).toContain("decides the same");
  });

  test("names what cannot be decided anew once gc gave things up, and reads nothing of the machine", () => {
    const machine = new Machine().write("hosts", "first\n");
    for (const text of ["1", "2", "3"]) {
      machine.write(
        "web.yaml",
        `setpoint: 1\nname: web\nresources:\n  - file: a\n    content: "${text}"\n  - line: hosts\n    text: here\n`,
      );
      machine.json(["apply", "web.yaml", "--yes"]);
    }
    machine.write("hosts", "somebody else").write("a", "somebody else");
    machine.json(["gc", "--keep", "0", "--days", "0"]);
    const [last] = runs(machine);
    expect(last).toMatchObject({ same: true, not_replayed: [{ register: `path:${machine.folder}/hosts` }] });
    expect(last?.notes).toEqual([expect.stringContaining("is not known")]);
    const gone = machine.json(["history"]).runs.at(-1)?.run as string;
    expect(machine.json(["replay", gone], 1).problems[0]?.code).toBe("no-replay");
    expect(machine.run("replay", "--all", gone).exit).toBe(64);
  });

  test("ends with 2 where another plan follows from what was recorded, and says what was and what is now", () => {
    const machine = new Machine();
    const run = machine.applyFiles("web", { a: "1" });
    forge(join(machine.state, "runs", run), run as RunId, (plan) => ({
      ...plan,
      changes: plan.changes.map((change) => ({ ...change, after: { ...change.after, mode: "0600" } })),
    }));
    const answer = machine.json(["replay"], 2).runs as unknown as readonly Run[];
    expect(answer[0]).toMatchObject({ same: false, differences: [{ register: `path:${machine.folder}/a`, what: "after" }] });
    const { exit, out } = machine.run("replay", run);
    expect(exit).toBe(2);
    expect(out).toMatch(/decides otherwise.*\n.*\/a: after\n +was .*"mode":"0600".*\n +now .*"mode":"0644"/);
  });

  test.each([
    [
      "another order",
      (plan: Plan): Plan => ({ ...plan, changes: plan.changes.map((change) => ({ ...change, n: 1 - change.n })) }),
      ["order", "order"],
    ],
    [
      "a step too few",
      (plan: Plan): Plan => {
        const [kept, { n, register, settings, before }] = plan.changes as [Change, Change];
        return { ...plan, changes: [kept], steady: [{ n, register, settings, before }] };
      },
      ["after", "action", "label", "reason"],
    ],
    [
      "another reason",
      (plan: Plan): Plan => ({ ...plan, changes: plan.changes.map((change) => ({ ...change, reason: "drift" as const })) }),
      ["reason", "reason"],
    ],
    [
      "another state found",
      (plan: Plan): Plan => ({ ...plan, changes: plan.changes.map((change) => ({ ...change, before: { is: "directory", mode: 0o755 } })) }),
      ["refused"],
    ],
  ])("sees %s", async (_, doctor, expected) => {
    const { plan, contents } = frozen();
    expect((await replayPlan(plan, parts(contents))).differences).toEqual([]);
    const { differences } = await replayPlan(doctor(plan), parts(contents));
    expect(differences.map(({ what }) => what)).toEqual(expect.arrayContaining(expected));
  });

  test("shows a goal that a newer version would fold otherwise", async () => {
    const { plan, contents } = frozen();
    const [key, line] = [...goals].find(
      ([name]) => name === `path ${plan.settings.find(({ register }) => register.key.endsWith("/hosts"))?.goal}`,
    ) as [string, Goal];
    const newer = new Map(goals).set(key, {
      ...line,
      converge: (now, _want, view) => {
        const text = view.contents.text(now.content as never);
        return text.includes("more\n") ? now : { ...now, content: view.contents.put(`more\n${text}`) };
      },
    });
    const { differences } = await replayPlan(plan, parts(contents, newer));
    expect(differences).toEqual([
      {
        register: expect.stringMatching(/\/hosts$/),
        what: "after",
        frozen: expect.anything(),
        now: expect.objectContaining({ content: sha256("more\nsum\nof\n") }),
      },
    ]);
  });

  test("refuses a plan that is not the one its run began with", () => {
    const machine = new Machine();
    const first = machine.applyFiles("web", { a: "1" });
    const second = machine.applyFiles("web", { a: "2" });
    const plan = (run: string) => join(machine.state, "runs", run, "plan.json");
    writeFileSync(plan(second), readFileSync(plan(first)));
    expect(machine.json(["replay", second], 1).problems[0]?.code).toBe("no-replay");
    expect(machine.run("replay", "--all").err).toContain(`run ${second} cannot be read`);
  });

  test("decides the same of all that any commands left, whatever was killed", { timeout: 60_000 + TRIES * 2_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 10 }), async (deeds) => {
        const world = new DeedWorld();
        for (const one of deeds) await world.act(one);
        const { system, end } = world.machine.process("/w");
        const ran = await runCommand(replay, system, "/w", [], { all: true, var: ["token=correct-horse-battery"] });
        end();
        expect(ran.exit, ran.out).toBe(0);
      }),
      { numRuns: TRIES },
    );
  });
});

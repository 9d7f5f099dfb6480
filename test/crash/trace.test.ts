import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import type { Lies, SimulatedFiles } from "../../src/system/simulated/index.ts";
import { moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import type { Call } from "../support/mortal-system.ts";
import { Scenario } from "../support/simulated-scenario.ts";
import { TraceChecker } from "../support/trace-checker.ts";

/** A sync that is left out, and what the checker says to the mutation that relied on it. */
const missing: readonly { readonly name: string; readonly lies: Lies; readonly says: RegExp }[] = [
  { name: "the intents'", lies: butTheFirst(/\/journal\.new$/), says: /no durable intent names it/ },
  { name: "the journal's", lies: (path) => /\/journal(\.new)?$/.test(path), says: /of a run that is not durable|no durable intent/ },
  { name: "the run's folder's", lies: (path) => /\/runs\/[^/.]+$/.test(path), says: /of a run that is not durable|no durable intent/ },
  { name: "the state directory's name's", lies: (path) => path === "/w", says: /of a run that is not durable|no durable intent/ },
  { name: "the frozen plan's", lies: (path) => path.endsWith("/plan.json.new"), says: /of a run that is not durable|no durable intent/ },
  { name: "the before-images'", lies: (path) => path.endsWith("/before.pack"), says: /is kept nowhere/ },
  { name: "a sensitive before-image's", lies: (path) => /\/blobs\/..\/.*\.new$/.test(path), says: /is kept nowhere/ },
  { name: "the name's of a sensitive before-image", lies: (path) => /\/blobs\/..$/.test(path), says: /is kept nowhere/ },
  { name: "the name's of a folder of blobs", lies: (path) => path.endsWith("/state/blobs"), says: /is kept nowhere/ },
];

/** The journal is opened under its first name, and its first sync is of the record that begins the run. */
function butTheFirst(pattern: RegExp): Lies {
  let met = 0;
  return (path) => pattern.test(path) && met++ > 0;
}

/** A machine whose apply has just ended, a process on it, and a checker that looks on. */
async function applied(): Promise<{ readonly files: SimulatedFiles; readonly checker: TraceChecker; readonly prefix: string }> {
  const scenario = new Scenario(1);
  await scenario.run(apply, ["book.yaml"]);
  const { files } = scenario.machine.process("/w");
  const checker = new TraceChecker(scenario.machine.disk, files, "/w/state");
  const [stash = ""] = scenario.stashes();
  return { files, checker, prefix: /\.[a-z2-7]{16}/.exec(stash)?.[0] ?? "" };
}

describe("the trace checker objects", () => {
  for (const { name, lies, says } of missing) {
    test(`I8: to a change before which ${name} sync is left out`, async () => {
      const life = await new Scenario(1).run(apply, ["book.yaml"], { lies, checked: false }).catch((thrown: Error) => thrown);
      const violations = life instanceof Error ? [life.message] : life.violations;
      expect(violations.join("\n")).toMatch(says);
    });
  }

  test("I8: to what no journal names, and to a temp file that recovery would not find", async () => {
    const { checker, prefix } = await applied();
    const doctored: readonly [Call, RegExp | undefined][] = [
      [{ name: "unlink", given: ["/w/book.yaml"] }, /unlink \/w\/book.yaml: no durable intent names it/],
      [{ name: "rename", given: ["/w/site/changed", "/w/site/mode-only"] }, /no durable intent names it/],
      [{ name: "makeDirectory", given: ["/w/site/new", 0o755] }, /no durable intent names it/],
      [{ name: "createNew", given: ["/w/site/.aaaaaaaaaaaaaaaa-1-0", 0o600] }, /of a run that is not durable/],
      [{ name: "createNew", given: [`/etc/${prefix}-1-0`, 0o600] }, /where recovery does not look/],
      [{ name: "createNew", given: [`/w/site/${prefix}-1-0`, 0o600] }, undefined],
      [{ name: "createNew", given: ["/w/state/anything", 0o600] }, undefined],
    ];
    for (const [call, says] of doctored) {
      checker.violations.length = 0;
      checker.before(call);
      if (says === undefined) expect(checker.violations).toEqual([]);
      else expect(checker.violations.join("\n")).toMatch(says);
    }
  });

  test("I17: to a sync that is tried again, and to a change after one that failed", async () => {
    const { checker, files, prefix } = await applied();
    const fd = files.openDirectory("/w/site");
    const other = files.openDirectory("/w");
    checker.failed({ name: "sync", given: [fd] });
    checker.before({ name: "sync", given: [other] });
    checker.before({ name: "unlink", given: [`/w/site/${prefix}-1-0`] });
    expect(checker.violations).toEqual([]);
    checker.before({ name: "syncAll", given: [[other, fd]] });
    expect(checker.violations).toEqual(["I17: /w/site is synced again after that failed"]);
    checker.before({ name: "createNew", given: [`/w/site/${prefix}-1-0`, 0o600] });
    expect(checker.violations.at(-1)).toMatch(/^I17: createNew .* after a failed sync/);
  });

  test("I8, I17: to nothing in an apply, and in a resume and a revert from each of its moments", async () => {
    const { moments: all } = await moments(new Scenario(1), apply, ["book.yaml"]);
    let calls = 0;
    for (const { scenario } of all) {
      for (const module of [resume, revert]) {
        if (!scenario.begun()) continue;
        const life = await scenario.fork(1).run(module);
        expect(life.violations).toEqual([]);
        calls += life.calls;
      }
    }
    tally({ invariants: ["I8", "I17"], what: "mutating calls", count: calls });
  });
});

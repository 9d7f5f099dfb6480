import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { tally } from "../support/figures.ts";
import { Scenario } from "../support/simulated-scenario.ts";
import type { World } from "../support/simulated-world.ts";

/** A program that is started anew whenever its file has changed. */
function bookOf(content: string): string {
  return `
setpoint: 1
name: owed
resources:
  - file: site/conf
    content: ${content}
  - command: reload
    run: [ make, reloaded ]
    run_when: [ "file:site/conf" ]
`;
}

const world: World = { playbook: bookOf("first"), folders: ["w/site"], files: {} };

type Files = ReturnType<Scenario["machine"]["process"]>["files"];

function changed(scenario: Scenario, change: (files: Files) => void): void {
  const { files, end } = scenario.machine.process("/w");
  change(files);
  scenario.machine.disk.syncAll();
  end();
}

/** A machine on which the first content is applied, and the playbook wants a second one. */
async function second(): Promise<Scenario> {
  const scenario = new Scenario(1, world);
  const first = await scenario.run(apply, ["book.yaml"]);
  expect(first.exit, first.said).toBe(0);
  changed(scenario, (files) => {
    files.unlink("/w/reloaded");
    files.unlink("/w/book.yaml");
    const fd = files.createNew("/w/book.yaml", 0o644);
    files.writeAll(fd, Buffer.from(bookOf("second")));
    files.close(fd);
  });
  return scenario;
}

describe("a command that watches what a killed run had set", () => {
  test("I4, I30: a revert brings the file back, and runs the command for it where it may have run for the other", async () => {
    const base = await second();
    const { "/w/site/conf": first } = base.snapshot();
    const { calls } = await base.fork(1).run(apply, ["book.yaml"]);
    let owed = 0;
    for (let at = 1; at <= calls; at++) {
      const scenario = base.fork(at);
      const { last } = await scenario.run(apply, ["book.yaml"], { at, when: "after" });
      const { "/w/site/conf": conf, "/w/reloaded": reloaded } = scenario.snapshot();
      // Before that there is but the first run, which is not the one to be undone here.
      if (conf === first) continue;
      if (reloaded !== undefined) changed(scenario, (files) => files.unlink("/w/reloaded"));
      const life = await scenario.run(revert);
      expect([life.exit, life.bug], `killed after call ${at} (${last})\n${life.said}`).toEqual([0, undefined]);
      const found = scenario.snapshot();
      expect(found["/w/site/conf"]).toBe(first);
      if (reloaded === undefined) continue;
      owed += 1;
      expect(found["/w/reloaded"], `killed after call ${at} (${last}): not run for what is restored`).toBeDefined();
    }
    expect(owed).toBeGreaterThan(1);
    tally({ invariants: ["I4", "I30"], what: "simulated kills", count: calls });
  });
});

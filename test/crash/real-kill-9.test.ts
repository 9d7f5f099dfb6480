import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { snapshot } from "../support/tree.ts";

const BIN = new URL("../../bin/setpoint.js", import.meta.url).pathname;
const FILES = 2000;

let base: string;
let work: string;

const setpoint = (...argv: string[]) =>
  spawnSync(process.execPath, [BIN, ...argv, "--state-dir", join(base, "state")], { cwd: base, encoding: "utf8" });

/** Half of the files are new, a quarter changes, a quarter goes. */
function fresh(): void {
  rmSync(work, { recursive: true, force: true });
  rmSync(join(base, "state"), { recursive: true, force: true });
  for (let index = 0; index < FILES; index++) {
    const folder = join(work, `d${index % 20}`);
    if (index < 20) mkdirSync(folder, { recursive: true });
    if (index % 4 === 0) writeFileSync(join(folder, `f${index}`), `old ${index}\n`);
    if (index % 4 === 1) writeFileSync(join(folder, `gone${index}`), `going ${index}\n`);
  }
}

/** Starts an apply and kills it after so many ms; whether it was still there to be killed. */
async function killedAfter(ms: number): Promise<0 | 1> {
  const child = spawn(process.execPath, [BIN, "apply", "book.yaml", "--yes", "--state-dir", join(base, "state")], {
    cwd: base,
    stdio: "ignore",
  });
  const ended = new Promise<string | null>((done) => child.once("exit", (_, signal) => done(signal)));
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  const signal = await ended;
  clearTimeout(timer);
  return signal === "SIGKILL" ? 1 : 0;
}

const tree = () => snapshot(work);

describe("2,000 files, kill -9 at random moments", () => {
  let before: ReturnType<typeof snapshot>;
  let after: ReturnType<typeof snapshot>;
  let whole = 0;

  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), "setpoint-kill9-"));
    work = join(base, "work");
    for (let index = 0; index < FILES; index++) {
      const folder = join(base, "source", `d${index % 20}`);
      if (index < 20) mkdirSync(folder, { recursive: true });
      if (index % 4 !== 1) writeFileSync(join(folder, `f${index}`), `new ${index}\n`);
    }
    writeFileSync(join(base, "book.yaml"), "setpoint: 1\nname: kill9\nresources:\n  - tree: work\n    source: source\n    exact: true\n");
    fresh();
    before = tree();
    const started = performance.now();
    const ran = setpoint("apply", "book.yaml", "--yes");
    whole = performance.now() - started;
    expect(ran.status, ran.stderr).toBe(0);
    after = tree();
    expect(after).not.toEqual(before);
  });

  afterAll(() => rmSync(base, { recursive: true, force: true }));

  const rounds = shareOf(50);

  test("I3: then resume: as uninterrupted, nothing left behind", async () => {
    let kills = 0;
    for (let round = 0; round < rounds; round++) {
      fresh();
      const ms = Math.random() * whole;
      kills += await killedAfter(ms);
      const resumed = setpoint("resume");
      // Killed before the run began: there is nothing to resume, and an apply does all of it.
      if (resumed.status !== 0) expect(setpoint("apply", "book.yaml", "--yes").status, `after ${ms} ms: ${resumed.stderr}`).toBe(0);
      expect(tree(), `after ${ms} ms`).toEqual(after);
      expect(setpoint("verify", "book.yaml").status).toBe(0);
    }
    tally({ invariants: ["I3"], what: "real kills", count: kills });
  });

  test("I4: then revert: as before, nothing left behind", async () => {
    let kills = 0;
    for (let round = 0; round < rounds; round++) {
      fresh();
      const ms = Math.random() * whole;
      kills += await killedAfter(ms);
      const reverted = setpoint("revert");
      if (reverted.status !== 0) expect(reverted.stderr, `after ${ms} ms`).toMatch(/no such run/);
      expect(tree(), `after ${ms} ms`).toEqual(before);
    }
    tally({ invariants: ["I4"], what: "real kills", count: kills });
  });
});

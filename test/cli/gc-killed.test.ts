import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Digest, Files, RegisterId, State, System } from "../../src/core/index.ts";
import { LockedDirectory, retain } from "../../src/journal/index.ts";
import { realSystem } from "../../src/system/index.ts";
import { tally } from "../support/figures.ts";
import { Machine } from "./machine.ts";

class Killed extends Error {}

const mutating = new Set<keyof Files>([
  "createNew",
  "writeAll",
  "writeAt",
  "truncate",
  "makeDirectory",
  "removeDirectory",
  "unlink",
  "rename",
  "sync",
]);

/** A system that dies before its so-manieth change of the disk, and changes nothing from then on. */
function dyingSystem(at: number): { readonly system: System; readonly calls: () => number } {
  const real = realSystem();
  let count = 0;
  const files = new Proxy(real.files, {
    get(target, name: keyof Files) {
      const call = target[name] as (...args: unknown[]) => unknown;
      if (!mutating.has(name)) return call.bind(target);
      return (...args: unknown[]) => {
        if (count++ >= at) throw new Killed();
        return call.apply(target, args);
      };
    },
  });
  return { system: { ...real, files }, calls: () => count };
}

const contentsOf = (_register: RegisterId, state: State) => (typeof state.content === "string" ? [state.content as Digest] : []);

async function gc(system: System, path: string): Promise<void> {
  const state = await LockedDirectory.lock(system, path, { patience: 5000, weak: true });
  if (!state) throw new Error("the lock is held");
  try {
    retain(system, state, { keep: 0, days: 0 }, contentsOf);
  } finally {
    state.unlock();
  }
}

test("I5, I29: a gc that is killed anywhere loses nothing that it would have kept, and can be run again", {
  timeout: 120_000,
}, async () => {
  const machine = new Machine().write("motd", "as it was\n");
  for (const text of ["1", "2", "3"]) machine.applyFiles("web", { motd: text });
  const folder = mkdtempSync(join(tmpdir(), "setpoint-gc-"));
  try {
    const whole = join(folder, "whole");
    cpSync(machine.state, whole, { recursive: true });
    const counting = dyingSystem(Number.POSITIVE_INFINITY);
    await gc(counting.system, whole);
    const alive = await LockedDirectory.lock(realSystem(), whole, { patience: 5000, weak: true });
    const ledger = alive?.rebuiltLedger().toText();
    alive?.unlock();
    const runs = readdirSync(join(whole, "runs")).sort();
    expect(runs).toHaveLength(2);
    expect(counting.calls()).toBeGreaterThan(20);
    for (let at = 0; at < counting.calls(); at++) {
      const path = join(folder, `killed-${at}`);
      cpSync(machine.state, path, { recursive: true });
      await expect(gc(dyingSystem(at).system, path)).rejects.toThrow();
      const system = realSystem();
      const state = await LockedDirectory.lock(system, path, { patience: 5000, weak: true });
      if (!state) throw new Error("the lock is held");
      // Whatever stands there now, the ledger can be made of it, and what the stack first replaced can be had.
      const rebuilt = state.rebuiltLedger();
      expect({ at, runs: rebuilt.runs.size }).toEqual({ at, runs: 3 });
      const id = `path:${machine.folder}/motd` as RegisterId;
      const [owned] = rebuilt.ownedBy("web", id);
      const content = owned?.was.content;
      expect(state.content(content as Digest, state.runs())?.toString()).toBe("as it was\n");
      state.unlock();
      await gc(system, path);
      expect({ at, runs: readdirSync(join(path, "runs")).sort() }).toEqual({ at, runs });
      const again = await LockedDirectory.lock(system, path, { patience: 5000, weak: true });
      expect(again?.rebuiltLedger().toText()).toBe(ledger);
      again?.unlock();
    }
    tally({ invariants: ["I5", "I29"], what: "kills of gc", count: counting.calls() });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

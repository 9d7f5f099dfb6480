import fc from "fast-check";
import { expect, test } from "vitest";
import { ledgerBytes, ledgerDifferences, readLedger } from "../../src/journal/index.ts";
import { DeedWorld, deed } from "../support/deeds.ts";

const TRIES = Number(process.env.SETPOINT_RUNS) || 60;

/** What the rebuilt ledger and the one that was kept do not have in common. */
function differences(world: DeedWorld): unknown {
  return world.look((state, file) => {
    const rebuilt = state.rebuiltLedger();
    if (file === undefined) return [];
    const kept = state.ledger();
    const known = readLedger(world.machine.process("/w").system.files, "/w/state/ledger");
    const isBehind = [...kept.runs].some(([run, { size }]) => known.runs.get(run)?.size !== size);
    const found = ledgerDifferences(kept.toText(), rebuilt.toText());
    return found.length === 0 && !isBehind && !file.equals(ledgerBytes(rebuilt)) ? "other bytes" : found;
  });
}

test("the ledger rebuilt from the journals has the bytes of the one that was kept, after any commands, deaths, clocks and gc", {
  timeout: 60_000 + TRIES * 2_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 14 }), async (deeds) => {
      const world = new DeedWorld();
      for (const [index, one] of deeds.entries()) {
        await world.act(one);
        expect(differences(world), `after ${index}: ${JSON.stringify(one)}`).toEqual([]);
      }
    }),
    { numRuns: TRIES },
  );
});

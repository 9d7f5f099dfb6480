import { expect, test } from "vitest";
import { DeedWorld } from "../support/deeds.ts";

const book = { files: [0], line: false, command: "watch" as const, secret: false };

test("a revert that was killed anywhere is gone on with, also behind a receipt that it had already forgotten", {
  timeout: 120_000,
}, async () => {
  let killed = 0;
  for (let dies = 1; dies < 60; dies++) {
    const world = new DeedWorld();
    await world.act({ do: "apply", stack: "a", book, prune: false, dies: 0 });
    await world.act({ do: "revert", which: 0, dies, happened: false });
    const status = () => world.look((state) => [...state.ledger().runs.values()][0]?.status);
    if (status() !== "reverted") killed += 1;
    await world.act({ do: "revert", which: 0, dies: 0, happened: false });
    expect(status(), `killed at ${dies}`).toBe("reverted");
    expect(world.look((state) => state.rebuiltLedger().receipts.size)).toBe(0);
  }
  expect(killed).toBeGreaterThan(10);
});

import { beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { gc } from "../../src/cli/commands/gc.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { sha256 } from "../../src/core/index.ts";
import { keysFrom } from "../../src/journal/index.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { share } from "../support/share.ts";
import { type Entry, SmallMachine, spoiled } from "../support/small-machine.ts";

/** Contents that others may not read, so that each is a blob of its own however small. */
const book = (text: string) => `
setpoint: 1
name: web
resources:
  - file: site/key
    content: the key is ${text}
    mode: '0600'
  - file: site/other
    content: the other is ${text}
    mode: '0600'
`;

const file = (path: string, text: string): Entry => ({ path, type: "file", mode: 0o600, text });
const directory = (path: string): Entry => ({ path, type: "directory", mode: 0o755, text: "" });
const START = [directory("/w"), file("/w/book.yaml", book("one")), directory("/w/site"), file("/w/site/key", "as it was")];

const KEEP = { keep: "1", days: "0" };

/** Every name in the blob store is the fingerprint of its content; gives the names. */
function fsck(machine: SmallMachine): readonly string[] {
  const keys = keysFrom(Buffer.from(machine.text("/w/state/keys"), "latin1"));
  return machine.entries("/w/state/blobs").flatMap(({ type, path, text }) => {
    if (type !== "file" || path.endsWith(".new")) return [];
    const name = path.slice(path.lastIndexOf("/") + 1);
    const bytes = Buffer.from(text, "latin1");
    expect(name.startsWith("k-") ? `k-${keys.fingerprint(keys.open(bytes)).slice("keyed:".length)}` : sha256(bytes)).toBe(name);
    return [name];
  });
}

/** The blobs that a run, or the ledger, names. */
function named(machine: SmallMachine): ReadonlySet<string> {
  const texts = machine
    .entries("/w/state")
    .filter(({ type, path }) => type === "file" && /\/(journal|plan\.json|ledger)$/.test(path) && !path.includes("/.gc-"));
  return new Set(texts.flatMap(({ text }) => [...text.matchAll(/keyed:([0-9a-f]{64})/g)].map(([, print]) => `k-${print}`)));
}

describe("gc", () => {
  let entries: readonly Entry[] = [];
  /** The world before the newest run. */
  let before = "";
  let after = "";
  let calls = 0;
  let kept: readonly string[] = [];

  beforeAll(async () => {
    let machine = new SmallMachine(START);
    for (const [index, text] of ["one", "two", "three", "four"].entries()) {
      machine = new SmallMachine(
        spoiled(machine.entries(), "/w/book.yaml", () => book(text)),
        index + 1,
      );
      machine.machine.wall += index * 60_000;
      before = machine.world();
      const ended = await machine.run(apply, ["book.yaml"]);
      expect(ended.exit, ended.said).toBe(0);
    }
    after = machine.world();
    entries = machine.entries();
    const collected = new SmallMachine(entries, 9);
    collected.machine.wall += 24 * 60 * 60 * 1000;
    const ended = await collected.run(gc, [], KEEP);
    expect(ended.said).toContain("Removed 3 runs");
    calls = ended.calls;
    kept = fsck(collected);
    expect(kept.length).toBeLessThan(fsck(new SmallMachine(entries)).length);
  });

  test("I5, I29: killed at any call, with a power cut or without, it loses nothing that is referenced, and ends when it is run again", async () => {
    let tried = 0;
    const step = Math.max(1, Math.round(0.2 / share));
    for (let at = 1; at <= calls; at += step) {
      for (const cut of [undefined, "random", "nothing"] as const) {
        const machine = new SmallMachine(entries, at);
        machine.machine.wall += 24 * 60 * 60 * 1000;
        const died = await machine.run(gc, [], KEEP, at);
        if (cut !== undefined) machine.machine.powerCut(cut, seeded(at));
        const what = `killed after call ${at} of ${calls}, power cut: ${cut}\n${died.said}`;
        const there = fsck(machine);
        for (const name of named(machine)) if (kept.includes(name)) expect(there, what).toContain(name);
        // A second gc is killed, too, and then it is let to its end.
        await machine.run(gc, [], KEEP, Math.max(1, Math.round(at / 2)));
        const again = await machine.run(gc, [], KEEP);
        expect(again.exit, `${what}\n${again.said}`).toBe(0);
        expect(machine.runs(), what).toHaveLength(1);
        expect([...fsck(machine)].sort(), what).toEqual([...kept].sort());
        expect(machine.world(), what).toBe(after);
        const back = await machine.run(revert);
        expect([back.exit, machine.world()], `${what}\n${back.said}`).toEqual([0, before]);
        tried += 1;
      }
    }
    tally({ invariants: ["I5", "I29"], what: "kills of gc", count: tried });
  }, 600_000);
});

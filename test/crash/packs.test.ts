import { beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { doctor } from "../../src/cli/commands/doctor.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { status } from "../../src/cli/commands/status.ts";
import { sha256 } from "../../src/core/index.ts";
import { keysFrom } from "../../src/journal/index.ts";
import { seeded } from "../../src/system/simulated/index.ts";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { type Entry, SmallMachine, spoiled } from "../support/small-machine.ts";

const LARGE = "0123456789abcde\n".repeat((1 << 16) + 3);

const BOOK = `
setpoint: 1
name: web
resources:
  - file: site/changed
    content: after
  - file: site/key
    content: hush hush
    mode: '0600'
  - file: site/gone
    state: absent
  - file: site/large
    source: large
  - line: site/list
    text: added
  - file: site/large-in-place
    source: large
    write: in-place
`;

const START: readonly Entry[] = [
  { path: "/w", type: "directory", mode: 0o755, text: "" },
  { path: "/w/book.yaml", type: "file", mode: 0o644, text: BOOK },
  { path: "/w/large", type: "file", mode: 0o644, text: `${LARGE}new\n` },
  { path: "/w/site", type: "directory", mode: 0o755, text: "" },
  { path: "/w/site/changed", type: "file", mode: 0o644, text: "before" },
  { path: "/w/site/key", type: "file", mode: 0o600, text: "an old secret" },
  { path: "/w/site/gone", type: "file", mode: 0o644, text: "going" },
  { path: "/w/site/large", type: "file", mode: 0o644, text: `${LARGE}old\n` },
  { path: "/w/site/large-in-place", type: "file", mode: 0o644, text: `${LARGE}older\n` },
  { path: "/w/site/list", type: "file", mode: 0o644, text: "one\n" },
];

/** Every name in the blob store is the digest of its content, keyed where it is sensitive. */
function fsck(machine: SmallMachine, but?: string): number {
  const keys = keysFrom(Buffer.from(machine.text("/w/state/keys"), "latin1"));
  const blobs = machine.entries("/w/state/blobs").filter(({ type, path }) => type === "file" && path !== but);
  for (const { path, text } of blobs) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const bytes = Buffer.from(text, "latin1");
    expect(name.startsWith("k-") ? `k-${keys.fingerprint(keys.open(bytes)).slice("keyed:".length)}` : sha256(bytes), path).toBe(name);
  }
  return blobs.length;
}

function flipped(text: string, bit: number): string {
  const at = bit >> 3;
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (bit & 7))) + text.slice(at + 1);
}

/** So many bits of a text, spread over all of it. */
function bitsOf(text: string, wanted: number): readonly number[] {
  const all = text.length * 8;
  const choose = seeded(wanted);
  const count = Math.min(all, wanted);
  return Array.from({ length: count }, (_, n) =>
    Math.min(all - 1, Math.floor((n * all) / count) + choose(Math.max(1, Math.floor(all / count)))),
  );
}

/** Of each path its line, so that one file's state can be told from another's. */
const linesOf = (world: string) => world.split("\n");

let initial = "";
let final = "";
let applied: readonly Entry[] = [];
let killed: readonly Entry[] = [];
let run = "";

beforeAll(async () => {
  const machine = new SmallMachine(START);
  initial = machine.world();
  const ended = await machine.run(apply, ["book.yaml"]);
  expect(ended.exit, ended.said).toBe(0);
  final = machine.world();
  applied = machine.entries();
  run = machine.runs()[0] ?? "";
  // Killed as soon as the run has begun, so that nearly all is still to be set from what was kept.
  for (let at = ended.calls - 1; at > 0; at--) {
    const one = new SmallMachine(START);
    await one.run(apply, ["book.yaml"], {}, at);
    if (one.world() !== initial || one.runs().length === 0 || !one.has(`/w/state/runs/${run}/journal`)) continue;
    killed = one.entries();
    break;
  }
  expect(killed).not.toEqual([]);
});

/** The files in which contents are kept, with the command that needs them. */
function stores(): readonly {
  readonly entries: readonly Entry[];
  readonly path: string;
  readonly module: CommandModule;
  readonly wanted: string;
}[] {
  const kept = (entries: readonly Entry[], pack: string) =>
    entries
      .filter(({ path, type }) => type === "file" && (path.endsWith(pack) || path.startsWith("/w/state/blobs/")))
      .map(({ path }) => path);
  return [
    ...kept(applied, "/before.pack").map((path) => ({ entries: applied, path, module: revert, wanted: initial })),
    ...kept(killed, "/after.pack").map((path) => ({ entries: killed, path, module: resume, wanted: final })),
  ];
}

describe("a kept content", () => {
  test("I18, I29: with any bit flipped, or cut, it is never written: what needs it says so, and all else is done", async () => {
    let tried = 0;
    const all = stores();
    expect(all.length).toBeGreaterThan(4);
    for (const { entries, path, module, wanted } of all) {
      const { text = "" } = entries.find((entry) => entry.path === path) ?? {};
      const cuts = [0, 1, Math.floor(text.length / 2), text.length - 1].map((at) => text.slice(0, at));
      const changed = [...bitsOf(text, shareOf(text.length > 10_000 ? 60 : text.length * 8)).map((bit) => flipped(text, bit)), ...cuts];
      for (const other of changed) {
        const machine = new SmallMachine(spoiled(entries, path, () => other));
        const ended = await machine.run(module, [run]);
        const what = `${path}: exit ${ended.exit}\n${ended.said}`;
        expect([0, 1, 6], what).toContain(ended.exit);
        const now = linesOf(machine.world());
        // Each file is wholly as before or wholly as after; nothing else stands anywhere.
        expect([...linesOf(initial), ...linesOf(final)], what).toEqual(expect.arrayContaining(now));
        if (ended.exit === 0) expect(now, what).toEqual(linesOf(wanted));
        else expect(ended.said, what).toMatch(/no longer has its digest|nowhere to be had|is not kept|rotten/);
        fsck(machine, path);
        tried += 1;
      }
    }
    tally({ invariants: ["I18", "I29"], what: "damaged kept contents", count: tried });
  }, 1_200_000);

  test("I29: after an apply, a kill, a resume and a revert every name in the store is the digest of its content", async () => {
    let tried = 0;
    for (const entries of [applied, killed]) {
      for (const module of [resume, revert]) {
        const machine = new SmallMachine(entries);
        expect((await machine.run(module, [run])).exit).toBe(0);
        tried += fsck(machine);
      }
    }
    expect(tried).toBeGreaterThan(8);
    tally({ invariants: ["I29"], what: "contents checked", count: tried });
  });

  test("I18: doctor --deep names each one that is rotten", async () => {
    for (const { entries, path } of stores()) {
      const { text = "" } = entries.find((entry) => entry.path === path) ?? {};
      const bit = text.length * 8 - 20;
      const machine = new SmallMachine(spoiled(entries, path, () => flipped(text, bit)));
      expect((await machine.run(doctor, [], { deep: true })).said, path).toMatch(/fail .*(rotten|no longer has its digest)/);
    }
  });
});

describe("the rest of a state directory", () => {
  const ALL: readonly (readonly [CommandModule, readonly string[]])[] = [
    [apply, ["book.yaml"]],
    [resume, []],
    [revert, []],
    [status, []],
  ];

  test("I13: a ledger with any bit flipped or cut anywhere is refused by name, and rebuilt from the journals as it was", async () => {
    let tried = 0;
    const path = "/w/state/ledger";
    const { text = "" } = applied.find((entry) => entry.path === path) ?? {};
    const cuts = Array.from({ length: shareOf(200) }, (_, n) => text.slice(0, Math.floor((n * text.length) / shareOf(200))));
    for (const other of [...bitsOf(text, shareOf(800)).map((bit) => flipped(text, bit)), ...cuts]) {
      const [module, args] = ALL[tried % ALL.length] as (typeof ALL)[number];
      const machine = new SmallMachine(spoiled(applied, path, () => other));
      const ended = await machine.run(module, args);
      expect([ended.exit, ended.said]).toEqual([1, expect.stringMatching(/^damaged-ledger: \/w\/state\/ledger /)]);
      expect(machine.world()).toBe(final);
      await machine.run(doctor, [], { fix: true });
      expect(machine.text(path)).toBe(text);
      tried += 1;
    }
    const machine = new SmallMachine(spoiled(applied, path, () => undefined));
    expect((await machine.run(apply, ["book.yaml"])).exit).toBe(0);
    expect((await machine.run(revert)).exit).toBe(0);
    expect(machine.world()).toBe(initial);
    tally({ invariants: ["I13"], what: "damaged ledgers", count: tried });
  }, 600_000);

  test("I13: other keys than those it was made with are refused, and so is a damaged or newer format", async () => {
    let tried = 0;
    for (const [path, name] of [
      ["/w/state/keys", /^damaged-keys: /],
      ["/w/state/format", /^(damaged-(keys|state)|newer-state): \/w\/state/],
    ] as const) {
      const { text = "" } = killed.find((entry) => entry.path === path) ?? {};
      for (const bit of bitsOf(text, shareOf(text.length * 8))) {
        const machine = new SmallMachine(spoiled(killed, path, () => flipped(text, bit)));
        const ended = await machine.run(resume);
        const what = `${path} bit ${bit}: exit ${ended.exit} ${ended.said}`;
        // In the name of a field that nobody asks for, a flip changes nothing.
        if (ended.exit === 0) expect([path, machine.world()], what).toEqual(["/w/state/format", final]);
        else {
          expect([ended.exit, ended.said], what).toEqual([1, expect.stringMatching(name)]);
          expect(machine.world(), what).toBe(initial);
          expect((await machine.run(doctor)).said).toMatch(/fail {2}(keys|format): /);
        }
        tried += 1;
      }
    }
    const newer = new SmallMachine(spoiled(killed, "/w/state/format", (text) => text.replace('"format":1', '"format":2')));
    for (const [module, args] of ALL) {
      const ended = await newer.run(module, args);
      expect([ended.exit, ended.said]).toEqual([1, expect.stringContaining("layout 2 of a newer setpoint")]);
    }
    tally({ invariants: ["I13"], what: "damaged keys and formats", count: tried });
  }, 600_000);
});

import { beforeAll, describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import { doctor } from "../../src/cli/commands/doctor.ts";
import { plan } from "../../src/cli/commands/plan.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { show } from "../../src/cli/commands/show.ts";
import { tally } from "../support/figures.ts";
import { shareOf } from "../support/share.ts";
import { type Entry, SmallMachine, spoiled } from "../support/small-machine.ts";

const BOOK = `
setpoint: 1
name: web
resources:
  - file: site/changed
    content: after
  - file: site/new
    content: "new \\u00fc"
  - file: site/gone
    state: absent
`;

const START: readonly Entry[] = [
  { path: "/w", type: "directory", mode: 0o755, text: "" },
  { path: "/w/book.yaml", type: "file", mode: 0o644, text: BOOK },
  { path: "/w/site", type: "directory", mode: 0o755, text: "" },
  { path: "/w/site/changed", type: "file", mode: 0o644, text: "before" },
  { path: "/w/site/gone", type: "file", mode: 0o644, text: "going" },
];

const SAVED = "/w/saved.plan";

/** Other values of a byte: a bit, another digit or letter, nothing printable, and no UTF-8. */
function others(byte: number): readonly number[] {
  return [byte ^ 1, byte ^ 0x20, 0x30 + ((byte + 1) % 10), 0, 0x0a, 0xff].filter((other) => other !== byte);
}

describe("a saved plan", () => {
  let planned: readonly Entry[] = [];
  let text = "";

  beforeAll(async () => {
    const machine = new SmallMachine(START);
    expect((await machine.run(plan, ["book.yaml"], { out: "saved.plan" })).exit).toBe(2);
    planned = machine.entries();
    text = machine.text(SAVED);
    expect((await machine.run(apply, ["saved.plan"])).exit).toBe(0);
  });

  test("I27: with any byte changed, cut or added it is refused, and nothing is touched", async () => {
    let tried = 0;
    const step = Math.max(1, Math.round(text.length / shareOf(text.length)));
    const refused = async (changed: string, how: string) => {
      const machine = new SmallMachine(spoiled(planned, SAVED, () => changed));
      const before = machine.world();
      const ended = await machine.run(apply, ["saved.plan"]);
      const what = `${how}: exit ${ended.exit}\n${ended.said}`;
      expect([1, 3, 4, 5], what).toContain(ended.exit);
      expect(ended.said, what).toMatch(/\S/);
      expect(machine.world(), what).toBe(before);
      expect(machine.runs(), what).toEqual([]);
      tried += 1;
    };
    for (let at = 0; at < text.length; at += step) {
      const byte = text.charCodeAt(at);
      const values = others(byte);
      // A share of the values, another for each place, but all of them at the beginning, where the digest stands.
      for (const [index, value] of values.entries()) {
        if (at > 100 && index !== at % values.length) continue;
        await refused(text.slice(0, at) + String.fromCharCode(value) + text.slice(at + 1), `byte ${at} as ${value}`);
      }
      await refused(text.slice(0, at), `cut at ${at}`);
    }
    await refused(`${text}{}`, "with more behind it");
    await refused(`${text}\n`, "with a line end behind it");
    tally({ invariants: ["I27"], what: "changed plans", count: tried });
  }, 1_200_000);

  test("I27: one of a newer version is refused by name", async () => {
    const machine = new SmallMachine(spoiled(planned, SAVED, (one) => one.replace('{"format":1', '{"format":2')));
    const ended = await machine.run(apply, ["saved.plan"]);
    expect([ended.exit, ended.said]).toEqual([3, expect.stringContaining("a plan of another version")]);
  });

  test("I27: a stale one ends in exit 4, whatever of it has moved, and nothing is touched", async () => {
    const edits: readonly ((entries: readonly Entry[]) => readonly Entry[])[] = [
      (entries) => spoiled(entries, "/w/site/changed", () => "somebody's"),
      (entries) => spoiled(entries, "/w/site/changed", () => undefined),
      (entries) => spoiled(entries, "/w/site/gone", () => "somebody's"),
      (entries) => spoiled(entries, "/w/site/gone", () => undefined),
      (entries) => [...entries, { path: "/w/site/new", type: "file", mode: 0o644, text: "theirs" }],
      (entries) => [...entries, { path: "/w/site/new", type: "directory", mode: 0o755, text: "" }],
      (entries) => entries.map((entry) => (entry.path === "/w/site/changed" ? { ...entry, mode: 0o600 } : entry)),
      (entries) => entries.map((entry) => (entry.path === "/w/site/gone" ? { ...entry, type: "symlink", text: "changed" } : entry)),
    ];
    for (const [index, edit] of edits.entries()) {
      const machine = new SmallMachine(edit(planned));
      const before = machine.world();
      const ended = await machine.run(apply, ["saved.plan"]);
      expect([index, ended.exit], ended.said).toEqual([index, 4]);
      expect(machine.world()).toBe(before);
      expect(machine.runs()).toEqual([]);
    }
    tally({ invariants: ["I27"], what: "stale plans", count: edits.length });
  });
});

describe("the frozen plan of a run", () => {
  test("I27: with any byte changed, or another run's in its place, neither resume nor revert acts on it", async () => {
    const machine = new SmallMachine(START);
    const { calls } = await machine.run(apply, ["book.yaml"]);
    const stories = [machine, new SmallMachine(START)] as const;
    await stories[1].run(apply, ["book.yaml"], {}, calls - 10);
    const another = new SmallMachine(
      spoiled(START, "/w/book.yaml", (text) => text.replace("after", "else")),
      2,
    );
    await another.run(apply, ["book.yaml"]);
    const foreign = another.text(`/w/state/runs/${another.runs()[0]}/plan.json`);
    let tried = 0;
    for (const story of stories) {
      const entries = story.entries();
      const [run = ""] = story.runs();
      const path = `/w/state/runs/${run}/plan.json`;
      const text = story.text(path);
      const step = Math.max(1, Math.round(text.length / shareOf(text.length)));
      const refused = async (changed: string | undefined, how: string) => {
        for (const module of [resume, revert]) {
          const one = new SmallMachine(spoiled(entries, path, () => changed));
          const before = one.world();
          const ended = await one.run(module, [run]);
          expect(ended.exit, `${how}: ${ended.said}`).toBe(1);
          expect(ended.said).toMatch(/^(damaged|no)-plan: \/w\/state\/runs\/\S+\/plan\.json /);
          expect(one.world()).toBe(before);
          tried += 1;
        }
      };
      for (let at = 0; at < text.length; at += step) {
        const values = others(text.charCodeAt(at));
        await refused(text.slice(0, at) + String.fromCharCode(values[at % values.length] as number) + text.slice(at + 1), `byte ${at}`);
      }
      await refused(text.slice(0, -10), "cut");
      await refused("", "empty");
      await refused(undefined, "gone");
      await refused(foreign, "another run's");
    }
    tally({ invariants: ["I27"], what: "changed plans of runs", count: tried });
  }, 1_200_000);

  test("I13: what leads on from a damaged one is told, and does: abandon, then an apply", async () => {
    const { abandon } = await import("../../src/cli/commands/abandon.ts");
    const whole = new SmallMachine(START);
    const { calls } = await whole.run(apply, ["book.yaml"]);
    for (const ledger of ["kept", "lost"]) {
      for (const changed of [(text: string) => text.slice(0, -9), () => undefined]) {
        const killed = new SmallMachine(START);
        await killed.run(apply, ["book.yaml"], {}, calls - 10);
        const [run = ""] = killed.runs();
        const entries = spoiled(killed.entries(), `/w/state/runs/${run}/plan.json`, changed);
        const machine = new SmallMachine(ledger === "kept" ? entries : spoiled(entries, "/w/state/ledger", () => undefined), 3);
        const refused = await machine.run(apply, ["book.yaml"]);
        expect([refused.exit, refused.said]).toEqual([1, expect.stringMatching(/^(damaged|no)-plan: /)]);
        expect((await machine.run(doctor)).said).toContain(run);
        expect((await machine.run(show, [run])).exit).toBe(1);
        const given = await machine.run(abandon, [run]);
        expect(given.exit, given.said).toBe(0);
        const again = await machine.run(apply, ["book.yaml"]);
        expect(again.exit, again.said).toBe(0);
        expect(machine.text("/w/site/changed")).toBe("after");
      }
    }
  });
});

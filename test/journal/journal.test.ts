import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunId } from "../../src/core/index.ts";
import { frame } from "../../src/journal/frame.ts";
import { fromRanges, parseJournal, RunJournal, readJournal, runState, toRanges } from "../../src/journal/index.ts";
import { realSystem } from "../../src/system/index.ts";
import { tally } from "../support/figures.ts";

const RUN = "20260801T101112000-1a2b3c" as RunId;
const { files, clock } = realSystem();
let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "setpoint-journal-")), "runs", RUN);
  mkdirSync(folder, { recursive: true });
});

afterEach(() => rmSync(join(folder, "../.."), { recursive: true, force: true }));

/** A journal with two durable groups and a done that is not. */
function written(): Buffer {
  const journal = RunJournal.create(files, clock, folder, RUN, { t: "begin", run: RUN, plan: "p", stack: "s", setpoint: "0", boot: "b" });
  journal.append({ t: "intent", n: [0, 2] });
  journal.sync();
  journal.append({ t: "done", n: [0, 2], outcome: "set" });
  journal.append({ t: "intent", action: 3, before: { is: "absent" }, after: { is: "file", content: "ü€\u{1f600}" }, attempt: 1 });
  journal.sync();
  journal.append({ t: "done", action: 3, outcome: "set" });
  journal.close();
  return readFileSync(join(folder, "journal"));
}

describe("a journal", () => {
  test("is read back as it was written, in ASCII", () => {
    const bytes = written();
    const parsed = parseJournal(bytes, RUN);
    expect(parsed.rest).toBe("none");
    expect(parsed.records.map((record) => record.t)).toEqual(["begin", "intent", "done", "intent", "done"]);
    expect(parsed.records[3]).toMatchObject({ after: { content: "ü€\u{1f600}" } });
    expect(bytes.every((byte) => byte < 0x80)).toBe(true);
    expect(runState(parsed.records)?.steps.get(3)?.status).toBe("done");
  });

  test("I13: cut at any byte it is whole, torn or damaged, and never another state", () => {
    const bytes = written();
    const whole = parseJournal(bytes, RUN).records;
    for (let length = 0; length < bytes.length; length++) {
      const parsed = parseJournal(bytes.subarray(0, length), RUN);
      expect(parsed.records).toEqual(whole.slice(0, parsed.records.length));
      // Without even its first record nothing is known, so nothing may be done.
      if (parsed.records.length === 0) expect(parsed.rest).toBe("damaged");
      else expect(["none", "torn"]).toContain(parsed.rest);
    }
    tally({ invariants: ["I13"], what: "journals cut", count: bytes.length });
  });

  test("I13: any flipped bit is torn or damaged; what was durable is never dropped silently", () => {
    const bytes = written();
    const whole = parseJournal(bytes, RUN).records;
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] as number) ^ (1 << bit);
        const parsed = parseJournal(flipped, RUN);
        expect(parsed.rest).not.toBe("none");
        expect(parsed.records).toEqual(whole.slice(0, parsed.records.length));
        // The last record says that all up to the intent before it was durable.
        if (parsed.records.length <= 1) expect(parsed.rest, `byte ${at} bit ${bit}`).toBe("damaged");
      }
    }
    tally({ invariants: ["I13"], what: "bits flipped in journals", count: bytes.length * 8 });
  });

  test("I13: records in another order or of another run do not pass", () => {
    const lines = written().toString("latin1").trimEnd().split("\n");
    const swapped = [lines[0], lines[2], lines[1], ...lines.slice(3)].join("\n");
    expect(parseJournal(Buffer.from(`${swapped}\n`), RUN).records).toHaveLength(1);
    expect(parseJournal(written(), "20260801T101112001-1a2b3c").records).toHaveLength(0);
  });

  test("I13: a torn tail is put aside before anything is appended", () => {
    const bytes = written();
    writeFileSync(join(folder, "journal"), bytes.subarray(0, bytes.length - 5));
    const journal = RunJournal.open(files, clock, folder, RUN);
    expect(journal.records).toHaveLength(4);
    journal.append({ t: "done", action: 3, outcome: "found" });
    journal.sync();
    journal.close();
    expect(readdirSync(folder).filter((name) => name.startsWith("journal.torn-"))).toHaveLength(1);
    expect(readJournal(files, folder, RUN)).toMatchObject({ rest: "none" });
  });

  test("I13: damage is refused by name, and salvage lists what can be read", () => {
    const bytes = written();
    bytes[70] = (bytes[70] as number) ^ 1;
    writeFileSync(join(folder, "journal"), bytes);
    expect(() => RunJournal.open(files, clock, folder, RUN)).toThrow(/damaged at byte \d+/);
    expect(readFileSync(join(folder, "journal")).equals(bytes)).toBe(true);
    expect(readJournal(files, folder, RUN)?.salvage.length).toBeGreaterThan(2);
  });

  test.each([
    [{ t: "end", v: 2 }, /`end` in version 2 of a newer setpoint/],
    [{ t: "teleport", opt: true }, undefined],
  ])("I13, I26: a record %j of a newer version is refused by name, unless it says that one may do without", (record, refusal) => {
    const journal = RunJournal.create(files, clock, folder, RUN, { t: "begin", run: RUN, plan: "p", stack: "s", setpoint: "0", boot: "b" });
    journal.close();
    const path = join(folder, "journal");
    const [, , chain = ""] = readFileSync(path, "latin1").split(" ");
    const { line } = frame({ at: 0, mono: 0, d: 0, seq: 1, v: 1, ...record } as never, chain);
    writeFileSync(path, line, { flag: "a" });
    const open = () => RunJournal.open(files, clock, folder, RUN).close();
    if (refusal === undefined) open();
    else expect(open).toThrow(refusal);
  });

  test("I13: a line with a right checksum that is no record is damage, wherever it stands", () => {
    const bytes = written();
    for (const json of ["null", "7", "{}", '{"t":"end"}', "no json"]) {
      const forged = Buffer.from(
        `${json.length.toString(16).padStart(8, "0")} ${crc32(json).toString(16).padStart(8, "0")} ${"0".repeat(32)} ${json}\n`,
      );
      for (const whole of [Buffer.concat([forged, bytes]), Buffer.concat([bytes, forged]), forged]) {
        const parsed = parseJournal(whole, RUN);
        expect(parsed.rest).not.toBe("none");
        expect(parsed.salvage.every((record) => typeof record.t === "string")).toBe(true);
      }
    }
  });

  test("I13: a record of an unknown type is refused by name", () => {
    const journal = RunJournal.create(files, clock, folder, RUN, { t: "begin", run: RUN, plan: "p", stack: "s", setpoint: "0", boot: "b" });
    journal.append({ t: "teleport" } as never);
    journal.sync();
    journal.close();
    expect(() => RunJournal.open(files, clock, folder, RUN)).toThrow(/`teleport` of a newer setpoint/);
  });
});

test("ranges stand for the numbers that made them", () => {
  expect(toRanges([0, 1, 2, 5, 7, 8])).toEqual([0, 2, 5, 5, 7, 8]);
  expect([...fromRanges([0, 2, 5, 5, 7, 8])]).toEqual([0, 1, 2, 5, 7, 8]);
});

test("I30: a transition that is not in the drawing is a bug", () => {
  const base = { v: 1, at: 0, mono: 0, d: 0 } as const;
  const begin = { ...base, seq: 0, t: "begin", run: RUN, plan: "", stack: "s", setpoint: "", boot: "" } as const;
  expect(() =>
    runState([
      begin,
      { ...base, seq: 1, t: "clr", n: [0, 0], outcome: "restored" },
      { ...base, seq: 2, t: "done", n: [0, 0], outcome: "set" },
    ]),
  ).toThrow(/cannot go from undone by done/);
});

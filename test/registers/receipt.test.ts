import { describe, expect, test } from "vitest";
import {
  type Goal,
  type JsonObject,
  type Receipt,
  type Register,
  type RegisterId,
  type State,
  SystemFault,
  type View,
} from "../../src/core/index.ts";
import { goals, type ReceiptAbout, type ReceiptState, receipt, receiptRegister } from "../../src/registers/index.ts";
import { matches } from "../resources/fold.ts";
import { type Answers, Disk, MemoryContents, readerOn } from "../resources/world.ts";

const command = { argv: ["make"] };
const file = "path:/etc/a" as RegisterId;
const key = "site/command:x";
const ran = goals.get("receipt ran") as Goal;

function register(more: Partial<ReceiptAbout>): Register {
  return receiptRegister("site", "command:x", { command, guards: {}, idempotent: false, in_doubt: "ask", ...more });
}

async function read(
  of: Register,
  on: {
    readonly paths?: readonly string[];
    readonly answers?: Answers;
    readonly receipts?: { readonly [key: string]: Receipt };
    readonly mayAsk?: boolean;
  } = {},
): Promise<ReceiptState> {
  const disk = new Disk(new MemoryContents(), Object.fromEntries((on.paths ?? []).map((path) => [path, "x"])));
  return (await receipt.read([of], readerOn(disk, on)))[0] as ReceiptState;
}

function view(state: State, sets = 0): View {
  return { contents: new MemoryContents(), state: () => state, sets: () => sets, fingerprint: (content) => content };
}

describe("the kind receipt", () => {
  test.each<[string, Partial<ReceiptAbout>, Parameters<typeof read>[1], string]>([
    ["creates, missing", { guards: { creates: ["/a"] } }, {}, "due"],
    ["creates, there", { guards: { creates: ["/a"] } }, { paths: ["/a"] }, "settled"],
    ["removes, there", { guards: { removes: ["/a", "/b"] } }, { paths: ["/b"] }, "due"],
    ["removes, missing", { guards: { removes: ["/a"] } }, {}, "settled"],
    ["unless that fails", { guards: { unless: { argv: ["t"] } } }, { answers: { t: 1 } }, "due"],
    ["unless that succeeds", { guards: { unless: { argv: ["t"] } } }, { answers: { t: 0 } }, "settled"],
    ["only_if that succeeds", { guards: { only_if: { argv: ["t"] } } }, { answers: { t: 0 } }, "due"],
    ["only_if that fails", { guards: { only_if: { argv: ["t"] } } }, { answers: { t: 3 } }, "settled"],
    ["once, never", { guards: { once: true } }, {}, "due"],
    ["once, done", { guards: { once: true } }, { receipts: { [key]: { run: "r", at: 1 } } }, "settled"],
    ["all that are given must let it run", { guards: { creates: ["/a"], unless: { argv: ["t"] } } }, { answers: { t: 0 } }, "settled"],
    ["a program that may not be asked", { guards: { unless: { argv: ["t"] } } }, { mayAsk: false }, "unknown"],
    [
      "no program where a path decides",
      { guards: { creates: ["/a"], unless: { argv: ["t"] } } },
      { mayAsk: false, paths: ["/a"] },
      "settled",
    ],
  ])("%s", async (_name, about, on, is) => {
    expect(await read(register(about), on)).toEqual({ is });
  });

  test("a guard whose program is not there is unknown and says why; any other fault is one", async () => {
    const disk = new Disk(new MemoryContents());
    const failing = (code: string) => ({ ...readerOn(disk), ask: () => Promise.reject(new SystemFault(code, "no such program")) });
    const of = [register({ guards: { unless: { argv: ["t"] } } })];
    expect(await receipt.read(of, failing("guard-missing"))).toEqual([{ is: "unknown", why: "no such program" }]);
    await expect(receipt.read(of, failing("EACCES"))).rejects.toMatchObject({ code: "EACCES" });
  });

  test("due becomes settled by running and recording, and goes back by its undo", () => {
    const plain = register({ guards: { once: true } });
    const undoable = register({ guards: { once: true }, undo: { argv: ["unmake"] } });
    const record = { do: "record", register: `receipt:${key}` };
    expect(receipt.transition(plain, { is: "due" }, { is: "settled" }, {})).toEqual([{ do: "run", argv: ["make"] }, record]);
    expect(receipt.transition(plain, { is: "settled" }, { is: "due" }, {})).toEqual([]);
    expect(receipt.transition(undoable, { is: "settled" }, { is: "due" }, {})).toEqual([{ do: "run", argv: ["unmake"] }, record]);
    for (const state of [{ is: "due" }, { is: "settled" }, { is: "unknown" }, { is: "watching", watched: {} }] as const)
      expect(receipt.transition(plain, state, state, {})).toEqual([]);
  });

  test("labels, evidence and doubt follow from guards and undo", () => {
    const [due, settled] = [{ is: "due" }, { is: "settled" }] as const;
    const label = (about: Partial<ReceiptAbout>): unknown => receipt.label?.(register(about), due, settled, {});
    expect(label({ guards: { once: true } })).toBe("irreversible");
    expect(label({ guards: { once: true }, undo: { argv: ["u"] } })).toBe("compensated");
    expect(label({ run_when: [file] })).toBe("compensated");
    const journal = register({ guards: { once: true } });
    const world = register({ guards: { once: true, creates: ["/a"] } });
    expect([receipt.evidence?.(journal), receipt.tentative?.(journal)]).toEqual(["journal", false]);
    expect([receipt.evidence?.(world), receipt.tentative?.(world)]).toEqual(["world", true]);
  });

  describe("one that watches", () => {
    const want: JsonObject = { run_when: [file] };
    const watching = register({ run_when: [file] });
    const content: State = { is: "file", content: "c", mode: "0644", owner: "root" };

    test("is due when it never ran, and then not until something changed", async () => {
      const never = await read(watching);
      const after = ran.converge(never, want, view(content, 1)) as ReceiptState & { watched: { [id: string]: string } };
      expect(after).toMatchObject({ is: "watching", watched: { [file]: expect.stringMatching(/^[0-9a-f]{16} 1$/) } });
      expect(receipt.transition(watching, never, after, {}).map((operation) => operation.do)).toEqual(["run", "record"]);

      const found = await read(watching, { receipts: { [key]: { run: "r", at: 1, watched: after.watched } } });
      expect(matches(found, after)).toBe(true);
      expect(ran.converge(found, want, view(content, 1))).toEqual(found);
      expect(ran.converge(after, want, view(content, 1))).toEqual(after);
      expect(ran.converge(found, want, view(content, 2))).not.toEqual(found);
      expect(ran.converge(found, want, view({ ...content, mode: "0600" }, 1))).not.toEqual(found);
    });

    test("a prediction and a reading of one file are the same to it", () => {
      const predicted = ran.converge({ is: "watching", watched: {} } as State, want, view({ is: "file", content: "c", mode: "0644" }, 1));
      expect(ran.converge(predicted, want, view({ ...content, group: "root", links: 2 }, 1))).toEqual(predicted);
    });

    test("so are a hard link that is planned and one that is read", () => {
      const planned = ran.converge({ is: "watching", watched: {} } as State, want, view({ is: "file", hardLinkOf: "/etc/b" }, 1));
      expect(ran.converge(planned, want, view({ ...content, links: 2, hardLinkOf: "/etc/b" }, 1))).toEqual(planned);
    });

    test("another guard holds it back, and a run that made that guard true reads as done", async () => {
      const both = register({ run_when: [file], guards: { creates: ["/out"] } });
      const before = await read(both);
      const after = ran.converge(before, want, view(content, 1)) as ReceiptState;
      expect(before).toMatchObject({ is: "watching", held: false });
      const watched = after.is === "watching" ? after.watched : {};
      const done = await read(both, { paths: ["/out"], receipts: { [key]: { run: "r", at: 1, watched } } });
      expect(matches(done, after)).toBe(true);
      expect(ran.converge(done, want, view(content, 9))).toEqual(done);

      // Killed between the run and its record.
      const half = await read(both, { paths: ["/out"] });
      expect(receipt.torn?.(half, before, after, {})).toBe(true);
      expect(receipt.transition(both, half, after, {}).map((operation) => operation.do)).toEqual(["record"]);
    });
  });
});

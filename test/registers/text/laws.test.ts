import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BlockWant,
  type LineWant,
  type Position,
  type ReplaceWant,
  replaceText,
  setBlock,
  setLine,
  splitLines,
  withoutBlock,
  withoutLine,
} from "../../../src/registers/text/index.ts";

const runs = { numRuns: 1000 };
// Few and alike, so that lines meet their wants, their anchors and each other often.
const lineText = fc.constantFrom(
  "Port 22",
  "#Port 22",
  "Port 1",
  "# Port 1",
  "a",
  "b",
  "x=1",
  "x=2",
  "",
  " ",
  "a\r",
  "\r",
  "# BEGIN setpoint m",
  "# END setpoint m",
  "<b>",
  "ü",
);
const ending = fc.constantFrom("\n", "\n", "\r\n");
const fileText = fc
  .tuple(fc.array(fc.tuple(lineText, ending), { maxLength: 7 }), fc.option(lineText, { nil: "" }))
  .map(([lines, last]) => lines.map(([text, end]) => text + end).join("") + last);
const regex = fc.constantFrom("^#?\\s*Port", "Port (\\d+)", "^(#?)\\s*(Port)", "^x=(?P<value>.*)$", "a|b", "^$", "2", ".", "^\\s*#", "(");
const position: fc.Arbitrary<Position> = fc.oneof(
  fc.constantFrom("end" as const, "start" as const),
  fc.record({ after: regex, first: fc.boolean() }),
  fc.record({ before: regex, first: fc.boolean() }),
);
const lineWant: fc.Arbitrary<LineWant> = fc.record(
  {
    state: fc.constantFrom("present" as const, "present" as const, "absent" as const),
    text: fc.oneof(lineText, fc.constantFrom("$1$2 22", "$2 22", "Port $1", "x=${value}", "x=${value}1", "$$", "a\nb", "a$0", "$2\r")),
    match: regex,
    occurrence: fc.constantFrom("last" as const, "first" as const, "all" as const, "only" as const),
    position,
    expand: fc.boolean(),
  },
  { requiredKeys: ["state", "text", "occurrence", "position"] },
);
const blockWant: fc.Arbitrary<BlockWant> = fc.record(
  {
    state: fc.constantFrom("present" as const, "present" as const, "absent" as const),
    text: fileText,
    marker: fc.constantFrom("m", "n"),
    comment: fc.constantFrom("#", "<!-- {} -->", "/* {} */", "$&"),
    begin: fc.constantFrom("Port 22", "<b>"),
    end: fc.constantFrom("Port 1", "</b>"),
    position,
  },
  { requiredKeys: ["state", "text", "marker", "comment", "position"] },
);
const replaceWant: fc.Arbitrary<ReplaceWant> = fc.record(
  {
    pattern: fc.oneof(regex, fc.constantFrom("\\s+", "x*", "^.*$", "(?s).+", "\\n", "\\r", "$")),
    with: fc.constantFrom("", "Port", "Port 22", "$1", "${value}", "x=3", "\n", "\r\n", "c\r\nd", "ab"),
    within: fc.record({ after: regex, before: regex }, { requiredKeys: [] }),
  },
  { requiredKeys: ["pattern", "with"] },
);

/** The law of idempotence, for what is not refused. */
function settles(edit: (text: string) => { ok: true; text: string } | { ok: false }, text: string): void {
  const once = edit(text);
  if (!once.ok) return;
  expect(edit(once.text)).toEqual(once);
}

/** Whether the lines of one text are all in another, in order and with their endings. */
function isWithin(some: readonly unknown[], all: readonly unknown[]): boolean {
  let at = 0;
  for (const line of all) if (JSON.stringify(line) === JSON.stringify(some[at])) at += 1;
  return at === some.length;
}

describe("a line", () => {
  test("set twice is set once", () => {
    fc.assert(
      fc.property(fileText, lineWant, (text, want) => settles((one) => setLine(one, want), text)),
      runs,
    );
  });

  test("released twice is released once", () => {
    const before = fc.option(fileText, { nil: undefined });
    fc.assert(
      fc.property(fileText, before, lineWant, (text, was, want) => settles((one) => withoutLine(one, want, was), text)),
      runs,
    );
    const later = fc.tuple(fileText, lineWant, fc.array(fc.tuple(fc.nat(9), lineText, fc.boolean()), { maxLength: 3 }));
    fc.assert(
      fc.property(later, ([was, want, edits]) => {
        const made = setLine(was, want);
        if (!made.ok) return;
        const lines = splitLines(made.text);
        for (const [at, text, remove] of edits) lines.splice(at, remove ? 1 : 0, { text, ending: "\n" });
        settles((one) => withoutLine(one, want, was), lines.map((line) => line.text + line.ending).join(""));
      }),
      runs,
    );
  });

  test("released right after it was set gives the text before", () => {
    fc.assert(
      fc.property(fileText, lineWant, (was, want) => {
        const made = setLine(was, want);
        if (made.ok && want.state === "present") expect(withoutLine(made.text, want, was)).toEqual({ ok: true, text: was });
      }),
      runs,
    );
  });

  test("present and then absent gives the text before, when it was not there", () => {
    const want = fc.record({ state: fc.constant("present" as const), text: lineText, occurrence: fc.constant("last" as const), position });
    fc.assert(
      fc.property(fileText, want, (text, present) => {
        const made = setLine(text, present);
        if (!made.ok || made.text === text) return;
        expect(setLine(made.text, { ...present, state: "absent" })).toEqual({ ok: true, text });
        expect(withoutLine(made.text, present, undefined)).toEqual({ ok: true, text });
      }),
      runs,
    );
  });

  test("leaves the bytes of all other lines alone", () => {
    fc.assert(
      fc.property(fileText, lineWant, (text, want) => {
        // A last newline is there or not, whichever line is the last: that one ending is not the line's own.
        const whole = text === "" || text.endsWith("\n") ? text : `${text}\n`;
        const made = setLine(whole, want);
        if (!made.ok) return;
        const [before, after] = [splitLines(whole), splitLines(made.text)];
        if (after.length > before.length) expect(isWithin(before, after)).toBe(true);
        if (after.length < before.length && want.state === "absent") expect(isWithin(after, before)).toBe(true);
        if (after.length === before.length) {
          const differing = after.filter((line, index) => line.text !== before[index]?.text);
          if (want.occurrence !== "all" || want.state === "absent") expect(differing.length).toBeLessThanOrEqual(1);
        }
        if (after.length > 0) expect(made.text.endsWith("\n")).toBe(true);
      }),
      runs,
    );
  });

  test("keeps a missing last newline missing", () => {
    fc.assert(
      fc.property(fileText, lineWant, (text, want) => {
        const made = setLine(text, want);
        if (!made.ok || text === "" || text.endsWith("\n") || made.text === "") return;
        const last = splitLines(made.text).at(-1);
        expect(last?.ending === "" || last?.text === "").toBe(true);
      }),
      runs,
    );
  });
});

describe("a block", () => {
  test("set twice is set once", () => {
    fc.assert(
      fc.property(fileText, blockWant, (text, want) => settles((one) => setBlock(one, want), text)),
      runs,
    );
  });

  test("released twice is released once", () => {
    const before = fc.option(fileText, { nil: undefined });
    fc.assert(
      fc.property(fileText, before, blockWant, (text, was, want) => settles((one) => withoutBlock(one, want, was), text)),
      runs,
    );
  });

  test("present and then absent gives the text before, when it was not there", () => {
    fc.assert(
      fc.property(fileText, blockWant, (text, want) => {
        const gone = setBlock(text, { ...want, state: "absent" });
        if (!gone.ok || gone.text !== text) return;
        const made = setBlock(text, { ...want, state: "present" });
        if (!made.ok) return;
        expect(setBlock(made.text, { ...want, state: "absent" })).toEqual({ ok: true, text });
        expect(isWithin(splitLines(text).slice(0, -1), splitLines(made.text))).toBe(true);
      }),
      runs,
    );
  });

  test("released right after it was set gives the text before", () => {
    fc.assert(
      fc.property(fileText, blockWant, (was, want) => {
        const made = setBlock(was, want);
        if (made.ok && want.state === "present") expect(withoutBlock(made.text, want, was)).toEqual({ ok: true, text: was });
      }),
      runs,
    );
  });
});

describe("a replacement", () => {
  test("done twice is done once, or it is refused", () => {
    fc.assert(
      fc.property(fileText, replaceWant, (text, want) => settles((one) => replaceText(one, want), text)),
      runs,
    );
  });

  test("keeps every ending of a file in CRLF", () => {
    fc.assert(
      fc.property(fileText, replaceWant, (text, want) => {
        const windows = text.replace(/\r*\n/g, "\r\n");
        const made = replaceText(windows, want);
        if (made.ok && windows.includes("\n")) expect(made.text).not.toMatch(/(^|[^\r])\n/);
      }),
      runs,
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, encodingProblem, joinLines, splitLines } from "../../../src/registers/text/index.ts";

const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);

describe("an encoding", () => {
  test("gives every byte string back", () => {
    const marks = fc.constantFrom([], [0xef, 0xbb, 0xbf], [0xff, 0xfe], [0xfe, 0xff], [0xff, 0xfe, 0, 0], [0xef, 0xbb]);
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: "binary" }).map((text) => new Uint8Array(Buffer.from(text, "utf8"))),
      fc.string({ unit: "binary" }).map((text) => new Uint8Array(Buffer.from(text, "utf16le"))),
    );
    fc.assert(
      fc.property(marks, content, (mark, rest) => {
        const whole = Uint8Array.from([...mark, ...rest]);
        const file = decode(whole);
        expect([...encode(file)]).toEqual([...whole]);
        expect(encodingProblem(file)).toBeUndefined();
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    ["nothing", bytes(), "utf8", false, false, ""],
    ["ASCII", bytes(0x61, 0x0a), "utf8", false, false, "a\n"],
    ["UTF-8", bytes(0xc3, 0xbc), "utf8", false, false, "ü"],
    ["UTF-8 with a mark", bytes(0xef, 0xbb, 0xbf, 0x61), "utf8", true, false, "a"],
    ["UTF-16LE", bytes(0xff, 0xfe, 0xfc, 0), "utf16le", true, false, "ü"],
    ["UTF-16BE", bytes(0xfe, 0xff, 0, 0xfc), "utf16be", true, false, "ü"],
    ["half of UTF-16", bytes(0xff, 0xfe, 0xfc), "latin1", false, false, "ÿþü"],
    ["Latin-1", bytes(0x61, 0xfc), "latin1", false, false, "aü"],
    ["UTF-32LE", bytes(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0), "latin1", false, true, "ÿþ\0\0a\0\0\0"],
    ["a NUL", bytes(0x61, 0), "utf8", false, true, "a\0"],
  ])("of %s is told", (_, given, encoding, bom, binary, text) => {
    expect(decode(given)).toEqual({ text, encoding, bom, binary });
  });

  test("does not read past a view of a larger buffer", () => {
    expect(decode(bytes(0x61, 0x62, 0x63).subarray(1, 2)).text).toBe("b");
  });

  test("says which character has no place", () => {
    const latin = decode(bytes(0xfc));
    expect(encodingProblem({ ...latin, text: "é\n→" })?.detail).toContain('Line 2 would hold "→" (U+2192)');
    expect(encodingProblem({ ...decode(bytes()), text: "\ud800" })?.detail).toContain("half of a character");
    expect(encodingProblem({ ...decode(bytes()), text: "→😀" })).toBeUndefined();
  });
});

test("lines put together are the text they were cut from", () => {
  const piece = fc.constantFrom("\n", "\r\n", "\r", "a", "b ");
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join("");
      expect(joinLines(splitLines(text))).toBe(text);
    }),
  );
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBytes, formatDuration, parseDuration, parseSize } from "../../src/core/size.ts";

describe("a size", () => {
  test.each([
    ["0", 0],
    [1024, 1024],
    ["10MiB", 10_485_760],
    ["10 mib", 10_485_760],
    ["1.5KiB", 1536],
    ["0.1GB", 100_000_000],
    ["2kB", 2000],
    ["7B", 7],
    ["1PiB", 2 ** 50],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, value: bytes });
  });

  test.each([
    ["10M", "10MiB (by 1024) or 10MB (by 1000)"],
    ["-1", "Write bytes"],
    ["ten", "Write bytes"],
    ["", "Write bytes"],
    ["1.5", "no whole number"],
    ["1e3", "Write bytes"],
    ["5 bits", "Units are"],
    ["9999999PiB", "too large"],
  ])("%s is none", (text, detail) => {
    expect(parseSize(text)).toMatchObject({ ok: false, summary: "not a size", detail: expect.stringContaining(detail) });
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [1_048_575, "1 MiB"],
    [10_485_760, "10 MiB"],
  ])("of %d bytes is shown as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("a duration", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1w", 604_800_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    ["1.5s", 1500],
    ["0", 0],
    [0, 0],
  ])("%s is %d ms", (text, milliseconds) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: milliseconds });
  });

  test.each([
    ["30", "Say the unit: 30s, 30m or 30ms"],
    [30, "Say the unit"],
    ["", "Write for example"],
    ["5 minutes", "Write for example"],
    ["30m1h", "Write for example"],
    ["1m1m", "Write for example"],
    ["-5s", "Write for example"],
  ])("%s is none", (text, detail) => {
    expect(parseDuration(text)).toMatchObject({ ok: false, summary: "not a duration", detail: expect.stringContaining(detail) });
  });

  test.each([
    [0, "0ms"],
    [350.7, "350ms"],
    [999, "999ms"],
    [1000, "1s"],
    [1234, "1.2s"],
    [59_999, "59.9s"],
    [60_000, "1m"],
    [184_000, "3m 4s"],
    [7_500_000, "2h 5m"],
    [97_200_000, "1d 3h"],
    [864_000_000, "10d"],
  ])("of %d ms is shown as %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  test("shown and read is not more than it was, and shown the same", () => {
    fc.assert(
      fc.property(fc.nat(), (milliseconds) => {
        const shown = formatDuration(milliseconds);
        const read = parseDuration(shown);
        expect(read.ok && read.value <= milliseconds && formatDuration(read.value) === shown).toBe(true);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyMode, formatMode, modeProblem, parseMode } from "../../src/core/mode.ts";

function after(mode: string, current: number, isDirectory = false): string | undefined {
  const parsed = parseMode(mode);
  return parsed.ok ? formatMode(applyMode(parsed.value, current, isDirectory)) : undefined;
}

describe("a mode", () => {
  // Checked against GNU chmod 9.1 with umask 0, which differs only in that its octal digits keep a directory's setgid bit.
  test.each([
    ["0644", 0o777, false, "0644"],
    ["644", 0, false, "0644"],
    ["4755", 0, false, "4755"],
    ["04755", 0, false, "4755"],
    ["0o644", 0, false, "0644"],
    ["0755", 0o2755, true, "0755"],
    ["u=rw,g=r", 0o777, false, "0647"],
    ["u=rw,go=", 0o777, false, "0600"],
    ["a+X", 0o644, false, "0644"],
    ["a+X", 0o744, false, "0755"],
    ["a+X", 0o644, true, "0755"],
    ["go-w", 0o666, false, "0644"],
    ["u+s", 0o755, false, "4755"],
    ["ug+s", 0o755, false, "6755"],
    ["o+s", 0o755, false, "0755"],
    ["+t", 0o777, true, "1777"],
    ["u+t", 0o777, true, "0777"],
    ["g=u", 0o740, false, "0770"],
    ["o=g-w", 0o770, false, "0775"],
    ["u=rwx", 0o4644, false, "0744"],
    ["g=rx", 0o2770, true, "2750"],
    ["g=rxs", 0o770, true, "2750"],
    ["g-s", 0o2770, true, "0770"],
    ["=", 0o7777, false, "0000"],
    ["a=rX", 0o700, true, "0555"],
    ["u+x-w", 0o644, false, "0544"],
  ])("%s over %o (directory: %s) is %s", (mode, current, isDirectory, result) => {
    expect(after(mode, current, isDirectory)).toBe(result);
  });

  test.each(["", "rw", "0888", "44", "12345", "u=q", "u", "u=rw;g=r", "0x1f", "-rw-r--r--", "u=r,,g=r", "g=o,o=u,u=g", "a+X,u+x"])(
    "'%s' is none",
    (text) => {
      expect(parseMode(text)).toMatchObject({ ok: false, summary: "not a mode", detail: expect.stringContaining(`'${text}'`) });
    },
  );

  test("applied twice is applied once", () => {
    const clause = fc
      .tuple(
        fc.constantFrom("", "u", "g", "o", "a", "ug", "go"),
        fc.constantFrom("+", "-", "="),
        fc.constantFrom("", "r", "w", "x", "X", "rwX", "s", "t", "xst", "u", "g", "o"),
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(clause, { minLength: 1, maxLength: 3 }), fc.nat(0o7777), fc.boolean(), (clauses, current, isDirectory) => {
        const parsed = parseMode(clauses.join(","));
        if (!parsed.ok) return;
        const once = applyMode(parsed.value, current, isDirectory);
        expect(applyMode(parsed.value, once, isDirectory)).toBe(once);
      }),
    );
  });

  test("is shown in four digits, without the type of the file", () => {
    expect(formatMode(0o644)).toBe("0644");
    expect(formatMode(0o104755)).toBe("4755");
    expect(formatMode(0)).toBe("0000");
  });

  test("shown and read is the same", () => {
    for (let bits = 0; bits <= 0o7777; bits += 1) expect(parseMode(formatMode(bits))).toEqual({ ok: true, value: { is: "bits", bits } });
  });

  test("that is a bare number is refused with what to write", () => {
    expect(modeProblem(644)?.detail).toBe("YAML reads 0644 as decimal 644, not as octal digits: quote it, '0644'.");
    expect(modeProblem(4755)?.detail).toContain("'4755'");
    expect(modeProblem(0o755)?.detail).toContain("If it was written as 0o755, that is '0755'");
    expect(modeProblem(0.5)?.summary).toBe("a mode must be quoted");
    expect(modeProblem(true)?.summary).toBe("not a mode");
    expect(modeProblem("0648")?.detail).toContain("Octal digits go from 0 to 7");
    expect(modeProblem("0644")).toBeUndefined();
  });
});

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Json, Result } from "../../src/core/index.ts";
import { createCel } from "../../src/playbook/expression/cel.ts";
import { scan } from "../../src/playbook/expression/scan.ts";
import { simpleExpression } from "../../src/playbook/expression/simple.ts";
import { expressionFunctions, loadPlaybook, type Playbook } from "../../src/playbook/index.ts";
import { sources } from "./fake-types.ts";

interface Case {
  readonly expression: string;
  readonly value?: Json;
  readonly problem?: string;
}

const cases = parse(readFileSync(new URL("expressions.cases.yaml", import.meta.url), "utf8")) as readonly Case[];
const inputs = { n: 4, d: 1.5, s: "Abc", b: true, l: ["b", "a", "b"], m: { a: { b: 2 }, "x y": 1 }, z: null, e: "" };

/** A playbook whose one resource holds an expression as the value of a setting. */
function playbookOf(expression: string): string {
  const declared = Object.keys(inputs)
    .map(
      (name) =>
        `  ${name}: { type: ${{ n: "integer", d: "number", s: "string", b: "boolean", l: "list", m: "map", z: "string, required: false", e: "string" }[name]} }\n`,
    )
    .join("");
  return `setpoint: 1\nname: web\ninputs:\n${declared}resources:\n  - config: /etc/a\n    set: { v: ${JSON.stringify(`\${{ ${expression} }}`)} }\n`;
}

async function evaluate(expression: string): Promise<Result<Playbook>> {
  const { z: _, ...given } = inputs;
  return loadPlaybook(
    playbookOf(expression),
    "web.yaml",
    sources({
      given: Object.fromEntries(
        Object.entries(given).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
      ),
    }),
  );
}

describe("expressions", () => {
  for (const one of cases) {
    test(`${one.expression} gives ${one.problem ?? JSON.stringify(one.value)}`, async () => {
      const loaded = await evaluate(one.expression);
      if (one.problem !== undefined) expect(loaded).toMatchObject({ ok: false, problems: [{ code: one.problem }] });
      else expect(loaded.ok ? loaded.value.resources[0]?.spec.set : loaded.problems).toEqual({ v: one.value });
    });
  }

  test("every function has a line for the reference and a case", () => {
    const all = cases.map((one) => one.expression).join("\n");
    for (const one of expressionFunctions) {
      expect(one.about).toMatch(/\.$/);
      expect(one.forms.some((form) => all.includes(`${/(\w+)\(/.exec(form)?.[1]}(`))).toBe(true);
    }
  });

  test("what is evaluated without CEL gives what CEL gives", async () => {
    const linear = await import("../../src/playbook/expression/linear-regex.ts");
    const cel = createCel({ linear });
    const literal = fc.constantFrom("4", "'Abc'", "true", "null", "'a'", "0", "''");
    const path = fc.constantFrom(
      "inputs.n",
      "inputs.d",
      "inputs.s",
      "inputs.b",
      "inputs.l",
      "inputs.l[0]",
      "inputs.l[7]",
      "inputs.m",
      "inputs.m.a",
      "inputs.m['x y']",
      "inputs.m.q",
      "inputs.z",
      "inputs.e",
      "each",
      "each.value",
    );
    const term: fc.Arbitrary<string> = fc.letrec<{ term: string }>((tie) => ({
      term: fc.oneof(
        { depthSize: "small" },
        path,
        literal,
        fc.tuple(path, fc.constantFrom("==", "!=", "in"), fc.oneof(literal, path)).map((parts) => parts.join(" ")),
        fc.tuple(literal, fc.constantFrom("==", "in"), path).map((parts) => parts.join(" ")),
        path.map((one) => `${one} in ['a', 4, null]`),
        tie("term").map((one) => `!(${one})`),
        fc.tuple(tie("term"), fc.constantFrom("&&", "||"), tie("term")).map(([left, sign, right]) => `(${left}) ${sign} (${right})`),
      ),
    })).term;
    const values = { inputs, each: { value: true } };
    fc.assert(
      fc.property(term, (text) => {
        const simple = simpleExpression(text);
        if (simple === undefined) return;
        let mine: Json;
        try {
          mine = simple.run(values);
        } catch {
          return; // CEL is asked then.
        }
        expect(cel.compile(text).run(values)).toEqual(mine);
      }),
      { numRuns: 2000 },
    );
  });

  test("texts are split at their expressions and nothing is lost", () => {
    expect(scan("a ${{ '}}' }} b $${{ c }} ${{ {'x': {}} }}")).toEqual({
      ok: true,
      parts: [
        { literal: "a " },
        { expression: " '}}' ", offset: 5 },
        { literal: " b ${{ c }} " },
        { expression: " {'x': {}} ", offset: 29 },
      ],
    });
    const piece = fc.constantFrom("${{", "}}", "$", "{", "}", "'", '"', "\\", "a", " ", "r", "\n");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join("");
        const scanned = scan(text);
        if (!scanned.ok) {
          expect(text.slice(scanned.offset, scanned.offset + 3)).toBe("${{");
          return;
        }
        const again = scanned.parts
          .map((part) => ("literal" in part ? part.literal.replaceAll("${{", () => "$${{") : `\${{${part.expression}}}`))
          .join("");
        expect(again).toBe(text);
      }),
    );
  });
});

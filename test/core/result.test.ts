import { expect, test } from "vitest";
import { asJson, asText, type Json, namedResults, resultMark, shownResults, withResults } from "../../src/core/index.ts";

const mark = resultMark({ of: "stack/call:a b", path: ["id"] });
const given = (value: Json) => (): Json => value;

test("a result that stands alone keeps its type, unless only a text can stand there", () => {
  expect(withResults({ body: mark }, given(5))).toEqual({ body: 5 });
  expect(withResults({ text: asText(mark) }, given(5))).toEqual({ text: "5" });
  expect(withResults(`n ${mark}`, given({ a: 1 }))).toBe('n {"a":1}');
});

test("what is JSON stays JSON, whatever the result is", () => {
  const text = asJson({ alone: mark, part: `it says ${mark}`, [`${mark}`]: 1 });
  for (const value of ['he said "x"\n\\', 5, { a: ['"'] }] as const) {
    const json = JSON.parse(withResults(text, given(value as Json))) as { readonly [name: string]: unknown };
    const words = typeof value === "string" ? value : JSON.stringify(value);
    expect(json).toEqual({ alone: value, part: `it says ${words}`, [words]: 1 });
  }
});

test("for people it is named, and a text that only looks like one is left", () => {
  expect(shownResults(`a ${mark}`)).toBe("a (known after call:a b)");
  expect(namedResults(`a ${mark}`)).toBe("a result(stack/call:a b.id)");
  expect(JSON.parse(shownResults(JSON.stringify([resultMark({ of: 'call:"x"', path: [] })]), true))).toEqual(['(known after call:"x")']);
  expect(shownResults("⟦result:%zz:%⟧")).toBe("(known after %zz)");
});

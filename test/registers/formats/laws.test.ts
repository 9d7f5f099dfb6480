import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ConfigFormat,
  FormatError,
  type FormatJson,
  type FormatName,
  formatFor,
  formatKeyPath,
  formatNames,
  type KeyPath,
  loadedFormat,
  loadFormat,
} from "../../../src/registers/formats/index.ts";

// Enough to find in a day of commits what a single run may miss; a hunt after a suspicion raises it.
const runs = Number(process.env.FORMAT_RUNS ?? 40);

const samples = new URL("./samples/", import.meta.url);
for (const name of formatNames) await loadFormat(name);

const typed: readonly FormatName[] = ["json", "jsonc", "yaml", "toml"];

/** Every path of a value but the root's, selectors left out. */
function pathsOf(value: FormatJson, under: KeyPath = []): KeyPath[] {
  if (typeof value !== "object" || value === null) return [];
  const entries: [string | number, FormatJson][] = Array.isArray(value)
    ? [...(value as FormatJson[]).entries()]
    : Object.entries(value as object);
  return entries.flatMap(([step, inner]) => [[...under, step], ...pathsOf(inner, [...under, step])]);
}

const words = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "yes",
    "1.5",
    "",
    " ",
    "\n\t",
    "\u00a0",
    " a",
    "a: b",
    "x # y",
    "a ; b",
    "0x1f",
    "null",
    "~",
    "2024-01-01",
    "'",
    '"',
    "l1\nl2",
    "l1\n\nl2\n",
    "\\",
    "\\n",
    "$x",
    "- a",
    "<&>",
    "]]>",
    "a\tb",
    "é\u2028",
    "\u{1F600}",
    "__proto__",
    "8080:80",
  ),
);
const scalars = fc.oneof(words, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean());
const keys = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "a", "b-c", "d_e", "on", "no", "1"),
  fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}$/),
);
const anyKeys = fc.oneof(
  keys,
  words.filter((text) => text !== ""),
);
const values: fc.Arbitrary<FormatJson> = fc.letrec<{ value: FormatJson }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    scalars,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(anyKeys, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

function valuesOf(name: string): fc.Arbitrary<FormatJson> {
  if (typed.includes(name as FormatName)) return values;
  // Without text an XML element is the map of its attributes, so an empty text does not always read back as one.
  return name === "xml" ? scalars.filter((value) => value !== "") : scalars;
}

/** What stands at a path of indexes and keys in a value that was read as a whole. */
function at(value: FormatJson | undefined, path: KeyPath): FormatJson | undefined {
  return path.reduce<FormatJson | undefined>(
    (inner, step) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, step as string)
        ? (inner as Record<string, FormatJson>)[step as string]
        : undefined,
    value,
  );
}

/** Whether a change at one path may change the other: one leads through the other, or the other through an alias of it. */
function related(path: KeyPath, other: KeyPath): boolean {
  const within =
    other.every((step, i) => i >= path.length || step === path[i]) || path.every((step, i) => i >= other.length || step === other[i]);
  return within || (path[0] === "x-logging" && (other.length < 3 || other[2] === "logging"));
}

/** What a format without types gives back for a value. */
function readBack(name: string, value: FormatJson): FormatJson {
  return typed.includes(name as FormatName) || typeof value === "object" ? value : String(value);
}

/** The text after a set; undefined where the format refuses the value, which it may say only by a FormatError. */
function trySet(format: ConfigFormat, text: string, path: KeyPath, value: FormatJson): string | undefined {
  try {
    return format.edit(text, [{ set: path, value }]);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** TOML and YAML can hold -0 as well as 0, and 1e400 is no JSON number; as values they are the same. */
function plain(value: FormatJson | undefined): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

describe.each(readdirSync(samples))("%s", (file) => {
  // The suffix keeps the formatter of this repository from mending the samples.
  const format = formatFor(file.replace(/\.sample$/, "")) as ConfigFormat;
  const whole = readFileSync(new URL(file, samples), "utf8");
  const variants: [string, string][] = [
    ["as it is", whole],
    ["with CRLF", whole.replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")],
    ["with a byte order mark", `\uFEFF${whole}`],
    ["without a last newline", whole.trimEnd()],
    ["with CRLF and without a last newline", whole.trimEnd().replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")],
  ];

  describe.each(variants)("%s", (_, text) => {
    const before = format.get(text, []) as FormatJson;
    const paths = pathsOf(before);

    test("a set of the present value and an unset of an absent path give the very same text", () => {
      expect(paths.length).toBeGreaterThan(5);
      for (const path of paths) {
        const value = format.get(text, path) as FormatJson;
        expect(format.edit(text, [{ set: path, value }]), formatKeyPath(path)).toBe(text);
        expect(format.edit(text, [{ unset: [...path, "not there"] }])).toBe(text);
      }
      expect(format.edit(text, [{ unset: ["not there"] }, { unset: ["not", "there"] }, { unset: ["not", 1] }])).toBe(text);
    });

    test("a new key set and unset again gives the very same text", () => {
      fc.assert(
        fc.property(
          fc.constantFrom([] as KeyPath, ...paths),
          fc.stringMatching(/^[a-z]{1,8}$/),
          valuesOf(format.name),
          (under, key, value) => {
            const path = [...under, key];
            const parent = format.get(text, under);
            // Where there is no map with an entry, the set has to make the map, and an unset takes only the key.
            fc.pre(
              typeof parent === "object" &&
                parent !== null &&
                !Array.isArray(parent) &&
                Object.keys(parent).length > 0 &&
                !Object.hasOwn(parent, key),
            );
            // The same goes for a table that only longer headers name.
            fc.pre(format.name !== "toml" || !["tool", "tool.poetry", "tool.mypy"].includes(formatKeyPath(under)));
            const after = trySet(format, text, path, value);
            fc.pre(after !== undefined);
            expect(plain(format.get(after as string, path))).toEqual(plain(readBack(format.name, value)));
            expect(format.edit(after as string, [{ unset: path }])).toBe(text);
          },
        ),
        { numRuns: runs },
      );
    });

    test("a set value reads back, a second set changes nothing, and nothing else changes", () => {
      fc.assert(
        fc.property(fc.constantFrom(...paths), valuesOf(format.name), (path, value) => {
          const after = trySet(format, text, path, value);
          fc.pre(after !== undefined);
          expect(plain(format.get(after as string, path))).toEqual(plain(readBack(format.name, value)));
          expect(format.edit(after as string, [{ set: path, value }])).toBe(after);
          const now = format.get(after as string, []);
          for (const other of paths) if (!related(path, other)) expect(at(now, other), formatKeyPath(other)).toEqual(at(before, other));
        }),
        { numRuns: runs },
      );
    });

    test("what is unset is gone, the rest is as it was, and the text still parses", () => {
      for (const path of paths) {
        let after: string;
        try {
          after = format.edit(text, [{ unset: path }]);
        } catch (error) {
          expect(error, formatKeyPath(path)).toBeInstanceOf(FormatError);
          continue;
        }
        expect(format.get(after, path), formatKeyPath(path)).toBeUndefined();
        const now = format.get(after, []);
        for (const other of paths) {
          if (related(path, other)) continue;
          // Of two entries of a key in these formats one is left, which is then no list.
          if ((format.name === "ini" || format.name === "xml") && typeof path[path.length - 1] === "number") continue;
          expect(at(now, other), `${formatKeyPath(path)} / ${formatKeyPath(other)}`).toEqual(at(before, other));
        }
      }
    });
  });
});

describe.each([...formatNames])("%s from nothing", (name) => {
  const format = loadedFormat(name);
  const sectioned = name === "ini" || name === "xml";

  test("any value that is taken reads back, at once and in the company of others", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(sectioned || name === "env" ? keys : anyKeys, valuesOf(name)), { minLength: 1, maxLength: 5 }),
        (entries) => {
          let text = "";
          const now = new Map<string, FormatJson>();
          for (const [key, value] of entries) {
            const path = sectioned ? ["top", key] : [key];
            const after = trySet(format, text, path, value);
            if (after === undefined) continue;
            text = after;
            now.set(key, value);
            for (const [other, kept] of now)
              expect(plain(format.get(text, sectioned ? ["top", other] : [other]))).toEqual(plain(readBack(name, kept)));
            expect(format.edit(text, [{ set: path, value }])).toBe(text);
          }
          for (const key of now.keys()) text = format.edit(text, [{ unset: sectioned ? ["top", key] : [key] }]);
          for (const key of now.keys()) expect(format.get(text, sectioned ? ["top", key] : [key])).toBeUndefined();
        },
      ),
      { numRuns: runs * 3 },
    );
  });

  test("a value changed and changed back gives the very same text", () => {
    // Of one type and without need of quotes: a value of another may leave the place with another way of writing.
    const pairs = fc.oneof(
      fc.tuple(fc.integer(), fc.integer()),
      fc.tuple(fc.stringMatching(/^x[a-z]{0,5}$/), fc.stringMatching(/^x[a-z]{0,5}$/)),
      fc.tuple(fc.boolean(), fc.boolean()),
    );
    fc.assert(
      fc.property(fc.dictionary(keys, pairs, { minKeys: 1, maxKeys: 4, noNullPrototype: true }), (map) => {
        const at = (key: string): KeyPath => (sectioned ? ["top", key] : [key]);
        // Names of variables and of elements begin with a letter.
        const own = Object.entries(map).filter(([key]) => (name !== "env" && name !== "xml") || /^[a-z_]/.test(key));
        const text = format.edit(
          "",
          own.map(([key, [old]]) => ({ set: at(key), value: old })),
        );
        for (const [key, [old, value]] of own) {
          const after = format.edit(text, [{ set: at(key), value }]);
          expect(format.edit(after, [{ set: at(key), value: old }])).toBe(text);
        }
      }),
    );
  });
});

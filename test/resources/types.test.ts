import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { isObject, type Json, type JsonObject } from "../../src/core/index.ts";
import { goals } from "../../src/registers/index.ts";
import { allTypes, loadTypes, typeNames } from "../../src/resources/index.ts";
import { splitWords } from "../../src/resources/words.ts";
import { settingsOf } from "./fold.ts";
import { Disk, MemoryContents, readerOn, worldOn } from "./world.ts";

const types = await allTypes();

/** A resource as a playbook has it, with the name that its type makes of a value that is no text. */
function named(resource: JsonObject, type: (typeof types)[number]): JsonObject {
  const value = resource[type.type] as Json;
  if (typeof value === "string") return resource;
  const made = type.nameOf?.(value);
  if (made !== undefined) return { ...resource, ...made.fields, [type.type]: made.name };
  return { ...resource, [type.type]: (value as readonly Json[])[0] as Json };
}

describe("every type", () => {
  test.each(types.map((type) => [type.type, type] as const))(
    "%s: its examples give settings with goals that exist",
    async (_name, type) => {
      const disk = new Disk(new MemoryContents(), {
        "/book/site.crt": "x",
        "/book/site/index.html": "x",
        "/book/migrations/001_users.sql": "CREATE TABLE users (id int)",
      });
      for (const resource of parse(type.example) as readonly JsonObject[]) {
        const own = types.find(({ type: one }) => Object.keys(resource)[0] === one);
        if (own === undefined) throw new Error(`an example of ${type.type} begins with ${Object.keys(resource)[0]}`);
        const world = worldOn(readerOn(disk), {
          registers: { "file:/usr/local/share/ca-certificates/site.crt": ["path:/usr/local/share/ca-certificates/site.crt"] },
        });
        const { settings, problems } = await settingsOf(own, named(resource, own), world);
        expect(problems).toEqual([]);
        expect(settings.length).toBeGreaterThan(0);
        for (const { register, goal, want } of settings) {
          expect(goals.has(`${register.kind} ${goal}`)).toBe(true);
          expect(JSON.parse(JSON.stringify({ want, about: register.about ?? {} }))).toEqual({ want, about: register.about ?? {} });
        }
      }
    },
  );

  test.each(types.map((type) => [type.type, type] as const))(
    "%s: its name is its first field, and every field says what it is",
    (_name, type) => {
      expect(Object.keys(type.fields)[0]).toBe(type.type);
      for (const one of Object.values(type.fields)) {
        expect(one.about).toMatch(/\.$/);
        expect(isObject(one.schema)).toBe(true);
      }
      expect(type.summary).toMatch(/\.$/);
    },
  );

  test("types are found by name, and unknown names are left out", async () => {
    expect([...(await loadTypes(["file", "nothing", "file"])).keys()]).toEqual(["file"]);
    expect(typeNames).toEqual(types.map(({ type }) => type));
  });

  test("tags tell the parts of one file from each other", async () => {
    const all = await loadTypes(["line", "block", "replace", "config"]);
    expect(all.get("line")?.tag?.({ match: "^a", text: "b" })).toBe("^a");
    expect(all.get("line")?.tag?.({ text: "b" })).toBe("b");
    expect(all.get("block")?.tag?.({ marker: "m" })).toBe("m");
    expect(all.get("replace")?.tag?.({ pattern: "p" })).toBe("p");
    expect(all.get("config")?.tag?.({ set: { "z.y": 1, a: 2 }, unset: ["b"] })).toBe("z.y");
    expect(all.get("config")?.tag?.({ unset: ["b"] })).toBe("b");
  });

  test("settings name what they declare of a register", async () => {
    const world = worldOn(readerOn(new Disk(new MemoryContents())));
    const all = await loadTypes(typeNames);
    const aspects = async (type: string, spec: JsonObject): Promise<readonly string[]> =>
      (await settingsOf(all.get(type) as never, spec, world)).settings.flatMap((setting) => setting.aspects);
    expect(await aspects("file", { file: "/a", content: "x", mode: "0644", owner: "root" })).toEqual([
      "exists",
      "content",
      "mode",
      "owner",
    ]);
    expect(await aspects("file", { file: "/a", state: "absent" })).toEqual([]);
    expect(await aspects("line", { line: "/a", match: "^x", text: "x", group: "root" })).toEqual(["line ^x", "group"]);
    expect(await aspects("block", { block: "/a", marker: "m", text: "x" })).toEqual(["block m"]);
    expect(await aspects("replace", { replace: "/a", pattern: "x", with: "y" })).toEqual(["replace x"]);
    expect(await aspects("config", { config: "/a.json", set: { a: { b: 1 } }, unset: ["c"] })).toEqual(["key a.b", "key c"]);
    expect(await aspects("link", { link: "/a", to: "b" })).toEqual(["target"]);
    expect(await aspects("directory", { directory: "/a" })).toEqual(["exists"]);
  });
});

describe("words of a command line", () => {
  test.each([
    ["a b  c", ["a", "b", "c"]],
    ["a 'b c' \"d e\"", ["a", "b c", "d e"]],
    ['a\\ b "c\\"d" \'\'', ["a b", 'c"d', ""]],
    ["grep '^$' x=$", ["grep", "^$", "x=$"]],
  ])("%s", (text, words) => expect(splitWords(text)).toEqual({ ok: true, words }));

  test.each(["a | b", "a > b", "a $HOME", "a `b`", "a 'b", "", "a; b"])("%s is refused", (text) => expect(splitWords(text).ok).toBe(false));

  test("without a backslash they are the words that a shell sees", () => {
    const line = `one 'two three' "four five" si"x se"ven ''`;
    const seen = execFileSync("/bin/sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
    expect(splitWords(line)).toEqual({ ok: true, words: seen.split("\n").slice(0, -1) });
  });
});

test("a tree of 10,000 files costs a listing a folder and a look a file", async () => {
  const contents = new MemoryContents();
  const digest = contents.put("x");
  const listed: string[] = [];
  const reader = {
    ...readerOn(new Disk(contents)),
    list(path: string) {
      listed.push(path);
      if (path === "/book/site") return Array.from({ length: 100 }, (_, index) => ({ name: `d${index}`, type: "directory" as const }));
      return Array.from({ length: 100 }, (_, index) => ({ name: `f${index}`, type: "file" as const }));
    },
    source: () => ({ content: digest, mode: 0o644, size: 1 }),
  };
  const type = (await loadTypes(["tree"])).get("tree");
  const { settings } = await settingsOf(type as never, { tree: "/d", source: "site" }, worldOn(reader));
  expect(settings).toHaveLength(10_101);
  expect(listed.length).toBeLessThan(110);
});

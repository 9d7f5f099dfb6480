import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FormatError,
  flattenSet,
  formatFor,
  formatKeyPath,
  formatName,
  type KeyStep,
  loadedFormat,
  loadFormat,
  parseKeyPath,
} from "../../../src/registers/formats/index.ts";

describe("key paths", () => {
  test.each([
    ["a", ["a"]],
    ["a.b-c.d_e", ["a", "b-c", "d_e"]],
    ['"dotted.key".b', ["dotted.key", "b"]],
    ['a."say \\"hi\\""', ["a", 'say "hi"']],
    ["list[2]", ["list", 2]],
    ["[0].a", [0, "a"]],
    ["a[name=web].image", ["a", { key: "name", value: "web" }, "image"]],
    ['a["full name"="a]b"][1]', ["a", { key: "full name", value: "a]b" }, 1]],
    ["a[url=http://h:80/x.y]", ["a", { key: "url", value: "http://h:80/x.y" }]],
    ["Server.@port", ["Server", "@port"]],
    ["two words.a", ["two words", "a"]],
    ['""', [""]],
  ])("%s is read", (text, path) => {
    expect(parseKeyPath(text)).toEqual(path);
    expect(parseKeyPath(formatKeyPath(path as KeyStep[]))).toEqual(path);
  });

  test.each([
    ["", 1],
    ["a.", 3],
    ["a..b", 3],
    [".a", 1],
    ["a[", 3],
    ["a[x]", 4],
    ["a[1", 4],
    ["a[name=web", 11],
    ['a."b', 3],
    ["a[1]b", 5],
    ["a]", 2],
  ])("%j is refused at its column", (text, column) => {
    const error = (() => {
      try {
        return parseKeyPath(text);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).column).toBe(column);
  });

  test("a written path reads as the same path", () => {
    const step = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.nat(1000),
      fc.record({ key: fc.string(), value: fc.string() }, { noNullPrototype: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (path) => {
        expect(parseKeyPath(formatKeyPath(path))).toEqual(path);
      }),
    );
  });
});

describe("set maps", () => {
  test("maps are merged, everything else is a value, and keys at each depth are paths", () => {
    expect(flattenSet({ "a.b": { c: 1, d: { e: [{ x: 1 }] } }, "l[0]": null, empty: {} })).toEqual([
      { set: ["a", "b", "c"], value: 1 },
      { set: ["a", "b", "d", "e"], value: [{ x: 1 }] },
      { set: ["l", 0], value: null },
      { set: ["empty"], value: {} },
    ]);
  });
});

describe("formats by file name", () => {
  test.each([
    ["/etc/app.json", undefined, "json"],
    ["/app/tsconfig.build.json", undefined, "jsonc"],
    ["/home/a/.vscode/settings.json", undefined, "jsonc"],
    ["docker-compose.yml", undefined, "yaml"],
    ["/app/.env.production", undefined, "env"],
    ["/etc/systemd/system/x.service", undefined, "ini"],
    ["/srv/repo/.git/config", undefined, "ini"],
    ["Cargo.lock", undefined, "toml"],
    ["/opt/log4j.properties", undefined, "properties"],
    ["/opt/SERVER.XML", undefined, "xml"],
    ["/etc/hosts", undefined, undefined],
    ["/etc/hosts", "yaml", "yaml"],
    ["/etc/app.json", "jsonc", "jsonc"],
    ["/etc/app.json", "csv", undefined],
  ])("%s declared %s is %s", (file, declared, name) => {
    expect(formatName(file, declared)).toBe(name);
  });

  test("a format is given once it is loaded", async () => {
    await loadFormat("env");
    expect(loadedFormat("env").name).toBe("env");
    expect(formatFor(".env")?.get("A=1", ["A"])).toBe("1");
    expect(formatFor("/etc/hosts")).toBeUndefined();
    expect(() => loadedFormat("toml")).toThrow('before loadFormat("toml")');
  });
});

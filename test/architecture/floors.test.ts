import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { placesOf, violationsOf } from "./floors.ts";

// Files of the work tree, by their path from the root. Vitest runs there.
function filesUnder(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesUnder(join(path, name)));
}

const read = (paths: readonly string[]) => new Map(paths.map((path) => [path, readFileSync(path, "utf8")]));

describe("the source", () => {
  it("keeps to the floors", () => {
    const sources = read(filesUnder("src").filter((path) => path.endsWith(".ts")));
    expect(violationsOf(sources)).toEqual([]);
  });

  it("names no package registry and no path of one machine, in any published file", () => {
    const texts = [
      "bin",
      "scripts",
      "test",
      "bench",
      "docs",
      "playbooks",
      ".ci",
      ".npmrc",
      "package.json",
      "package-lock.json",
      "README.md",
    ]
      .flatMap(filesUnder)
      .filter((path) => /\.(ts|js|mjs|cjs|json|md|ya?ml|sh|npmrc)$|^\.ci\//.test(path) && !path.startsWith("test/architecture/"));
    expect([...read(texts)].flatMap(([path, text]) => placesOf(path, text))).toEqual([]);
  });

  it("has a lockfile without the addresses of any registry", () => {
    expect(readFileSync("package-lock.json", "utf8")).not.toContain('"resolved"');
    expect(readFileSync(".npmrc", "utf8")).toContain("omit-lockfile-registry-resolved=true");
  });

  it("has a lockfile with the packages of every platform, without which npm ci refuses it", () => {
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Record<string, { optionalDependencies?: object }>;
    };
    const optional = Object.entries(packages).flatMap(([path, one]) =>
      Object.keys(one.optionalDependencies ?? {}).map((name) => [`node_modules/${name}`, `${path}/node_modules/${name}`]),
    );
    expect(optional.filter((places) => !places.some((place) => place in packages))).toEqual([]);
  });

  it("publishes a bundle without dependencies", () => {
    expect(JSON.parse(readFileSync("package.json", "utf8"))).not.toHaveProperty("dependencies");
  });
});

// Each fake source breaks one rule; the message must name the place and the mend.
const cases: Readonly<Record<string, { readonly files: Readonly<Record<string, string>>; readonly says: RegExp }>> = {
  "a lower floor imports a higher one": {
    files: { "src/core/a.ts": 'import { b } from "../engine/index.ts";', "src/engine/index.ts": "" },
    says: /^src\/core\/a\.ts:1: src\/core may not import src\/engine .* handed in/,
  },
  "a type import goes to a neighbour": {
    files: { "src/journal/a.ts": '\nimport type { B } from "../registers/index.ts";', "src/registers/index.ts": "" },
    says: /^src\/journal\/a\.ts:2: src\/journal may not import src\/registers/,
  },
  "an import inside a type goes up": {
    files: { "src/core/a.ts": 'export type A = import("../cli/index.ts").B;', "src/cli/index.ts": "" },
    says: /src\/core may not import src\/cli/,
  },
  "an import goes past a door": {
    files: { "src/journal/a.ts": 'export { b } from "../core/b.ts";', "src/core/b.ts": "" },
    says: /past its door; export what is needed from src\/core\/index\.ts/,
  },
  "a dynamic import goes past a door": {
    files: { "src/cli/a.ts": 'export const b = () => import("../engine/b.ts");', "src/engine/b.ts": "" },
    says: /loads src\/engine\/b\.ts past its door/,
  },
  "a folder without a floor": { files: { "src/utils/a.ts": 'import "node:path";' }, says: /src\/utils is no folder of the table/ },
  "an import of tests": { files: { "src/core/a.ts": 'import "../../test/a.ts";' }, says: /nothing in src\/ may import from outside/ },
  "an import of a file that is not there": { files: { "src/core/a.ts": 'import "./b.ts";' }, says: /src\/core\/b\.ts, which is not there/ },
  "two files in a circle": {
    files: { "src/core/a.ts": 'import "./b.ts";', "src/core/b.ts": 'import type {} from "./a.ts";' },
    says: /^src\/core\/b\.ts:1: closes the circle src\/core\/a\.ts -> src\/core\/b\.ts -> src\/core\/a\.ts/,
  },
  "a file that imports itself": { files: { "src/core/a.ts": 'import "./a.ts";' }, says: /closes the circle/ },
  "a package in core": { files: { "src/core/a.ts": 'import "yaml";' }, says: /src\/core imports no package/ },
  "a default export": { files: { "src/core/a.ts": "export default 1;" }, says: /default export/ },
  "a function as default": { files: { "src/core/a.ts": "export default function a() {}" }, says: /default export/ },
  "a name exported as default": { files: { "src/core/a.ts": "const a = 1; export { a as default };" }, says: /default export/ },
  "any as a type": { files: { "src/core/a.ts": "export let a: any;" }, says: /unknown/ },
  "as any": { files: { "src/core/a.ts": "export const a = 1 as any;" }, says: /unknown/ },
  "any as a type argument": { files: { "src/core/a.ts": "export const a = new Set<any>();" }, says: /unknown/ },
  "files outside system": { files: { "src/engine/a.ts": 'import "node:fs";' }, says: /only src\/system may import node:fs/ },
  "promises of files": { files: { "src/cli/a.ts": 'await import("node:fs/promises");' }, says: /node:fs\/promises/ },
  "processes without the prefix": { files: { "src/engine/a.ts": 'import "child_process";' }, says: /write node:child_process/ },
  "execa outside system": { files: { "src/engine/a.ts": 'import "execa";' }, says: /only src\/system may import execa/ },
  "the clock": { files: { "src/engine/a.ts": "export const a = Date.now();" }, says: /Date\.now is only for src\/system/ },
  "the clock as a function": { files: { "src/engine/a.ts": "export const a = { now: Date.now };" }, says: /Date\.now/ },
  "a date of now": { files: { "src/engine/a.ts": "export const a = new Date();" }, says: /reads the clock/ },
  "a date of now without brackets": { files: { "src/engine/a.ts": "export const a = new Date;" }, says: /reads the clock/ },
  chance: { files: { "src/engine/a.ts": "export const a = Math.random();" }, says: /Math\.random/ },
  "chance of crypto": { files: { "src/engine/a.ts": 'import { randomUUID as a } from "node:crypto";' }, says: /throws dice/ },
  "a timer": { files: { "src/engine/a.ts": "setTimeout(() => {}, 1);" }, says: /setTimeout is only for/ },
  "a timer of the global object": { files: { "src/engine/a.ts": "globalThis.setTimeout(() => {}, 1);" }, says: /setTimeout is only for/ },
  "the environment": { files: { "src/cli/commands/a.ts": "export const a = process.env.HOME;" }, says: /process is only for/ },
  "a registry": { files: { "src/core/a.ts": `export const a = "https://${"registry"}.npmjs.org";` }, says: /names the registry/ },
  "a path of one machine": { files: { "src/core/a.ts": `export const a = "/work${"/main"}/x";` }, says: /a path of one machine/ },
  "a TODO": { files: { "src/core/a.ts": "// TODO later" }, says: /TODO without an issue/ },
  "a heavy package at start": {
    files: { "src/cli/main.ts": 'import "./a.ts";', "src/cli/a.ts": 'import { parse } from "yaml";' },
    says: /^src\/cli\/a\.ts:1: yaml is loaded at every start/,
  },
};

describe("the check of the floors", () => {
  it.each(Object.entries(cases))("finds %s", (_name, { files, says }) => {
    const found = violationsOf(new Map(Object.entries(files)));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(says);
  });

  it("lets pass what is allowed", () => {
    const files = {
      "src/core/index.ts": 'export * from "./a.ts";',
      "src/core/a.ts":
        '// Date.now(), any and process.env in words\nimport { createHash } from "node:crypto";\nexport const a = "any: now".length;',
      "src/system/index.ts":
        'import "node:fs"; import "execa"; import { a } from "../core/index.ts"; export const now = () => Date.now() + a;',
      "src/registers/index.ts": "export const f = (process: { id: number }) => process.id; export const g = new Date(0); // TODO(#12) more",
      "src/cli/main.ts":
        'import type { Document } from "yaml"; process.exitCode = 1; await import("./b.ts"); await import("../system/index.ts");',
      "src/cli/b.ts": 'import "yaml"; import "commander"; export const v = import("../../package.json", { with: { type: "json" } });',
    };
    expect(violationsOf(new Map(Object.entries(files)))).toEqual([]);
  });
});

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// A package of its own: the real launcher, and a bundle of test/bin/fixtures/main.ts made by the real build.
const folder = mkdtempSync(join(tmpdir(), "setpoint-launcher-"));
const dist = join(folder, "dist");
const bin = join(folder, "bin/setpoint.js");

const build = (where: string) =>
  spawnSync(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `const { buildAll } = await import(${JSON.stringify(pathToFileURL("scripts/build.mjs").href)});
       await buildAll({ dist: ${JSON.stringify(where)}, entryPoint: ${JSON.stringify(join(process.cwd(), "test/bin/fixtures/main.ts"))} });`,
    ],
    { encoding: "utf8" },
  );

const run = (argv: readonly string[], env: Readonly<Record<string, string>> = {}, options: readonly string[] = []) =>
  spawnSync(process.execPath, [...options, bin, ...argv], { encoding: "utf8", env: { PATH: process.env.PATH, ...env } });

const cachesIn = (where: string) => readdirSync(where).filter((file) => file.endsWith(".cache"));

beforeAll(() => {
  cpSync("bin", join(folder, "bin"), { recursive: true });
  cpSync("package.json", join(folder, "package.json"));
  expect(build(dist)).toMatchObject({ status: 0, stderr: "" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the launcher", () => {
  it.each(["--version", "-V"])("answers %s without a bundle", (flag) => {
    const bare = join(folder, "bare");
    cpSync("bin", join(bare, "bin"), { recursive: true });
    cpSync("package.json", join(bare, "package.json"));
    const { stdout, status } = spawnSync(process.execPath, [join(bare, "bin/setpoint.js"), flag], { encoding: "utf8" });
    expect({ stdout, status }).toEqual({ stdout: `${JSON.parse(readFileSync("package.json", "utf8")).version}\n`, status: 0 });
  });

  it("hands over the arguments and exits with what main gives", () => {
    const { stdout, stderr, status } = run(["arguments", "--version", "-x"]);
    expect({ stdout, stderr, status }).toEqual({
      stdout: '{"argv":["arguments","--version","-x"],"threads":"64"}\n',
      stderr: "",
      status: 6,
    });
  });

  it("leaves the size of the thread pool to a user who set it", () => {
    expect(run(["arguments"], { UV_THREADPOOL_SIZE: "7" }).stdout).toContain('"threads":"7"');
  });

  it("says that a thrown error is a bug, with its stack, and exits 70", () => {
    const { stderr, status } = run(["throw"]);
    expect(status).toBe(70);
    expect(stderr).toMatch(/a bug[\s\S]*Error: thrown by main\n\s+at .*main/);
  });

  it("refuses a Node that is too old with a sentence and 70", () => {
    const old = join(folder, "old.cjs");
    writeFileSync(old, 'Object.defineProperty(process.versions, "node", { value: "20.18.3" });');
    const { stderr, status } = run(["arguments"], {}, ["--require", old]);
    expect({ stderr, status }).toMatchObject({
      stderr: expect.stringContaining("needs Node 20.19 or newer; this is Node 20.18.3"),
      status: 70,
    });
  });

  it("is written in a syntax that an old Node can parse", () => {
    expect(readFileSync("bin/setpoint.js", "utf8")).not.toMatch(/\?\?|\?\.|catch \{|\basync\b|\bimport\b/);
  });

  it("says what to do when nothing is built", () => {
    const bare = join(folder, "unbuilt");
    cpSync("bin", join(bare, "bin"), { recursive: true });
    const { stderr, status } = spawnSync(process.execPath, [join(bare, "bin/setpoint.js"), "plan"], { encoding: "utf8" });
    expect(status).toBe(70);
    expect(stderr).toContain("npm run build");
  });
});

describe("the bundle", () => {
  it("is the same, byte for byte, when it is built again", () => {
    const again = join(folder, "again");
    expect(build(again).status).toBe(0);
    const files = readdirSync(dist).filter((file) => !file.endsWith(".cache"));
    expect(files).toHaveLength(3);
    for (const file of files) expect(readFileSync(join(again, file))).toEqual(readFileSync(join(dist, file)));
  });

  it("gives the names of a CommonJS package that is imported late", () => {
    expect(run(["commonjs"]).stdout).toBe('[{"a":1},"function"]\n');
  });

  it("imports a user's module from its address", () => {
    const plugin = join(folder, "plugin.mjs");
    writeFileSync(plugin, 'export const named = "from the plugin";');
    expect(run(["plugin", pathToFileURL(plugin).href]).stdout).toBe('"from the plugin"\n');
  });

  it("keeps letters beyond ASCII in texts and regular expressions", () => {
    expect(run(["letters"]).stdout).toBe('["e",true,"face"]\n');
  });

  it("loads a late part though the package was removed meanwhile", async () => {
    const copy = join(folder, "copy");
    mkdirSync(copy);
    for (const part of ["bin", "dist", "package.json"]) cpSync(join(folder, part), join(copy, part), { recursive: true });
    const child = spawn(process.execPath, [join(copy, "bin/setpoint.js"), "late"]);
    await untilItListens(child);
    rmSync(copy, { recursive: true });
    child.stdin.end("go\n");
    expect(await outputOf(child)).toBe('"loaded late"\n');
  });

  it("names the licence of each package in it", () => {
    expect(readFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), "utf8")).toMatch(/\nyaml \d[\s\S]*Permission to use, copy/);
  });
});

describe("the code cache", () => {
  it("is made for the Node that builds, and accepted by it", () => {
    expect(cachesIn(dist)).toHaveLength(1);
    const checked = spawnSync(
      process.execPath,
      [
        "-e",
        `const b = require(${JSON.stringify(join(folder, "bin/bundle.js"))}).open(${JSON.stringify(dist)}); b.require("./main.js"); for (const s of b.scripts.values()) console.log(s.cachedDataRejected);`,
      ],
      { encoding: "utf8" },
    );
    expect(checked.stdout).toMatch(/^(false\n)+$/);
  });

  it("is only read: a run writes nothing beside the bundle or in the home folder", () => {
    const home = join(folder, "home");
    mkdirSync(home);
    const before = readdirSync(dist);
    run(["commonjs"], { HOME: home, XDG_CACHE_HOME: join(home, "cache") });
    expect(readdirSync(dist)).toEqual(before);
    expect(readdirSync(home)).toEqual([]);
  });

  it("can be left out", () => {
    expect(run(["commonjs"], { SETPOINT_NO_CODE_CACHE: "1" }).status).toBe(0);
  });

  it.each([
    ["empty", ""],
    ["cut short", undefined],
    ["of something else", `{"./main.js":[16,64]}\n${"x".repeat(128)}`],
  ])("is ignored when it is %s", (_name, content) => {
    const copy = join(folder, "damaged");
    for (const part of ["bin", "dist", "package.json"]) cpSync(join(folder, part), join(copy, part), { recursive: true });
    for (const cache of cachesIn(join(copy, "dist"))) {
      const path = join(copy, "dist", cache);
      writeFileSync(path, content ?? readFileSync(path).subarray(0, 9000));
    }
    const { stdout, status } = spawnSync(process.execPath, [join(copy, "bin/setpoint.js"), "commonjs"], { encoding: "utf8" });
    rmSync(copy, { recursive: true });
    expect({ stdout, status }).toEqual({ stdout: '[{"a":1},"function"]\n', status: 0 });
  });
});

// Until it has opened its bundle, which it keeps open.
async function untilItListens({ pid }: ChildProcessWithoutNullStreams): Promise<void> {
  const wchan = () =>
    existsSync(`/proc/${pid}/fd`) && spawnSync("ls", ["-l", `/proc/${pid}/fd`], { encoding: "utf8" }).stdout.includes(".cjs");
  while (!wchan()) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 300));
}

function outputOf(child: ChildProcessWithoutNullStreams): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout.on("data", (part) => {
      text += part;
    });
    child.stderr.on("data", (part) => {
      text += part;
    });
    child.on("close", () => resolve(text));
  });
}

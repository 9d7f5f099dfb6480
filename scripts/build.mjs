// Builds dist/: one file of CommonJS parts from src/cli/main.ts and all it imports, the licences of what is in it, and V8's code cache for the
// Node that builds. `node scripts/build.mjs [--if-stale]`.
//
// What stands behind `await import("...")` is a part of its own, read only when it is asked for. bin/bundle.js reads what is made here.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { init, parse } from "es-module-lexer";
import { build, transform } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "src/cli/main.ts");
const outdir = join(root, "dist");
const target = "node20.19";
const buildFile = "build.json";

/** Builds into `dist` whatever is there; throws what esbuild throws. Gives the path of the bundle. */
export async function buildAll({ dist = join(root, "dist"), entryPoint = entry, minify = false } = {}) {
  const started = new Date();
  await init;
  const { chunks, inputs } = await chunksOf(entryPoint, minify);
  const { text, places } = packOf(chunks);
  mkdirSync(dist, { recursive: true });

  const bundle = `setpoint-${createHash("sha256").update(text).digest("hex").slice(0, 12)}.cjs`;
  const index = join(dist, buildFile);
  replace(join(dist, bundle), text);
  replace(join(dist, "THIRD-PARTY-LICENSES.txt"), licencesOf(inputs));
  makeCodeCache(dist, { bundle, places });
  replace(index, `${JSON.stringify({ bundle, places })}\n`);
  // A source that was saved meanwhile is newer than this.
  utimesSync(index, started, started);
  sweep(dist, bundle);
  return join(dist, bundle);
}

/** Whether `dist` is missing, older than a source, or without a code cache for this Node. */
export function isStale(dist = join(root, "dist")) {
  const made = statSync(join(dist, buildFile), { throwIfNoEntry: false });
  if (made === undefined) return true;
  const { bundle } = JSON.parse(readFileSync(join(dist, buildFile), "utf8"));
  if (!existsSync(cacheOf(join(dist, bundle)))) return true;
  const sources = ["package.json", "package-lock.json", "scripts", "src"].flatMap((name) => filesUnder(join(root, name)));
  return sources.some((source) => (statSync(source, { throwIfNoEntry: false })?.mtimeMs ?? 0) > made.mtimeMs);
}

// The chunks by name, with the text of each: what main.ts imports, what each `await import("...")` adds, what those share. esbuild can split
// only ES modules, so each chunk is turned into CommonJS afterwards: the ESM loader alone would cost more than most chunks.
async function chunksOf(entryPoint, minify) {
  const source = existsSync(entryPoint) ? { in: entryPoint } : { in: "without-main" };
  const { outputFiles, metafile } = await build({
    entryPoints: [{ ...source, out: "main" }],
    plugins: existsSync(entryPoint) ? [] : [withoutMain],
    absWorkingDir: root,
    outdir,
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    minify,
    platform: "node",
    target,
    format: "esm",
    // Of packages with both, the ES module: it can be shaken, and jsonc-parser's other one cannot be bundled.
    mainFields: ["module", "main"],
    conditions: ["module"],
    legalComments: "none",
    define: { "import.meta.url": "bundleUrl", "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
    logLevel: "warning",
  });
  const fromCommonJs = new Set(
    Object.entries(metafile.outputs)
      .filter(([, { entryPoint }]) => metafile.inputs[entryPoint]?.format === "cjs")
      .map(([path]) => `./${basename(path)}`),
  );
  const names = new Set(outputFiles.map(({ path }) => `./${basename(path)}`));
  const chunks = await Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const lazy = withoutImportCalls(text, (name) => names.has(name), fromCommonJs);
      const { code } = await transform(lazy, { format: "cjs", target, platform: "node", minify, legalComments: "none" });
      return [`./${basename(path)}`, onlyAscii(code)];
    }),
  );
  return { chunks: chunks.sort(([a], [b]) => (a < b ? -1 : 1)), inputs: Object.keys(metafile.inputs) };
}

// `import()` is not for a script from a code cache; bin/bundle.js says why, and has what stands in its place.
function withoutImportCalls(text, isChunk, fromCommonJs) {
  const [imports] = parse(text);
  return imports
    .filter(({ d }) => d >= 0)
    .sort((one, other) => other.ss - one.ss)
    .reduce((rest, { n: name, ss: start, se: end, d: bracket }) => {
      if (name !== undefined && isChunk(name))
        return `${rest.slice(0, start)}require.later(${JSON.stringify(name)}, ${fromCommonJs.has(name)})${rest.slice(end)}`;
      return `${rest.slice(0, start)}require.real${rest.slice(bracket)}`;
    }, text);
}

// One file of all chunks, each a function expression, and for each its offset, length and first line.
function packOf(chunks) {
  const places = {};
  let text = "";
  let line = 0;
  for (const [name, code] of chunks) {
    const wrapped = `(function (exports, require, __filename, __dirname, bundleUrl, module) {${code}})\n`;
    places[name] = [text.length, wrapped.length, line];
    text += wrapped;
    line += wrapped.split("\n").length - 1;
  }
  return { text, places };
}

// esbuild escapes what is not ASCII, except in regular expressions. The launcher reads the file as latin1, and counts in bytes.
function onlyAscii(code) {
  return code.replace(/[^\p{ASCII}]/gu, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
}

// A tree that has no main.ts yet still builds.
const withoutMain = {
  name: "without-main",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^without-main$/ }, ({ path }) => ({ path, namespace: "without-main" }));
    onLoad({ filter: /.*/, namespace: "without-main" }, () => ({
      contents: `export async function main() { process.stderr.write("setpoint: src/cli/main.ts is not there yet\\n"); return 70; }`,
    }));
  },
};

// The text of the licences of every package that has a file in the bundle.
function licencesOf(inputs) {
  const folders = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []));
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const texts = readdirSync(join(root, folder))
      .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
      .sort()
      .map((file) => readFileSync(join(root, folder, file), "utf8").trim());
    return [`${name} ${version} (${license})`, ...texts].join("\n\n");
  });
  return `${["Packages that are part of setpoint's bundle, with their licences.", ...parts].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

function cacheOf(bundle) {
  return `${bundle}.${process.version}-${process.arch}.cache`;
}

// In another process, because V8 puts into a code cache only the functions that ran. A build without it works, only slower.
function makeCodeCache(dist, index) {
  const { status, stderr, error } = spawnSync(process.execPath, [join(root, "scripts/code-cache.mjs"), dist, JSON.stringify(index)], {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 15_000,
  });
  if (status !== 0) process.stderr.write(`build: no code cache: ${error?.message ?? stderr}\n`);
}

function replace(path, text) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

// Bundles of former builds go, but not at once: a test of another terminal may be starting one of them.
function sweep(dist, keep) {
  for (const file of readdirSync(dist)) {
    const path = join(dist, file);
    const isOurs = file.startsWith(keep) || file === buildFile || file === "THIRD-PARTY-LICENSES.txt";
    if (!isOurs && Date.now() - statSync(path).mtimeMs > 120_000) rmSync(path, { recursive: true, force: true });
  }
}

function filesUnder(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesUnder(join(path, name)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes("--if-stale") || isStale()) {
    const started = performance.now();
    const path = await buildAll();
    process.stderr.write(
      `built ${relative(root, path)} (${Math.round(statSync(path).size / 1024)} KiB) in ${Math.round(performance.now() - started)} ms\n`,
    );
  }
}

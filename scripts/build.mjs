// Builds dist/: one CommonJS file from src/cli/main.ts and all it imports, the licences of what is in it, and V8's code cache for the Node
// that builds. `node scripts/build.mjs [--if-stale]`.
//
// Parts behind `await import("...")` are in the same file but are evaluated only when they are asked for; with the code cache the rest of
// the file costs almost nothing. docs/decisions has the measurements.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "src/cli/main.ts");
const buildFile = "build.json";

/** Builds into `dist` whatever is there; throws what esbuild throws. Gives the path of the bundle. */
export async function buildAll({ dist = join(root, "dist"), entryPoint = entry, minify = false, warm = true } = {}) {
  const { bundle, inputs } = await bundleOf(entryPoint, minify);
  mkdirSync(dist, { recursive: true });

  const name = `setpoint-${createHash("sha256").update(bundle).digest("hex").slice(0, 12)}.cjs`;
  const path = join(dist, name);
  replace(path, bundle);
  replace(join(dist, "THIRD-PARTY-LICENSES.txt"), licencesOf(inputs));
  if (warm) makeCodeCache(path);
  replace(join(dist, buildFile), `${JSON.stringify({ bundle: name })}\n`);
  sweep(dist, name);
  return path;
}

/** Whether `dist` is missing, older than a source, or without a code cache for this Node. */
export function isStale(dist = join(root, "dist")) {
  const made = statSync(join(dist, buildFile), { throwIfNoEntry: false });
  if (made === undefined) return true;
  const { bundle } = JSON.parse(readFileSync(join(dist, buildFile), "utf8"));
  if (!existsSync(cacheOf(join(dist, bundle)))) return true;
  const sources = ["package.json", "package-lock.json", "scripts", "src"].flatMap((name) => filesUnder(join(root, name)));
  return sources.some((source) => statSync(source).mtimeMs > made.mtimeMs);
}

async function bundleOf(entryPoint, minify) {
  const source = existsSync(entryPoint) ? { entryPoints: [entryPoint] } : { stdin: { contents: withoutMain, resolveDir: root } };
  const { outputFiles, metafile } = await build({
    ...source,
    absWorkingDir: root,
    outfile: join(root, "dist/setpoint.cjs"),
    write: false,
    metafile: true,
    bundle: true,
    minify,
    platform: "node",
    target: "node20.19",
    format: "cjs",
    // Of packages with both, the ES module: it can be shaken, and jsonc-parser's other one cannot be bundled.
    mainFields: ["module", "main"],
    conditions: ["module"],
    legalComments: "none",
    sourcemap: false,
    define: { "import.meta.url": "bundleUrl", "import.meta.dirname": "__dirname", "import.meta.filename": "__filename" },
    // The launcher calls this function; V8 caches a script, and a script with a wrapper written in the file needs no copy of the text.
    banner: {
      js: `(function (exports, require, module, __filename, __dirname) {\nconst bundleUrl = require("url").pathToFileURL(__filename).href;`,
    },
    footer: { js: "})" },
    logLevel: "warning",
  });
  // esbuild escapes what is not ASCII, except in regular expressions. The launcher reads the file as latin1.
  const bundle = outputFiles[0].text.replace(/[^\p{ASCII}]/gu, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
  return { bundle, inputs: Object.keys(metafile.inputs) };
}

const withoutMain = `export async function main() { process.stderr.write("setpoint: src/cli/main.ts is not there yet\\n"); return 70; }`;

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
function makeCodeCache(bundle) {
  const { status, stderr, error } = spawnSync(process.execPath, [join(root, "scripts/code-cache.mjs"), bundle, cacheOf(bundle)], {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 30_000,
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

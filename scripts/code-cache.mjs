// `node scripts/code-cache.mjs DIST INDEX`: runs the bundle the way users most often do, then writes V8's code cache for it, which then
// holds the functions that those runs needed. Only commands that change nothing are run, on a playbook in a temporary folder.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import v8 from "node:v8";

const [dist, index] = process.argv.slice(2);
process.env.SETPOINT_NO_CODE_CACHE = "1";

// V8 forgets the bytecode of functions that have not run for a while. The flag is set back below, as flags are part of a cache's identity.
v8.setFlagsFromString("--no-flush-bytecode");

const bundle = createRequire(import.meta.url)("../bin/bundle.js").open(dist, JSON.parse(index));
const { main } = bundle.require("./main.js");

const folder = mkdtempSync(join(tmpdir(), "setpoint-build-"));
try {
  await warmUp(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

v8.setFlagsFromString("--flush-bytecode");
const caches = [...bundle.scripts].map(([name, script]) => [name, script.createCachedData()]);
const path = `${join(dist, JSON.parse(index).bundle)}.${process.version}-${process.arch}.cache`;
writeFileSync(`${path}.${process.pid}.tmp`, cacheFile(caches));
renameSync(`${path}.${process.pid}.tmp`, path);
process.exit(0);

// One line of JSON with the place of each, then they themselves, at multiples of 8, as V8 would copy what is not aligned.
function cacheFile(caches) {
  const aligned = (length) => Math.ceil(length / 8) * 8;
  const start = 8192;
  const places = {};
  let end = start;
  for (const [name, { length }] of caches) {
    places[name] = [end, length];
    end += aligned(length);
  }
  const bytes = Buffer.alloc(end, " ");
  if (bytes.write(`${JSON.stringify(places)}\n`) > start) throw new Error("the table of caches is too long");
  for (const [name, data] of caches) data.copy(bytes, places[name][0]);
  return bytes;
}

async function warmUp(folder) {
  const playbook = join(folder, "site.yaml");
  writeFileSync(join(folder, "there"), "one\n");
  writeFileSync(
    playbook,
    [
      "name: warm",
      "resources:",
      `  - file: ${folder}/there`,
      '    content: "two\\n"',
      `  - file: ${folder}/new`,
      '    content: "one\\n"',
      `  - directory: ${folder}/d`,
      "",
    ].join("\n"),
  );
  const state = ["--state-dir", join(folder, "state")];
  for (const argv of [["--help"], ["lint", playbook], ["plan", playbook, ...state], ["plan", playbook, "--json", ...state]]) {
    // A command that fails here fails for its user too, and then says so better; the cache only holds less.
    await main(argv).catch(() => undefined);
  }
}

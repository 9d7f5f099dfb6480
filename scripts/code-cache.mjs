// `node scripts/code-cache.mjs BUNDLE CACHE`: runs the bundle the way users most often do, then writes V8's code cache for it, which then
// holds the functions that those runs needed. Only commands that change nothing are run, on a playbook in a temporary folder.
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import v8 from "node:v8";
import vm from "node:vm";

const [bundle, cache] = process.argv.slice(2);

// V8 forgets the bytecode of functions that have not run for a while. The flag is set back below, as flags are part of a cache's identity.
v8.setFlagsFromString("--no-flush-bytecode");

const script = new vm.Script(readFileSync(bundle, "latin1"), {
  filename: bundle,
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(import.meta.url), module, bundle, dirname(bundle));

const folder = mkdtempSync(join(tmpdir(), "setpoint-build-"));
try {
  await warmUp(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

v8.setFlagsFromString("--flush-bytecode");
writeFileSync(`${cache}.${process.pid}.tmp`, script.createCachedData());
renameSync(`${cache}.${process.pid}.tmp`, cache);
process.exit(0);

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
    await module.exports.main(argv).catch(() => undefined);
  }
}

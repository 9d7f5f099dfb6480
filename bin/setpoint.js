#!/usr/bin/env node
// The launcher: answers --version at once, refuses a Node that is too old, then runs the bundle that scripts/build.mjs made.
//
// It is CommonJS (bin/package.json says so), because the ESM loader alone costs more than all of this file, and its syntax is one
// that Node 6 can parse, so that an old Node prints the sentence below and not a SyntaxError.
"use strict";

const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  print(`${require("../package.json").version}\n`);
} else if (isTooOld(process.versions.node)) {
  process.stderr.write(
    `setpoint needs Node 20.19 or newer; this is Node ${process.versions.node} (${process.execPath}). Install a newer Node and run the command again.\n`,
  );
  process.exitCode = 70;
} else {
  start();
}

// On stdout, without loading the streams behind process.stdout, unless the descriptor cannot take it now.
function print(text) {
  try {
    require("fs").writeSync(1, text);
  } catch (_notNow) {
    process.stdout.write(text);
  }
}

function isTooOld(version) {
  const numbers = version.split(".").map(Number);
  return numbers[0] < 20 || (numbers[0] === 20 && numbers[1] < 19);
}

function start() {
  // libuv reads this at its first asynchronous call: many files are read at once, and four threads are too few.
  if (process.env.UV_THREADPOOL_SIZE === undefined) process.env.UV_THREADPOOL_SIZE = "64";

  Promise.resolve()
    .then(() => loadBundle().main(argv))
    .then(
      (code) => {
        process.exitCode = code;
      },
      (error) => {
        process.stderr.write(`setpoint: a bug, please report it.\n${(error && error.stack) || error}\n`);
        process.exitCode = 70;
      },
    );
}

// The bundle is one file, so that an upgrade in the middle of a run cannot take away a part that is loaded late. Its V8 code cache was
// made by the build and is only read here: a read-only command writes nothing. It lies beside the bundle and is as trusted; V8 rejects
// it for another V8 or other flags, and another bundle has another name.
function loadBundle() {
  const fs = require("fs");
  const path = require("path");
  const vm = require("vm");
  const dist = path.join(__dirname, "..", "dist");

  let filename;
  try {
    filename = path.join(dist, JSON.parse(fs.readFileSync(path.join(dist, "build.json"), "utf8")).bundle);
  } catch (error) {
    throw new Error(`setpoint is not built (${error.message}); run \`npm run build\` in its folder`);
  }

  let cachedData;
  if (process.env.SETPOINT_NO_CODE_CACHE !== "1") {
    try {
      cachedData = fs.readFileSync(`${filename}.${process.version}-${process.arch}.cache`);
    } catch (_none) {
      cachedData = undefined;
    }
  }

  // The build leaves only ASCII in the bundle, so latin1 reads it rightly, and fastest.
  const script = new vm.Script(fs.readFileSync(filename, "latin1"), {
    filename,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const bundle = { exports: {} };
  script.runInThisContext()(bundle.exports, require, bundle, filename, dist);
  return bundle.exports;
}

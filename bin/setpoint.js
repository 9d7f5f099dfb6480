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

// At its end Node gives a terminal the modes back that it had, and aborts (134) if the terminal is gone: "Assertion failed" in ResetStdio. It
// leaves alone what is another file by then.
function letGoOfLostTerminal() {
  const fs = require("fs");
  for (const fd of [0, 1, 2]) {
    try {
      if (!fs.fstatSync(fd).isCharacterDevice() || require("tty").isatty(fd)) continue;
      fs.closeSync(fd);
      fs.openSync("/dev/null", "r+"); // takes the lowest free number: this one
    } catch (_closedAlready) {
      // Nothing to let go of.
    }
  }
}

function start() {
  process.on("exit", letGoOfLostTerminal);

  // libuv reads this at its first asynchronous call: many files are read at once, and four threads are too few.
  if (process.env.UV_THREADPOOL_SIZE === undefined) process.env.UV_THREADPOOL_SIZE = "64";

  Promise.resolve()
    .then(() => require("./bundle.js").open(require("path").join(__dirname, "../dist")).require("./main.js").main(argv))
    .then(
      (code) => {
        process.exitCode = code;
        // Nothing is left to do, and taking the heap down in order costs up to a tenth of a run. Only output that its reader has not
        // taken yet holds us.
        if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
      },
      (error) => {
        process.stderr.write(`setpoint: a bug, please report it.\n${(error && error.stack) || error}\n`);
        process.exitCode = 70;
      },
    );
}

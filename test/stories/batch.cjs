// Runs command lines that come on stdin, one a line of JSON, through the bundle that bin/setpoint.js runs, and answers each with a line.
"use strict";

const path = require("node:path");
const readline = require("node:readline");

const dist = path.join(__dirname, "../../dist");
const { main } = require("../../bin/bundle.js").open(dist).require("./main.js");
const answer = process.stdout.write.bind(process.stdout);
process.setMaxListeners(0);

async function run(argv) {
  let stdout = "";
  let stderr = "";
  process.stdout.write = (text) => {
    stdout += text;
    return true;
  };
  process.stderr.write = (text) => {
    stderr += text;
    return true;
  };
  try {
    return { exit: await main(argv), stdout, stderr };
  } catch (error) {
    return { exit: 70, stdout, stderr: `${stderr}${error.stack}` };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin }))
    answer(`${JSON.stringify(await run(JSON.parse(line).argv))}\n`);
})();

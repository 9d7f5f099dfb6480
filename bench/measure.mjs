// Running commands and taking their times.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const TIME = "/usr/bin/time";

/** Wall milliseconds of a command. Throws where its exit code is not among `ok`. */
export function timeOf(argv, { ok = [0], env = {} } = {}) {
  const started = process.hrtime.bigint();
  const ran = spawnSync(argv[0], argv.slice(1), {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
    maxBuffer: 64 << 20,
  });
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  refuse(argv, ran, ok);
  return ms;
}

/** Wall milliseconds and the peak of resident memory in MB (undefined without GNU time). */
export function timeAndMemoryOf(argv, options = {}) {
  if (!existsSync(TIME)) return { ms: timeOf(argv, options), mb: undefined };
  const started = process.hrtime.bigint();
  const ran = spawnSync(TIME, ["-f", "peak=%M", "--", ...argv], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...options.env },
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  refuse(argv, ran, options.ok ?? [0]);
  const kilobytes = /peak=(\d+)\s*$/.exec(ran.stderr)?.[1];
  return { ms, mb: kilobytes === undefined ? undefined : Number(kilobytes) / 1000 };
}

function refuse(argv, ran, ok) {
  if (ran.error) throw ran.error;
  if (!ok.includes(ran.status))
    throw new Error(`${argv.join(" ")} ended with ${ran.status ?? ran.signal}: ${String(ran.stderr).trim().slice(-2000)}`);
}

/** Whether a program is there. */
export function has(program) {
  return spawnSync("which", [program]).status === 0;
}

/**
 * Takes the time of each case once a round, one after another, so that what else the machine does meets all of them.
 * `cases`: functions by name that are handed the number of the round and give milliseconds. Gives the samples by name.
 */
export async function interleaved(rounds, cases, { warmup = 1 } = {}) {
  const samples = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let round = -warmup; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(cases)) {
      const ms = run(round + warmup);
      if (round >= 0) samples[name].push(ms);
      await signals();
    }
  }
  return samples;
}

/** Lets a signal that came while a command ran be heard: nothing else here waits for anything. */
export function signals() {
  return new Promise((done) => setImmediate(done));
}

/** Median, least and most of some numbers. */
export function summary(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

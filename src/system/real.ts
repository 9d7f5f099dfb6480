import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir, machine } from "node:os";
import type { System } from "../core/index.ts";
import { realNetwork } from "./network/real-network.ts";
import { realFiles } from "./real-files.ts";
import { realProcesses } from "./real-processes.ts";

/**
 * The machine setpoint runs on. Sets the process's umask to 077 at once, so that nothing of ours is ever open to others;
 * children get back the umask that setpoint was started with.
 */
export function realSystem(): System {
  const umask = process.umask(0o077);
  const unmasked = <T>(body: () => T): T => {
    process.umask(umask);
    try {
      return body();
    } finally {
      process.umask(0o077);
    }
  };
  let boot: string | undefined;
  return {
    files: realFiles,
    processes: realProcesses(umask, process.env, unmasked),
    clock: {
      now: () => Date.now(),
      mono: () => Number(process.hrtime.bigint() / 1000n) / 1000,
      bootId() {
        boot ??= readBootId();
        return boot;
      },
      sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
    },
    chance: { bytes: (count) => randomBytes(count) },
    network: realNetwork(process.env),
    host: {
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
      pid: process.pid,
      home: homedir(),
      cwd: process.cwd(),
      umask,
      env: process.env,
      platform: process.platform,
      arch: machine(),
    },
  };
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown"; // no /proc: the id is for messages and for judging how old a cooldown is, where unknown means a reboot
  }
}

import type { Command, Ran, System } from "../../core/index.ts";
import { type Chooser, type Cut, Disk } from "./disk.ts";
import { type Lies, SimulatedFiles } from "./files.ts";
import { SimulatedNetwork } from "./network.ts";

/** A program of the simulated machine: does its work through the files and tells how it ended. */
export type Program = (command: Command, files: SimulatedFiles) => Ran;

/** A machine in memory: a disk, programs, a clock that is set by hand, and chance from a seed. */
export class SimulatedMachine {
  readonly disk: Disk;
  readonly network: SimulatedNetwork;
  /** Wall ms; may jump. */
  wall = Date.UTC(2026, 0, 1);
  private boots = 0;
  private uptime = 0;
  private readonly random: Chooser;
  private readonly programs: { readonly [name: string]: Program };
  /** Which process holds the lock of an inode. */
  private readonly locks = new Map<number, object>();

  constructor(seed: number, programs: { readonly [name: string]: Program } = {}, disk = new Disk(), network = new SimulatedNetwork()) {
    this.random = seeded(seed);
    this.programs = programs;
    this.disk = disk;
    this.network = network;
  }

  /** The same machine once more as it stands, without its processes; chance begins from another seed. The network is one for both. */
  fork(seed: number): SimulatedMachine {
    const machine = new SimulatedMachine(seed, this.programs, this.disk.fork(), this.network);
    machine.wall = this.wall;
    machine.boots = this.boots;
    machine.uptime = this.uptime;
    return machine;
  }

  /** A process's system; its locks are free when `end` is called. `lies`: syncs that do nothing. */
  process(cwd: string, lies?: Lies): { readonly system: System; readonly files: SimulatedFiles; end(): void } {
    const files = new SimulatedFiles(this.disk, 0, 0, lies);
    const me = {};
    const run = async (command: Command): Promise<Ran> =>
      this.programs[command.argv[0] ?? ""]?.(command, files) ?? { failed: "ENOENT", stdout: "", stderr: "" };
    const system: System = {
      files,
      network: this.network,
      processes: {
        run,
        runNow: () => ({ code: 2, stdout: "", stderr: "" }),
        lock: (fd) => {
          const { ino } = files.at(fd);
          const holder = this.locks.get(ino);
          if (holder !== undefined && holder !== me) return "held";
          this.locks.set(ino, me);
          return "locked";
        },
        has: (program) => program in this.programs,
        endAll: () => undefined,
      },
      clock: {
        now: () => {
          this.wall += 1;
          return this.wall;
        },
        mono: () => {
          this.uptime += 1;
          return this.uptime;
        },
        bootId: () => `boot-${this.boots}`,
        sleep: async (ms) => {
          this.wall += ms;
          this.uptime += ms;
        },
      },
      chance: { bytes: (count) => Uint8Array.from({ length: count }, () => this.random(256)) },
      host: { uid: 0, gid: 0, pid: 1, home: "/root", cwd, umask: 0o022, env: {}, platform: "linux", arch: "x86_64" },
    };
    return {
      system,
      files,
      end: () => {
        for (const [ino, holder] of this.locks) if (holder === me) this.locks.delete(ino);
      },
    };
  }

  /** The power goes and comes back. */
  powerCut(cut: Cut, choose: Chooser): void {
    this.disk.powerCut(cut, choose);
    this.reboot();
  }

  /** The same with what is chosen of each thing that waits, in the order of `disk.undecided()`. */
  cut(outcomes: readonly number[]): void {
    this.disk.cut(outcomes);
    this.reboot();
  }

  /** All processes are gone and the uptime begins anew; the disk stays as it is. */
  reboot(): void {
    this.locks.clear();
    this.boots += 1;
    this.uptime = 0;
  }
}

/** Numbers from 0 up to the number of options, the same for the same seed (mulberry32). */
export function seeded(seed: number): Chooser {
  let state = seed >>> 0;
  return (options) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % options;
  };
}

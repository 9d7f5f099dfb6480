import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { describe, expect } from "vitest";
import { tally } from "../support/figures.ts";
import { type Call, changingCalls, killing } from "../support/real-calls.ts";
import { type Cut, RealDisk } from "../support/real-disk.ts";
import { type Look, RealSite, single } from "../support/real-site.ts";
import { share, shareOf } from "../support/share.ts";
import { onMachine, type Place } from "../system/machine.ts";

const needed = ["mount", "strace", "xfs_io", "mkfs.ext4", "mkfs.xfs"];
const SYSTEMS = ["ext4", "xfs"] as const;
const CUTS: readonly Cut[] = ["shutdown", "shutdown -f"];
const LAYOUTS = { "one disk": 1, "site and state on two disks": 2 } as const;

/** A site on one or two disks that lose their power together. */
class Powered {
  readonly site: RealSite;
  readonly folder: string;
  readonly before: Look;
  readonly after: Look;
  private readonly disks: readonly RealDisk[];
  private readonly how: Cut;

  constructor(place: Place, system: "ext4" | "xfs", how: Cut, disks: 1 | 2) {
    this.how = how;
    this.folder = place.mount("quick", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs");
    this.disks = ["one", "two"].slice(0, disks).map((name) => new RealDisk(place, name, system, this.folder));
    const [one, two] = this.disks as [RealDisk, RealDisk?];
    this.site = new RealSite(this.folder, { disk: one.folder, stateDisk: (two ?? one).folder });
    ({ before: this.before, after: this.after } = this.site.ends());
  }

  /** As before anything was applied, and that survives. */
  fresh(): void {
    this.site.fresh();
    for (const disk of this.disks) disk.sync();
  }

  cut(): void {
    for (const disk of this.disks) disk.cut(this.how);
  }

  async back(): Promise<void> {
    for (const disk of this.disks) await disk.back();
  }
}

/** Starts a command and waits so many ms, or until it ended. */
async function runningFor(site: RealSite, ms: number): Promise<{ readonly child: ChildProcess; readonly ended: Promise<unknown> }> {
  const [program, ...words] = site.argv(["apply"]) as [string, ...string[]];
  const child = spawn(program, words, { stdio: "ignore" });
  const ended = once(child, "exit");
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([ended, new Promise((done) => (timer = setTimeout(done, ms)))]);
  clearTimeout(timer);
  return { child, ended };
}

/** The ways in which a run dies with its power. */
const DEATHS: readonly ((powered: Powered, calls: readonly Call[], whole: number) => Promise<string>)[] = [
  async ({ site }, calls) => {
    const call = calls[Math.floor(Math.random() * calls.length)] as Call;
    site.setpoint(["apply"], { through: killing(call), env: single });
    return `killed at ${call.line}, then cut`;
  },
  async ({ site }, _, whole) => {
    const ms = Math.random() * whole;
    const { child, ended } = await runningFor(site, ms);
    child.kill("SIGKILL");
    await ended;
    return `killed after ${ms.toFixed(1)} ms, then cut`;
  },
  async (powered, _, whole) => {
    const ms = Math.random() * whole;
    const { child, ended } = await runningFor(powered.site, ms);
    powered.cut();
    child.kill("SIGKILL");
    await ended;
    return `cut after ${ms.toFixed(1)} ms`;
  },
  async (powered, _, whole) => {
    const ms = Math.random() * whole;
    const { ended } = await runningFor(powered.site, ms);
    powered.cut();
    // It goes on, meets errors at every call, and must end by itself.
    await ended;
    return `cut after ${ms.toFixed(1)} ms, and it went on`;
  },
];

for (const [index, system] of SYSTEMS.entries()) {
  for (const [turn, how] of CUTS.entries()) {
    for (const [layout, disks] of Object.entries(LAYOUTS) as [string, 1 | 2][]) {
      // A share of all takes each file system, each cut and each layout, not each with each.
      if (share < 1 && (index + turn) % 2 !== disks - 1) continue;
      describe(`${system}, ${how}, ${layout}`, () => {
        onMachine(
          "I9: what exit 0 said survives a power cut right after it, of an apply and of a revert",
          needed,
          async (place) => {
            const powered = new Powered(place, system, how, disks);
            const { site } = powered;
            const rounds = shareOf(10);
            for (let round = 0; round < rounds; round++) {
              powered.fresh();
              const applied = site.setpoint(["apply"]);
              powered.cut();
              expect(applied.code, applied.out + applied.err).toBe(0);
              await powered.back();
              expect(site.look()).toEqual(powered.after);
              expect(site.setpoint(["plan", site.book]).code).toBe(0);
              const reverted = site.setpoint(["revert"]);
              powered.cut();
              expect(reverted.code, reverted.out + reverted.err).toBe(0);
              await powered.back();
              expect(site.look()).toEqual(powered.before);
              expect(site.setpoint(["revert"]).code).toBe(0);
            }
            tally({ invariants: ["I9"], what: "power cuts", count: 2 * rounds });
          },
          3_600_000,
        );

        onMachine(
          "without syncs the same cut loses an apply, so that these tests can fail",
          needed,
          async (place) => {
            const powered = new Powered(place, system, how, disks);
            const { site } = powered;
            const lying = [
              "strace",
              "-f",
              "-qq",
              "-o",
              "/dev/null",
              "-e",
              "trace=fsync,fdatasync",
              "-e",
              "inject=fsync,fdatasync:retval=0",
            ];
            // The kernel writes by itself now and then, and what it wrote is not lost: then once more.
            for (let round = 1; ; round++) {
              powered.fresh();
              const applied = site.setpoint(["apply"], { through: lying, env: single });
              powered.cut();
              expect(applied.code, applied.err).toBe(0);
              await powered.back();
              if (round < 10 && isDeepStrictEqual(site.look(), powered.after)) continue;
              expect(site.look()).not.toEqual(powered.after);
              break;
            }
          },
          600_000,
        );

        onMachine(
          "I3, I4, I6: a run that dies with its power is resumed or reverted, and that survives a power cut too",
          needed,
          async (place) => {
            const powered = new Powered(place, system, how, disks);
            const { site } = powered;
            powered.fresh();
            const calls = changingCalls(site, ["apply"], powered.folder);
            powered.fresh();
            const began = performance.now();
            expect(site.setpoint(["apply"]).code).toBe(0);
            const whole = performance.now() - began;
            const rounds = share === 1 ? 80 : shareOf(50);
            let cuts = 0;
            for (let round = 0; round < rounds; round++) {
              powered.fresh();
              const death = DEATHS[(round >> 1) % DEATHS.length] as (typeof DEATHS)[number];
              let story = await death(powered, calls, whole);
              // Once in a while the machine stays up, what was begun is mended, and only then the power goes: recovery must have
              // made durable what it found in memory.
              const isLate = !story.startsWith("cut") && round % 3 === 0;
              if (!isLate) {
                if (!story.startsWith("cut")) powered.cut();
                await powered.back();
                cuts += 1;
              } else story += ", but only after it was mended";
              const wanted = round % 2 === 0 ? powered.after : powered.before;
              if (round % 2 === 0) site.finish(story);
              else site.undo(story);
              expect(site.look(), story).toEqual(wanted);
              powered.cut();
              await powered.back();
              cuts += 1;
              expect(site.look(), `${story}; and another cut`).toEqual(wanted);
            }
            tally({ invariants: ["I3", "I4", "I6"], what: "power cuts", count: cuts });
          },
          3_600_000,
        );
      });
    }
  }
}

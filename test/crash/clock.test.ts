import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Chooser, seeded } from "../../src/system/simulated/index.ts";
import { Images, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import type { Watcher } from "../support/mortal-system.ts";
import { endsOf, reached, recovers, WAYS } from "../support/recovery.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";
import { generatedWorld } from "../support/simulated-generator.ts";
import { Scenario } from "../support/simulated-scenario.ts";

const TEN_YEARS = 10 * 365 * 24 * 3_600_000;
const ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Etc/GMT+12"];

/** The clock jumps somewhere within ten years, back or forth; the time zone becomes another, and perhaps the machine starts anew. */
function jump({ machine }: Scenario, choose: Chooser): void {
  machine.wall += (choose(2) === 0 ? -1 : 1) * Math.floor((choose(1 << 20) / (1 << 20)) * TEN_YEARS);
  process.env.TZ = ZONES[choose(ZONES.length)] as string;
  if (choose(3) === 0) machine.reboot();
}

/** The same at every fifth call or so of a process that runs; it lives through no reboot. */
function jumping({ machine }: Scenario, choose: Chooser): Watcher {
  return {
    before: () => {
      if (choose(5) === 0) machine.wall += (choose(2) === 0 ? -1 : 1) * Math.floor((choose(1 << 20) / (1 << 20)) * TEN_YEARS);
    },
  };
}

describe("clocks", () => {
  test("I25: clock jumps of ten years, other time zones and reboots between and within commands change no result", async () => {
    const zone = process.env.TZ;
    let jumps = 0;
    for (const seed of seedsUpTo(500)) {
      await withSeed(seed, async () => {
        const world = generatedWorld(seed);
        const ends = await endsOf(world);
        const choose = seeded(seed);
        const start = new Scenario(seed, world);
        const { moments: all } = await moments(start, apply, ["book.yaml"]);
        const images = new Images();
        for (const [index, moment] of all.entries()) {
          for (const { scenario, story } of images.of(moment, { exhaustive: 2, samples: 2, seed })) {
            const module = WAYS[index % 2] as CommandModule;
            jump(scenario, choose);
            await recovers({ scenario, story }, module, ends, { watchers: [jumping(scenario, choose)] });
            jumps += 1;
          }
        }
      });
    }
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
    tally({ invariants: ["I25"], what: "clock jumps", count: jumps });
  }, 36_000_000);

  test("I25: the newest run is the one that came last, whatever the clock says", async () => {
    for (const seed of seedsUpTo(300)) {
      await withSeed(seed, async () => {
        const choose = seeded(seed);
        const world = generatedWorld(seed);
        const { initial, final } = await endsOf(world);
        if (JSON.stringify(initial) === JSON.stringify(final)) return;
        const scenario = new Scenario(seed, world);
        for (let round = 0; round < 3; round++) {
          jump(scenario, choose);
          const applied = await scenario.run(apply, ["book.yaml"], { watchers: [jumping(scenario, choose)] });
          expect(applied.exit, applied.said).toBe(0);
          reached(scenario, final, `apply ${round}`);
          jump(scenario, choose);
          const resumed = await scenario.run(resume);
          expect([resumed.exit, resumed.outside], resumed.said).toEqual([0, 0]);
          jump(scenario, choose);
          const reverted = await scenario.run(revert, [], { watchers: [jumping(scenario, choose)] });
          expect(reverted.exit, reverted.said).toBe(0);
          reached(scenario, initial, `revert ${round}`);
        }
      });
    }
  }, 36_000_000);
});

import { describe, expect, test } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Chooser, seeded } from "../../src/system/simulated/index.ts";
import { type Image, Images, type Moment, moments } from "../support/crash-images.ts";
import { tally } from "../support/figures.ts";
import { type Ends, endsOf, onward, reached, recovers, WAYS } from "../support/recovery.ts";
import { seedsUpTo, withSeed } from "../support/seeds.ts";
import { generatedWorld } from "../support/simulated-generator.ts";
import { Scenario } from "../support/simulated-scenario.ts";
import { STANDARD, type World } from "../support/simulated-world.ts";

/** The first seed is the world that has everything in it; the others are generated. */
const worldOf = (seed: number): World => (seed === 1 ? STANDARD : generatedWorld(seed));

/** What may go on from a crash within a command: a revert is gone on with by a revert alone. */
const onFrom = (module: CommandModule): readonly CommandModule[] => (module === revert ? [revert] : WAYS);

/** One image of one moment. */
function drawn(all: readonly Moment[], choose: Chooser): Image {
  const moment = all[choose(all.length)] as Moment;
  const scenario = moment.scenario.fork(choose(1 << 20));
  if (choose(3) === 0) return { scenario, story: `killed ${moment.story}` };
  const seed = choose(1 << 20);
  scenario.machine.powerCut("random", seeded(seed));
  return { scenario, story: `power cut ${moment.story}, drawn by ${seed}` };
}

/** The moments of the command that goes on from an image; none where nothing was begun and nothing is to be undone. */
async function momentsFrom({ scenario, story }: Image, module: CommandModule): Promise<readonly Moment[]> {
  const next = onward(scenario, module);
  if (!next) return [];
  const { life, moments: found } = await moments(scenario.fork(1), next.module, next.args);
  expect(life.exit, `${story}\n${life.said}`).toBe(0);
  return found.map((moment) => ({
    ...moment,
    story: `${moment.story} of the ${module === revert ? "revert" : "resume"} of what was ${story}`,
  }));
}

const wanted = (module: CommandModule, { initial, final }: Ends) => (module === revert ? initial : final);

describe("crashes within a recovery", () => {
  test("I5: a crash at any moment of a resume or revert, and again: the same state", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(400)) {
      await withSeed(seed, async () => {
        const world = worldOf(seed);
        const ends = await endsOf(world);
        const choose = seeded(seed);
        const { moments: first } = await moments(new Scenario(seed, world), apply, ["book.yaml"]);
        for (const module of WAYS) {
          const second = await momentsFrom(drawn(first, choose), module);
          for (const way of onFrom(module)) {
            const images = new Images();
            for (const moment of second)
              for (const image of images.of(moment, { exhaustive: 8, samples: 5, seed })) await recovers(image, way, ends);
            tried += images.tried;
          }
        }
      });
    }
    tally({ invariants: ["I5"], what: "crash images", count: tried });
  }, 36_000_000);

  test("I5: three crashes, each within the recovery from the one before: the same state", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(2_000)) {
      await withSeed(seed, async () => {
        const world = worldOf(seed);
        const ends = await endsOf(world);
        const choose = seeded(seed);
        const { moments: first } = await moments(new Scenario(seed, world), apply, ["book.yaml"]);
        for (let round = 0; round < 3; round++) {
          let image = drawn(first, choose);
          let module: CommandModule = WAYS[choose(2)] as CommandModule;
          for (let depth = 2; depth <= 3; depth++) {
            const inner = await momentsFrom(image, module);
            if (inner.length === 0) break;
            image = drawn(inner, choose);
            const ways = onFrom(module);
            module = ways[choose(ways.length)] as CommandModule;
          }
          await recovers(image, module, ends);
          tried += 1;
        }
      });
    }
    tally({ invariants: ["I5"], what: "chains of three crashes", count: tried });
  }, 36_000_000);

  test("I6: any playbook killed, recovered, and then a power cut: what was reached stays", async () => {
    let tried = 0;
    for (const seed of seedsUpTo(300)) {
      await withSeed(seed, async () => {
        const world = worldOf(seed);
        const ends = await endsOf(world);
        const { moments: all } = await moments(new Scenario(seed, world), apply, ["book.yaml"]);
        for (const module of WAYS) {
          const images = new Images();
          for (const [index, { scenario, story }] of all.entries()) {
            if (index % 4 !== seed % 4) continue;
            const killed = scenario.fork(seed);
            const life = await recovers({ scenario: killed, story: `killed ${story}` }, module, ends);
            if (!life) continue;
            for (const image of images.powerCuts(
              { scenario: killed, story: `${story}, recovered` },
              { exhaustive: 16, samples: 4, seed },
            )) {
              reached(image.scenario, wanted(module, ends), image.story);
              await recovers(image, module, ends);
              if (module === resume) await recovers(image, revert, ends);
            }
          }
          tried += images.tried;
        }
      });
    }
    tally({ invariants: ["I6"], what: "crash images", count: tried });
  }, 36_000_000);

  test("I9: exit 0 of an apply, and of a revert, of any playbook survives an immediate power cut", async () => {
    const images = new Images();
    for (const seed of seedsUpTo(2_000)) {
      await withSeed(seed, async () => {
        const world = worldOf(seed);
        const ends = await endsOf(world);
        const scenario = new Scenario(seed, world);
        await scenario.run(apply, ["book.yaml"]);
        const choice = { exhaustive: 16, samples: 8, seed };
        for (const image of images.powerCuts({ scenario, story: "after the apply" }, choice))
          reached(image.scenario, ends.final, image.story);
        await recovers({ scenario, story: "after the apply" }, revert, ends);
        for (const image of images.powerCuts({ scenario, story: "after the revert" }, choice))
          reached(image.scenario, ends.initial, image.story);
      });
    }
    tally({ invariants: ["I9"], what: "crash images", count: images.tried });
  }, 36_000_000);
});

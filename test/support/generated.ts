import { expect } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import type { Choice } from "./crash-images.ts";
import { type Ends, recoversAnywhere } from "./recovery.ts";
import { generatedWorld } from "./simulated-generator.ts";
import { Scenario } from "./simulated-scenario.ts";

/** Of each moment of each playbook; what a moment has no room for, another playbook has. */
const choice = (seed: number): Choice => ({ exhaustive: 8, samples: 6, seed });

/** The ends of a world; every generated playbook can be applied. */
export async function generatedEnds(scenario: Scenario): Promise<Ends> {
  const initial = scenario.snapshot();
  const life = await scenario.run(apply, ["book.yaml"]);
  expect(life.exit, `${life.said}\n${scenario.world.playbook}`).toBe(0);
  return { initial, final: scenario.snapshot() };
}

/** Crashes the apply of the seed's playbook at every moment, and goes on from each image with the command. Gives how many images it tried. */
export async function generatedCrashes(seed: number, onward: CommandModule): Promise<number> {
  const world = generatedWorld(seed);
  const ends = await generatedEnds(new Scenario(seed, world));
  const { tried } = await recoversAnywhere(new Scenario(seed, world), onward, ends, choice(seed));
  return tried;
}

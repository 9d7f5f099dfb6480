import { expect } from "vitest";
import { apply } from "../../src/cli/commands/apply.ts";
import type { CommandModule } from "../../src/cli/commands/command.ts";
import { resume } from "../../src/cli/commands/resume.ts";
import { revert } from "../../src/cli/commands/revert.ts";
import { type Choice, type Image, Images, moments } from "./crash-images.ts";
import { type Fate, type Life, Scenario } from "./simulated-scenario.ts";
import type { World } from "./simulated-world.ts";

type Snapshot = ReturnType<Scenario["snapshot"]>;

/** A world before and after its apply, without any crash. */
export interface Ends {
  readonly initial: Snapshot;
  readonly final: Snapshot;
}

export async function endsOf(world: World): Promise<Ends> {
  const scenario = new Scenario(1, world);
  const initial = scenario.snapshot();
  const life = await scenario.run(apply, ["book.yaml"]);
  expect(life.exit, life.said).toBe(0);
  return { initial, final: scenario.snapshot() };
}

/** The command that goes on with what was begun, or begins it where nothing was. */
export function onward(
  scenario: Scenario,
  module: CommandModule,
): { readonly module: CommandModule; readonly args: readonly string[] } | undefined {
  if (scenario.begun()) return { module, args: [] };
  return module === revert ? undefined : { module: apply, args: ["book.yaml"] };
}

/** I3 and I4: from an image, a resume gives the final state, and a revert the one before. Throws with the image's story. */
export async function recovers(image: Image, module: CommandModule, ends: Ends, fate: Fate = {}): Promise<Life | undefined> {
  const { scenario, story } = image;
  const next = onward(scenario, module);
  const life = next && (await ran(scenario, next.module, next.args, story, fate));
  reached(scenario, module === revert ? ends.initial : ends.final, `${story}, then ${module === revert ? "revert" : "resume"}`, life?.said);
  return life;
}

/** Crashes the apply of a world at every moment and goes on from each image with the command. Gives the images that it tried. */
export async function recoversAnywhere(scenario: Scenario, module: CommandModule, ends: Ends, choice: Choice): Promise<Images> {
  const images = new Images();
  const { life, moments: found } = await moments(scenario, apply, ["book.yaml"]);
  expect(life.exit, life.said).toBe(0);
  for (const moment of found) for (const image of images.of(moment, choice)) await recovers(image, module, ends);
  return images;
}

async function ran(scenario: Scenario, module: CommandModule, args: readonly string[], story: string, fate: Fate): Promise<Life> {
  const life = await scenario.run(module, args, fate).catch((thrown: unknown) => {
    throw new Error(`${story}: ${(thrown as Error).message}`, { cause: thrown });
  });
  if (life.exit !== 0) expect(life.exit, `${story}\n${life.said}`).toBe(0);
  return life;
}

/** Everything is as it should be, and nothing of a process under way is left (I10). */
export function reached(scenario: Scenario, wanted: Snapshot, story: string, said = ""): void {
  const found = scenario.snapshot();
  // Comparing texts first: an assertion an image would cost as much as the image.
  if (JSON.stringify(found) !== JSON.stringify(wanted)) expect(found, `${story}\n${said}`).toEqual(wanted);
  const temps = scenario.temps();
  if (temps.length > 0) expect(temps, `${story}: temporary files are left`).toEqual([]);
}

/** The two ways on from a crash. */
export const WAYS: readonly CommandModule[] = [resume, revert];

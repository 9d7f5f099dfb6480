import { expect } from "vitest";
import { tally } from "./figures.ts";
import { share } from "./share.ts";

/** The one seed that is asked for by SETPOINT_SEED, to try a failure again. */
const only = process.env.SETPOINT_SEED === undefined ? undefined : Number(process.env.SETPOINT_SEED);

/**
 * Seeds from 1, in number as the share of the suite says; fewer than that in a small share, as what every change waits for
 * should be quick, and a night is long.
 */
export function seedsUpTo(count: number): readonly number[] {
  if (only !== undefined) return [only];
  return Array.from({ length: Math.max(1, Math.round(count * share ** 1.5)) }, (_, index) => index + 1);
}

/** Runs the body for a seed; what fails tells the one command that runs it again. */
export async function withSeed<T>(seed: number, body: () => Promise<T>): Promise<T> {
  try {
    const held = await body();
    tally({ invariants: [], what: "seeds", count: 1 });
    return held;
  } catch (thrown) {
    const { currentTestName = "", testPath = "" } = expect.getState();
    const file = testPath.slice(testPath.indexOf("test/crash"));
    const title = currentTestName.slice(currentTestName.lastIndexOf(" > ") + 3).split(":")[0];
    const { message } = thrown as Error;
    throw new Error(`again with: SETPOINT_SEED=${seed} npm run test:crash -- ${file} -t "${title}:"\n${message}`, { cause: thrown });
  }
}

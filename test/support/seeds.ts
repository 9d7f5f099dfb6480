import { expect } from "vitest";
import { tally } from "./figures.ts";
import { share } from "./share.ts";

/** The one seed that is asked for by SETPOINT_SEED, to try a failure again; or those from one to another (`683-1500`), to go on with a long run. */
const asked = /^(\d+)(?:-(\d+))?$/.exec(process.env.SETPOINT_SEED ?? "");

/**
 * Seeds from 1, in number as the share of the suite says; fewer than that in a small share, as what every change waits for
 * should be quick, and a night is long.
 */
export function seedsUpTo(count: number): readonly number[] {
  const [, first = "1", last = asked ? first : String(Math.max(1, Math.round(count * share ** 1.5)))] = asked ?? [];
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => index + Number(first));
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

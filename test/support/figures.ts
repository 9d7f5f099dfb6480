import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

/** What was counted: one line of docs/reliability.md. */
export interface Figure {
  /** Of reliability.md §9, such as `I3`; none where it counts for the whole suite. */
  readonly invariants: readonly string[];
  /** What was tried, in the plural: `crash images`, `real kills`, `faults`, `power cuts`, `signals`, `seeds`. */
  readonly what: string;
  readonly count: number;
}

/**
 * Notes what the running test tried, for the report on reliability; call it once what was tried has held. Nothing is
 * written unless SETPOINT_FIGURES names a folder (`npm run test:crash -- --report` sets it).
 */
export function tally(figure: Figure): void {
  const folder = process.env.SETPOINT_FIGURES;
  if (folder === undefined) return;
  const { currentTestName: test, testPath: file } = expect.getState();
  appendFileSync(join(folder, `${process.pid}.jsonl`), `${JSON.stringify({ ...figure, test, file })}\n`);
}

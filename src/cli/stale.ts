import { type Problem, registerId } from "../core/index.ts";
import type { Moved } from "../engine/index.ts";
import { type Look, stateDiff } from "../report/index.ts";

/** The problem of a register that moved since a plan was made, with a diff of what somebody did to it. */
export async function staleProblem(moved: Moved, look: Look, mend: string): Promise<Problem> {
  const [first] = moved.resources;
  return {
    code: "stale",
    severity: "error",
    summary: "the plan is stale",
    detail: `${registerId(moved.step.register)} changed since the plan was made; nothing was touched. Plan again, or \`${mend}\` plans anew only what moved`,
    ...(first && { at: first.at, address: first.address }),
    more: await stateDiff(moved.step.before, moved.found, look),
  };
}

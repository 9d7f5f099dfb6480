import {
  type Digest,
  error,
  isObject,
  ok,
  type Plan,
  planDigestIn,
  planIsWhole,
  planTextOf,
  problems,
  type Result,
} from "../core/index.ts";

/** A plan's text with its digest in it, and that. */
export function planText(plan: Plan): { readonly text: string; readonly digest: Digest } {
  const { format: _format, digest: _digest, ...rest } = plan;
  return planTextOf(JSON.stringify(rest));
}

/** Reads a plan's text; a problem where it is no plan, is of another version, or is not as it was written. */
export function readPlan(text: string, file: string): Result<Plan> {
  const at = { file, line: 1, column: 1 };
  if (planDigestIn(text) === undefined) {
    const format = /^\{"format":(\d+),/.exec(text)?.[1];
    if (format !== undefined && format !== "1")
      return problems(
        error(
          "newer-plan",
          "a plan of another version",
          `this plan has format ${format}, and this version of setpoint reads format 1: use the version that made it`,
          at,
        ),
      );
    return problems(error("not-a-plan", "not a plan", "this file is no plan that `setpoint plan -o` wrote", at));
  }
  if (!planIsWhole(text))
    return problems(
      error("plan-changed", "a plan that was changed", "its digest does not hold: somebody edited it, or it was cut. Plan again", at),
    );
  const plan: unknown = JSON.parse(text);
  if (!isObject(plan) || !Array.isArray(plan.changes))
    return problems(error("not-a-plan", "not a plan", "this file is no plan that `setpoint plan -o` wrote", at));
  return ok(plan as unknown as Plan);
}

/** Whether a text is a plan rather than a playbook. */
export function looksLikePlan(text: string): boolean {
  return /^\{"format":\d+,"digest":"/.test(text);
}

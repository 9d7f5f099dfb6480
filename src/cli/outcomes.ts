import { type ActionResult, type ActionStatus, type Plan, registerId, type Step, shownState } from "../core/index.ts";
import { isOpen, type RunState, type StepState } from "../journal/index.ts";

/** How each action of a run stands, by its journal alone: its changes in order, and tentative steps that came to change something. */
export function outcomesOf(plan: Plan, run: RunState): readonly ActionResult[] {
  const found = plan.steady.filter((step) => run.steps.get(step.n)?.acted === true);
  const steps: readonly (Step & { readonly after?: Plan["changes"][number]["after"] })[] = [...plan.changes, ...found];
  return [...steps]
    .sort((a, b) => a.n - b.n)
    .map((step) => {
      const own = run.steps.get(step.n);
      return {
        register: registerId(step.register),
        ...outcomeOf(own),
        before: shownState(own?.before ?? step.before, step.manner),
        after: shownState(own?.after ?? step.after ?? step.before, step.manner),
        ...(own?.found && { found: shownState(own.found, step.manner) }),
      };
    });
}

function outcomeOf(step: StepState | undefined): { readonly status: ActionStatus; readonly detail?: string } {
  switch (step?.status) {
    case "done":
      return { status: step.outcome ?? "set" };
    case "undone":
      return { status: step.outcome ?? "restored" };
    case "failed":
      return { status: "failed", ...(step.message !== undefined && { detail: step.message }) };
    case "unknown":
      return { status: "unknown", ...(step.message !== undefined && { detail: step.message }) };
    case "conflict":
      return { status: "conflict", detail: "somebody else changed it" };
    case "kept":
      return { status: "conflict", detail: "somebody changed it since: it was kept" };
    case "intended":
      return { status: "pending", detail: "it was begun, and the journal does not say how it ended" };
    case "undoing":
      return { status: "pending", detail: "its undo was begun, and the journal does not say how it ended" };
    default:
      return { status: "pending" };
  }
}

/** The command that leads on from a run; undefined where nothing is open. */
export function nextOf(run: Pick<RunState, "run" | "status" | "kind">): string | undefined {
  if (!isOpen(run.status)) return undefined;
  return run.kind === "revert" ? `setpoint revert ${run.run}` : `setpoint resume ${run.run}`;
}

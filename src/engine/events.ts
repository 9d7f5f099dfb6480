import {
  type Address,
  type Cause,
  canonicalJson,
  FAILED,
  type Plan,
  type RunId,
  type StackEvent,
  type Step,
  sha256,
} from "../core/index.ts";
import type { RunLine, RunState } from "../journal/index.ts";

/** The id of the event of that name which a run of a stack has: the same whenever it is asked for. */
export function eventId(stack: string, run: string, name: string): string {
  return sha256(canonicalJson(["setpoint event 1", stack, run, name])).slice(0, 32);
}

/** What all that follows from a run has in common: what it has from the event that made it due, else the run itself. */
export function correlationOf(stack: string, run: string, cause: Cause | undefined): string {
  return cause?.correlation ?? `${stack}/${run}`;
}

/**
 * What a run has to tell others.
 *
 *     applied, superseded   NAME         where the run set a resource that the playbook names for it
 *     reverted              NAME.failed  where it had meant to: what it told, or would have told, does not hold
 *
 * When it is told is another question, see `dueRuns`.
 */
export function eventsOf(plan: Plan, state: RunState): readonly StackEvent[] {
  const failed = state.status === "reverted";
  const touched = addressesOf(plan, failed ? plan.changes : [...plan.changes, ...plan.steady].filter((step) => maySet(state, step)));
  const { stack, run, cause } = state;
  const correlation = correlationOf(stack, run, cause);
  return Object.entries(plan.events?.emits ?? {}).flatMap(([event, addresses]) => {
    const changed = addresses.filter((address) => touched.has(address));
    if (changed.length === 0) return [];
    const name = failed ? event + FAILED : event;
    const data = { changed, ...(cause && { because: cause.event }), ...(failed && { of: eventId(stack, run, event) }) };
    return [{ id: eventId(stack, run, name), name, stack, run, correlation, at: state.ended, data }];
  });
}

/** Of a run that was given up for another one nobody may know what its last actions came to: they count, as telling twice is better than never. */
function maySet({ steps }: RunState, { n }: Step): boolean {
  const step = steps.get(n);
  return step?.acted === true && (step.status === "done" || step.status === "intended" || step.status === "unknown");
}

function addressesOf({ settings, resources }: Plan, steps: readonly Step[]): ReadonlySet<Address> {
  const of = (index: number) => {
    const setting = settings[index];
    return setting === undefined ? undefined : resources[setting.by]?.address;
  };
  return new Set(steps.flatMap((step) => step.settings.flatMap((index) => of(index) ?? [])));
}

/** A run whose events are to be sent, and whether because it came through or because it was taken back. */
export interface DueRun {
  readonly run: RunId;
  readonly as: "done" | "failed";
}

/**
 * The runs whose events are to be sent, oldest first. A run that was superseded, or whose end could not be verified, is
 * told of once its stack was seen as declared: by a later run, or by a plan without changes (`inSync`). One that awaits
 * its confirmation is told of when it has that.
 */
export function dueRuns(lines: Iterable<RunLine>, sent: (due: DueRun) => boolean, inSync?: string): readonly DueRun[] {
  const due: DueRun[] = [];
  const settled = new Set(inSync === undefined ? [] : [inSync]);
  const newestFirst = [...lines].sort((a, b) => (a.run < b.run ? 1 : -1));
  for (const line of newestFirst) {
    const { run, stack, status } = line;
    const isVerified = status === "applied" && line.exit === 0;
    if (isVerified) settled.add(stack);
    if (line.emits !== true) continue;
    if (status === "reverted") due.push({ run, as: "failed" });
    else if (status === "applied" && line.confirm?.acted === true && line.confirm.confirmed === undefined) continue;
    else if ((status === "applied" || status === "superseded") && settled.has(stack)) due.push({ run, as: "done" });
  }
  return due.reverse().filter((one) => !sent(one));
}

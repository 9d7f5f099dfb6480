import { type Digest, type Plan, parseDuration, type RunEvent, type RunId, SystemFault } from "../core/index.ts";
import type { Tools, Vault } from "../engine/index.ts";
import { LockedDirectory, StateDirectory } from "../journal/index.ts";
import { goals, kinds } from "../registers/index.ts";
import { type RunView, terminalView } from "../report/index.ts";
import { gatherFacts } from "../system/index.ts";
import { type Context, EXIT, refuse, shown, UsageError } from "./context.ts";
import { sendEvents } from "./event-outbox.ts";
import type { LockOptions } from "./options.ts";
import type { Reading } from "./stack.ts";

/** Runs the body with the lock of the state directory held, and then sends the events of runs that ended; exit 8 where another process holds it. */
export async function locked(
  context: Context,
  options: LockOptions & { readonly var?: readonly string[] },
  body: (state: LockedDirectory) => Promise<number>,
): Promise<number> {
  const wait = options.lockTimeout === undefined ? { ok: true as const, value: 0 } : parseDuration(options.lockTimeout);
  if (!wait.ok) throw new UsageError(`--lock-timeout: ${wait.detail}`);
  const state = await LockedDirectory.lock(context.system, context.stateDirectory, {
    patience: wait.value,
    weak: options.allowWeakStateDir === true,
  });
  if (!state) {
    const holder = readHolder(context);
    return refuse(
      context,
      [
        {
          code: "locked",
          severity: "error",
          summary: "another setpoint is at work",
          detail: `the state directory ${context.stateDirectory} is locked${holder}; --lock-timeout 60s waits for it`,
        },
      ],
      EXIT.locked,
    );
  }
  try {
    const exit = await body(state);
    await sendEvents(context, state, options);
    return exit;
  } finally {
    state.unlock();
  }
}

function readHolder(context: Context): string {
  const holder = new StateDirectory(context.system, context.stateDirectory).holder();
  return holder === "" ? "" : ` by ${holder}`;
}

/** What a mutating command works with, besides a plan. */
export function toolsFor(context: Context, state: LockedDirectory, reading: Reading, vault: Vault, view: RunView): Tools {
  return {
    system: context.system,
    state,
    kinds,
    goals,
    reader: reading.reader,
    remotes: reading.remotes,
    contents: reading.contents,
    vault,
    ledger: reading.ledger,
    setpoint: context.version,
    facts: () => gatherFacts(context.system),
    stopped: context.stopped,
    emit: (event: RunEvent) => view.show(redacted(event, vault)),
  };
}

function redacted(event: RunEvent, vault: Vault): RunEvent {
  return vault.hasSecrets ? (JSON.parse(vault.redact(JSON.stringify(event))) as RunEvent) : event;
}

/** The view of a run in progress, on stderr; nothing where the result is JSON. */
export function viewFor(context: Context, plan?: Plan): RunView {
  if (context.json) return { show: () => undefined, tick: () => undefined, close: () => undefined };
  const actions = new Map(plan?.changes.map((change) => [`${change.register.kind}:${change.register.key}`, change.action]));
  const out = { write: (text: string) => context.err.write(shown(context, text)), isTTY: context.err.isTTY, columns: context.err.columns };
  return terminalView(out, context.errStyle, context.system.clock, { summary: false, actionOf: (register) => actions.get(register) });
}

/** The run that a command means: the one named, or the newest that fits. */
export function chooseRun(
  context: Context,
  reading: Reading,
  named: string | undefined,
  stack: string | undefined,
  fits: (status: string) => boolean,
): RunId {
  const lines = [...reading.ledger.runs.values()].sort((a, b) => (a.run < b.run ? 1 : -1));
  if (named !== undefined) {
    const found = lines.filter(({ run }) => run === named || run.startsWith(named));
    if (found.length === 1 && found[0]) return found[0].run;
    throw new UsageError(
      found.length === 0
        ? `there is no run ${named}; \`setpoint history\` lists them`
        : `${named} is the beginning of ${found.length} runs; give more of it`,
    );
  }
  const candidates = lines.filter((line) => (stack === undefined || line.stack === stack) && fits(line.status));
  const stacks = new Set(candidates.map((line) => line.stack));
  if (stacks.size > 1 && !context.stdinIsTTY)
    throw new UsageError(`several stacks share this state directory (${[...stacks].join(", ")}): name a run or --stack`);
  const [newest] = candidates;
  if (!newest)
    throw new SystemFault(
      "no-run",
      stack === undefined
        ? "there is no such run; `setpoint history` lists all"
        : `the stack ${stack} has no such run; \`setpoint history\` lists all`,
    );
  return newest.run;
}

/** Lets a saved plan's contents be had from the plan itself. */
export function contentsOfPlan(plan: Plan, reading: Reading, state: StateDirectory): void {
  for (const bytes of Object.values(plan.contents ?? {})) reading.contents.put(Buffer.from(bytes, "base64"));
  for (const [digest, path] of Object.entries(plan.origins ?? {}))
    reading.contents.note(digest as Digest, path, reading.reader.source(path)?.size ?? 0);
  reading.contents.addSource((digest) => {
    const sealed = plan.sealed?.[digest];
    if (sealed === undefined) return undefined;
    const bytes = state.keys().open(Buffer.from(sealed, "base64"));
    return state.keys().fingerprint(bytes) === digest ? bytes : undefined;
  });
}

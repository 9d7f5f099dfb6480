import { type EventLog, type StackEvent, SystemFault } from "../core/index.ts";
import { type DueRun, dueRuns, eventsOf } from "../engine/index.ts";
import { EventNotes, type Ledger, type LockedDirectory, readJournal, runState, type StateDirectory, sentKey } from "../journal/index.ts";
import { openEventLog } from "../system/index.ts";
import { type Context, shown } from "./context.ts";
import { secretsOf } from "./secrets.ts";
import { startReading, vaultFor } from "./stack.ts";

/**
 * Sends the events of ended runs that are in no log yet, oldest run first. A run whose events cannot be sent now is told
 * on stderr and keeps its place: the next command sends them. `inSync`: a stack that was just seen as declared.
 */
export async function sendEvents(
  context: Context,
  state: LockedDirectory,
  options: { readonly var?: readonly string[]; readonly inSync?: string } = {},
): Promise<void> {
  const notes = eventNotes(context, state);
  if (!notes.exist()) return;
  const ledger = state.ledger();
  const sent = notes.sent();
  const stuck = new Set<string>();
  for (const due of dueRuns(ledger.runs.values(), (one) => sent.has(sentKey(one)), options.inSync)) {
    const stack = ledger.runs.get(due.run)?.stack ?? "";
    // What a stack tells is told in its order.
    if (stuck.has(stack)) continue;
    try {
      await sendOf(context, state, ledger, due, options);
      notes.noteSent(due);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      stuck.add(stack);
      context.err.write(shown(context, `the events of run ${due.run} wait to be sent, the next command tries again: ${thrown.message}\n`));
    }
  }
}

export function eventNotes(context: Context, state: StateDirectory): EventNotes {
  return new EventNotes(context.system.files, state.path);
}

async function sendOf(
  context: Context,
  state: LockedDirectory,
  ledger: Ledger,
  due: DueRun,
  options: { readonly var?: readonly string[] },
): Promise<void> {
  const { system } = context;
  const folder = state.runFolder(due.run);
  const parsed = readJournal(system.files, folder.path, due.run);
  const run = parsed && runState(parsed.records);
  // gc took it: its events are as old as that.
  if (run === undefined) return;
  const sealed = folder.plan();
  const events = eventsOf(sealed, run);
  if (events.length === 0) return;
  const reading = { ...startReading(context, state, { commands: false }), ledger };
  const { log } = vaultFor({ ...context }, reading, await secretsOf(context, sealed, options)).unseal(sealed).events ?? { log: "" };
  await withLog(context, log, (open) => open.append(events satisfies readonly StackEvent[]));
}

/** Opens an event log for a while. Throws SystemFault. */
export async function withLog<T>(context: Context, url: string, body: (log: EventLog) => Promise<T>): Promise<T> {
  const log = openEventLog(context.system, url);
  try {
    return await body(log);
  } finally {
    await log.close();
  }
}

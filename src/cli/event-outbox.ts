import { SystemFault } from "../core/index.ts";
import { type DueRun, dueRuns, eventsOf } from "../engine/index.ts";
import { EventNotes, type Ledger, type LockedDirectory, readJournal, runState, type StateDirectory, sentKey } from "../journal/index.ts";
import { EventLogs } from "../system/index.ts";
import { type Context, shown } from "./context.ts";
import { secretsOf } from "./secrets.ts";
import { startReading, vaultFor } from "./stack.ts";

interface SendOptions {
  readonly var?: readonly string[];
  /** A stack that was just seen as declared. */
  readonly inSync?: string;
}

/**
 * Sends the events of ended runs that are in no log yet, oldest run first. A run whose events cannot be sent now is told
 * on stderr and keeps its place: the next command sends them.
 */
export async function sendEvents(context: Context, state: LockedDirectory, options: SendOptions = {}): Promise<void> {
  const logs = new EventLogs(context.system);
  try {
    for (const waiting of await sendOver(logs, context, state, options))
      context.err.write(shown(context, `${waiting}, the next command tries again\n`));
  } finally {
    await logs.close();
  }
}

/** As sendEvents, over logs that are open; gives what waits to be sent and why. */
export async function sendOver(
  logs: EventLogs,
  context: Context,
  state: LockedDirectory,
  options: SendOptions,
): Promise<readonly string[]> {
  const notes = eventNotes(context, state);
  if (!notes.exist()) return [];
  const ledger = state.ledger();
  const sent = notes.sent();
  /** What waits, by stack. */
  const stuck = new Map<string, string>();
  for (const due of dueRuns(ledger.runs.values(), (one) => sent.has(sentKey(one)), options.inSync)) {
    const stack = ledger.runs.get(due.run)?.stack ?? "";
    // What a stack tells is told in its order.
    if (stuck.has(stack)) continue;
    try {
      await sendOf(logs, context, state, ledger, due, options);
      notes.noteSent(due);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      stuck.set(stack, `the events of run ${due.run} wait to be sent (${thrown.message})`);
    }
  }
  return [...stuck.values()];
}

export function eventNotes(context: Context, state: StateDirectory): EventNotes {
  return new EventNotes(context.system.files, state.path);
}

async function sendOf(
  logs: EventLogs,
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
  await logs.use(log, (open) => open.append(events));
}

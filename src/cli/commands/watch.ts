import { formatDuration } from "../../core/index.ts";
import { jsonText } from "../../report/index.ts";
import { type Context, EXIT, print, refuse, shown, UsageError } from "../context.ts";
import { type Handled, Listener, nextPause, type Pauses, type WatchOptions } from "../listener.ts";
import { lockOptions, playbookOptions } from "../options.ts";
import type { CommandModule } from "./command.ts";

/** Between two tries of what failed. */
const FAILED: Pauses = { first: 1000, longest: 60_000 };
/** Likewise of a log that is away. */
const AWAY: Pauses = { first: 500, longest: 10_000 };

/** The daemon: applies a playbook when the events come that it is `on`. */
export const watch: CommandModule = {
  define(command) {
    lockOptions(playbookOptions(command))
      .description("apply a playbook when the events arrive that it is `on`, and take that back when they are taken back")
      .argument("[playbook]", "a playbook with `events` and `on`")
      .option("--once", "handle what is in the log by now, and end")
      .option("--allow-irreversible", "make changes that a revert cannot take back")
      .option("--skip-lost", "go on behind events that the log dropped before they were read")
      .addHelpText(
        "after",
        `
Each event is handled by one run, however often it comes and wherever this process is killed: the run's first record names it. What
fails is tried again, and later events wait; a log that is away is waited for. An event \`NAME.failed\` reverts the run that NAME
made due. SIGTERM ends the watch after the action in flight. With --json each handled event is one line of JSON.

Exit codes: 0 ended by a signal, or with --once all is handled; 1 the log dropped events before they were read, or it cannot be
reached (a log that was away only with --once); with --once that of the run that failed.

Examples:
  setpoint watch site.yaml
  setpoint watch site.yaml --once --json`,
      );
  },

  async run(context: Context, args: readonly (string | undefined)[], options: WatchOptions): Promise<number> {
    const [file] = args;
    if (file === undefined) throw new UsageError("watch needs a playbook: setpoint watch site.yaml");
    if ((options.only?.length ?? 0) > 0) throw new UsageError("watch takes no --only: the playbook's `on` says what an event makes due");
    const listener = new Listener(context, file, options);
    try {
      return await listen(context, listener, options.once === true);
    } finally {
      await listener.close();
    }
  },
};

async function listen(context: Context, listener: Listener, once: boolean): Promise<number> {
  let failed: number | undefined;
  let away: number | undefined;
  while (context.stopped() === undefined) {
    const handled = await listener.next();
    if (handled.is === "invalid") return refuse(context, handled.problems, EXIT.invalid);
    if (handled.is === "away") {
      if (once) throw handled.fault;
      if (away === undefined) say(context, `${handled.fault.message}: the event log is waited for`);
      away = nextPause(away, AWAY);
      await pause(context, away);
      continue;
    }
    if (away !== undefined) say(context, "the event log is back");
    away = undefined;
    if (handled.is === "nothing") {
      if (once) return 0;
      await listener.rest();
      continue;
    }
    tell(context, handled);
    if (handled.outcome !== "failed") failed = undefined;
    else if (once) return handled.exit;
    else if (context.stopped() === undefined) {
      failed = nextPause(failed, FAILED);
      say(context, `it is tried again in ${formatDuration(failed)}`);
      await pause(context, failed);
    }
  }
  return 0;
}

function say(context: Context, text: string): void {
  context.err.write(shown(context, `${text}\n`));
}

function tell(context: Context, { event, outcome, runs, exit }: Extract<Handled, { is: "handled" }>): void {
  const { id, name, stack, correlation } = event;
  if (context.json)
    context.out.write(`${context.redact(jsonText({ format: 1, event: { id, name, stack, correlation }, outcome, runs, exit }))}\n`);
  else print(context, `event ${name} of ${stack}: ${outcome}${runs.length === 0 ? "" : `, run ${runs.join(", ")}`}\n`);
}

/** Sleeps, and wakes for a signal. */
async function pause(context: Context, ms: number): Promise<void> {
  const { clock } = context.system;
  const until = clock.mono() + ms;
  while (clock.mono() < until && context.stopped() === undefined) await clock.sleep(Math.min(100, ms));
}

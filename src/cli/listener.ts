import {
  type Arrived,
  type EventLog,
  eventPlace,
  FAILED,
  type Heard,
  type Problem,
  type RunId,
  type StackEvent,
  SystemFault,
} from "../core/index.ts";
import { correlationOf } from "../engine/index.ts";
import { EventNotes, type HeardNote, isOpen, LockedDirectory, type LogReader, type RunLine } from "../journal/index.ts";
import type { Choreography, Reaction } from "../playbook/index.ts";
import { EventLogs } from "../system/index.ts";
import { applyPlaybook } from "./commands/apply.ts";
import { type Context, EXIT, faultProblem, refuse, shown } from "./context.ts";
import { eventNotes, sendOver } from "./event-outbox.ts";
import type { LockOptions, PlaybookOptions } from "./options.ts";
import { readPlaybook, readText } from "./stack.ts";
import { undo } from "./undo.ts";

export interface WatchOptions extends PlaybookOptions, LockOptions {
  readonly once?: boolean;
  readonly allowIrreversible?: boolean;
  readonly skipLost?: boolean;
}

/** What came of one look at the log. */
export type Handled =
  | { readonly is: "nothing" }
  | { readonly is: "invalid"; readonly problems: readonly Problem[] }
  /** The log cannot be reached now. */
  | { readonly is: "away"; readonly fault: SystemFault }
  | {
      readonly is: "handled";
      readonly event: StackEvent;
      /** `failed`: it stays the next one. */
      readonly outcome: HeardNote["outcome"] | "failed";
      readonly runs: readonly RunId[];
      readonly exit: number;
    };

/** What an event asks of this stack. */
type Duty = Reaction | { readonly do: "take back"; readonly name: string };

/** How long one try waits for the lock, in ms; between two it is looked whether a signal came. */
const PATIENCE = 1000;
/** Pauses between two tries of the same, in ms: the first and the longest; each is twice the one before. */
export interface Pauses {
  readonly first: number;
  readonly longest: number;
}

export function nextPause(last: number | undefined, { first, longest }: Pauses): number {
  return last === undefined ? first : Math.min(last * 2, longest);
}

/** Between two tries to send what waits for a log that is away. */
const UNSENT: Pauses = { first: 1000, longest: 60_000 };
/** After so many ms of waiting it is looked whether a signal came. */
const SLICE = 100;

/**
 * Handles the events of a log for one playbook, one after another, exactly once each. That an event is in hand stands in the
 * `begin` of its run, and that it is done with in `events/heard`. Killed between the two, the run tells what became of it:
 *
 *     no run, or a superseded one   the event is handled as if it had just come
 *     open                          it is ended as any run that a kill cut off, and the playbook applied anew
 *     applied, reverted             only the note was missing
 */
export class Listener {
  private readonly context: Context;
  private readonly file: string;
  private readonly options: WatchOptions;
  private readonly logs: EventLogs;
  /** The log's URL. */
  private url = "";
  /** Where the log is known to hold nothing for this stack; not behind what is noted, and lost without harm. */
  private place: string | undefined;
  /** Whose place that is. */
  private reader: LogReader & { readonly key: string } = { stack: "", log: "", on: [], key: "" };
  private readonly reached = new Set<string>();
  private saidLost = "";
  /** What could not be sent, and from when on it is tried again. */
  private outbox: { readonly waits: string; readonly pause?: number; readonly from: number } = { waits: "", from: 0 };

  constructor(context: Context, file: string, options: WatchOptions) {
    this.context = context;
    this.file = file;
    this.options = options;
    this.logs = new EventLogs(context.system);
  }

  /** Handles the next event, if there is one. Throws SystemFault where the log or the state directory cannot be used. */
  async next(): Promise<Handled> {
    // Each time anew, as the playbook may have changed. What it hides is hidden in this look's output only.
    const context: Context = { ...this.context };
    const loaded = await readPlaybook(context, this.file, readText(context, this.file), this.options);
    if (!loaded.ok) return { is: "invalid", problems: loaded.problems };
    const { stack, events } = loaded.value;
    const { log } = events;
    if (log === undefined || Object.keys(events.on).length === 0) return { is: "invalid", problems: [nothingToHear(this.file)] };
    const place = eventPlace(log);
    this.comeTo(log, { stack, log: place.ok ? place.value.name : log, on: Object.keys(events.on) });
    // Before the lock, which others need too: a server may be slow to answer, or never do.
    const heard = await this.reach((open) => open.read(this.place));
    if (heard instanceof SystemFault) return { is: "away", fault: heard };
    const state = await this.lock();
    if (state === undefined) return { is: "nothing" };
    try {
      return await this.handleNext(context, state, stack, events, heard);
    } finally {
      state.unlock();
    }
  }

  /** Waits until it is time to look again, there may be news, or a signal came. */
  async rest(): Promise<void> {
    const { system, stopped } = this.context;
    const { clock } = system;
    // What is wrong with the log is found again, and told, by the next look.
    await this.reach(async (open) => {
      const until = clock.mono() + open.interval;
      for (let left = open.interval; left > 0 && stopped() === undefined; left = until - clock.mono())
        if (await open.wait(Math.min(SLICE, left))) return;
    });
  }

  async close(): Promise<void> {
    await this.logs.close();
  }

  private comeTo(url: string, reader: LogReader): void {
    const key = JSON.stringify(reader);
    if (url !== this.url || key !== this.reader.key) {
      this.url = url;
      this.reader = { ...reader, key };
      this.place = new EventNotes(this.context.system.files, this.context.stateDirectory).placeOf(reader);
    }
  }

  /** Uses the log; gives the fault where it is away. What was reached once may be reached again, whatever it says meanwhile. */
  private async reach<T>(body: (log: EventLog) => Promise<T>): Promise<T | SystemFault> {
    const { url } = this;
    try {
      const result = await this.logs.use(url, body);
      this.reached.add(url);
      return result;
    } catch (thrown) {
      if (thrown instanceof SystemFault && (thrown.peer?.retry === true || (thrown.peer && this.reached.has(url)))) return thrown;
      throw thrown;
    }
  }

  private async handleNext(context: Context, state: LockedDirectory, stack: string, events: Choreography, seen: Heard): Promise<Handled> {
    await this.send(context, state);
    const notes = eventNotes(context, state);
    const done = new Set(notes.heard(stack).map(({ event }) => event));
    const isDue = ({ event }: Arrived) => !done.has(event.id) && dutyOf(events, event) !== undefined;
    // Seen anew, as the lock may have been waited for: what came meanwhile may take an event back.
    const heard = seen.arrived.some(isDue) ? await this.reach((open) => open.read(this.place)) : seen;
    if (heard instanceof SystemFault) return { is: "away", fault: heard };
    this.checkLost(context, heard);
    const { arrived, end } = heard;
    const at = arrived.findIndex(isDue);
    const found = arrived[at];
    if (found === undefined) {
      if (end !== undefined && end !== this.place) notes.notePassed(this.reader, end);
      this.place = end;
      return { is: "nothing" };
    }
    this.place = arrived[at - 1]?.next ?? this.place;
    const { event, next } = found;
    const duty = isTakenBack(event, arrived.slice(at + 1)) ? takeBack(event) : (dutyOf(events, event) as Duty);
    const result = await this.handle(context, state, stack, event, duty);
    if (result.outcome !== "failed") {
      const { outcome, runs } = result;
      notes.noteHeard({ stack, event: event.id, name: event.name, log: this.reader.log, next, runs, outcome });
      this.place = next;
      await this.send(context, state);
    }
    return { is: "handled", event, ...result };
  }

  /** What the log dropped unread may have asked for anything: nobody goes on behind it without having been told to. */
  private checkLost(context: Context, { lost }: Heard): void {
    if (lost === undefined || lost === this.saidLost) return;
    if (this.options.skipLost !== true)
      throw new SystemFault(
        "events-lost",
        `${lost}. Apply the playbook, so that nothing that they asked for is missing, and go on behind them with \`setpoint watch --skip-lost\``,
      );
    context.err.write(shown(context, `${lost}; --skip-lost goes on behind them\n`));
    this.saidLost = lost;
  }

  private async send(context: Context, state: LockedDirectory): Promise<void> {
    const { clock } = context.system;
    const { waits, pause, from } = this.outbox;
    if (clock.mono() < from) return;
    const now = (await sendOver(this.logs, context, state, this.options)).join("; ");
    if (now !== "" && now !== waits) context.err.write(shown(context, `${now}; it is tried until they are sent\n`));
    const next = nextPause(pause, UNSENT);
    this.outbox = now === "" ? { waits: "", from: 0 } : { waits: now, pause: next, from: clock.mono() + next };
  }

  private async lock(): Promise<LockedDirectory | undefined> {
    const { system, stateDirectory, stopped } = this.context;
    while (stopped() === undefined) {
      const state = await LockedDirectory.lock(system, stateDirectory, {
        patience: PATIENCE,
        weak: this.options.allowWeakStateDir === true,
      });
      if (state !== undefined) return state;
    }
    return undefined;
  }

  private async handle(
    context: Context,
    state: LockedDirectory,
    stack: string,
    event: StackEvent,
    duty: Duty,
  ): Promise<Pick<Extract<Handled, { is: "handled" }>, "outcome" | "runs" | "exit">> {
    try {
      return duty.do === "apply"
        ? await this.apply(context, state, stack, event, duty.only)
        : await this.revert(context, state, runsToUndo([...state.ledger().runs.values()], stack, event, duty));
    } catch (thrown) {
      // A fault is of the world, which may be another soon; a bug is for `main`.
      if (!(thrown instanceof SystemFault)) throw thrown;
      refuse({ ...context, json: false }, [faultProblem(thrown)], EXIT.left);
      return { outcome: "failed", runs: [], exit: EXIT.left };
    }
  }

  private async apply(context: Context, state: LockedDirectory, stack: string, event: StackEvent, only: readonly string[] | "all") {
    const ofEvent = () => [...state.ledger().runs.values()].filter((line) => line.stack === stack && line.cause?.event === event.id);
    const ended = () => ofEvent().filter(({ status }) => status === "applied" || status === "reverted" || status === "abandoned");
    let exit = 0;
    if (ended().length === 0) {
      const cause = { event: event.id, name: event.name, correlation: event.correlation };
      const options = { ...this.options, yes: true, cause, ...(only !== "all" && { only }) };
      exit = await applyPlaybook(this.quiet(context), state, this.file, options);
    }
    const [last] = ended().slice(-1);
    if (last !== undefined)
      return { outcome: last.status === "applied" ? ("applied" as const) : ("reverted" as const), runs: [last.run], exit };
    return exit === 0
      ? { outcome: "in-sync" as const, runs: [], exit }
      : { outcome: "failed" as const, runs: ofEvent().map(({ run }) => run), exit };
  }

  private async revert(context: Context, state: LockedDirectory, lines: readonly RunLine[]) {
    let exit = 0;
    for (const { run, status } of lines) {
      if (status === "reverted" || status === "abandoned") continue;
      const report = await undo(this.quiet(context), state, run, { ...this.options, force: new Set() });
      if (report.status !== "reverted") return { outcome: "failed" as const, runs: [run], exit: report.exit };
      exit = Math.max(exit, report.exit);
    }
    return { outcome: lines.length === 0 ? ("nothing" as const) : ("reverted" as const), runs: lines.map(({ run }) => run), exit };
  }

  /** In JSON each event is a line, and nothing else is on stdout. */
  private quiet(context: Context): Context {
    return context.json ? { ...context, json: false, out: { ...context.out, write: () => undefined } } : context;
  }
}

function nothingToHear(file: string): Problem {
  return {
    code: "nothing-to-hear",
    severity: "error",
    summary: "nothing to wait for",
    detail: `${file} is \`on\` no event: give it \`events: URL\` and \`on: { NAME: [addresses] }\``,
  };
}

/** What a playbook has to do for an event. What a stack says itself is for the others, but where it says that it is `on` it. */
function dutyOf({ on }: Choreography, event: StackEvent): Duty | undefined {
  const { name } = event;
  const own = Object.hasOwn(on, name) ? on[name] : undefined;
  if (own !== undefined) return own;
  const base = name.endsWith(FAILED) ? name.slice(0, -FAILED.length) : "";
  return Object.hasOwn(on, base) && on[base]?.do === "apply" ? { do: "take back", name: base } : undefined;
}

/** Whether a later event takes this one back: then it need not be applied first, and one whose apply fails is not in the way. */
function isTakenBack({ name, correlation }: StackEvent, later: readonly Arrived[]): boolean {
  return later.some(({ event }) => event.name === name + FAILED && event.correlation === correlation);
}

function takeBack({ name }: StackEvent): Duty {
  return { do: "take back", name };
}

/** The runs that an event undoes, newest first: those that the event it takes back made due, or all of the same chain of events. */
function runsToUndo(lines: readonly RunLine[], stack: string, { correlation }: StackEvent, duty: Duty): readonly RunLine[] {
  return lines
    .filter((line) => {
      if (
        line.stack !== stack ||
        !(line.status === "applied" || line.status === "superseded" || line.status === "reverted" || isOpen(line.status))
      )
        return false;
      if (duty.do === "take back") return line.cause?.name === duty.name && line.cause.correlation === correlation;
      return correlationOf(stack, line.run, line.cause) === correlation;
    })
    .sort((a, b) => (a.run < b.run ? 1 : -1));
}

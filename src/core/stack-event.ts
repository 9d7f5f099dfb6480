import type { JsonObject } from "./json.ts";

/** What a stack tells others through an event log: that resources converged, or that a run which said so was taken back. */
export type StackEvent = {
  /** Worked out from stack, run and name, so that the same event sent again is known again. */
  readonly id: string;
  readonly name: string;
  readonly stack: string;
  readonly run: string;
  /** What all events and runs that follow from one first run have in common. */
  readonly correlation: string;
  /** Wall ms when the run ended: information only. */
  readonly at: number;
  readonly data: JsonObject;
};

/** The event that made a run due. */
export type Cause = {
  readonly event: string;
  readonly name: string;
  readonly correlation: string;
};

/** An event and where the log goes on behind it. */
export type Arrived = { readonly event: StackEvent; readonly next: string };

/** What a log holds behind a place. */
export type Heard = {
  /** In their order; an event may come more than once. */
  readonly arrived: readonly Arrived[];
  /** Where the log ends now; undefined where nothing was ever put into it. */
  readonly end: string | undefined;
  /** In words: what stood behind the place and is not there any more. Never to be passed over in silence. */
  readonly lost?: string;
};

/** Where stacks leave events for each other. Everything throws SystemFault; where the log is only away for now, its `peer.retry` is true. */
export interface EventLog {
  /** ms after which to look again at what nobody told of. */
  readonly interval: number;
  /** Appends what is not there yet, in this order; kept when it returns. */
  append(events: readonly StackEvent[]): Promise<void>;
  /** All events behind a place (undefined: from the start). */
  read(from: string | undefined): Promise<Heard>;
  /** Waits at most so many ms; true, and at once, where there may be news since the last read began. */
  wait(ms: number): Promise<boolean>;
  close(): Promise<void>;
}

/** What the name of a failure event adds to that of the event which it takes back. */
export const FAILED = ".failed";

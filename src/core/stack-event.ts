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

/** Where stacks leave events for each other. Everything throws SystemFault. */
export interface EventLog {
  /** Appends what is not there yet; durable when it returns. */
  append(events: readonly StackEvent[]): Promise<void>;
  /** All events behind a place (undefined: from the start), in their order; an event may come more than once. */
  read(from: string | undefined): Promise<{ readonly arrived: readonly Arrived[]; readonly end: string }>;
  close(): Promise<void>;
}

/** What the name of a failure event adds to that of the event which it takes back. */
export const FAILED = ".failed";

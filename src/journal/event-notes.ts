import type { Files, JsonObject, RunId } from "../core/index.ts";
import { appendJsonLines, fault, readJsonLines, readWhole } from "../system/index.ts";
import { makeDirectories, syncDirectory, writeDurably } from "./durable.ts";

/** That the events of a run which ended so are in the log. */
export type SentNote = { readonly run: RunId; readonly as: "done" | "failed" };

/** That a stack has done with an event. */
export type HeardNote = {
  readonly stack: string;
  readonly event: string;
  readonly name: string;
  /** The log, without credentials, and where it goes on behind the event. */
  readonly log: string;
  readonly next: string;
  /** The runs that handled it; none where everything was as declared. */
  readonly runs: readonly RunId[];
  readonly outcome: "applied" | "in-sync" | "reverted" | "nothing";
};

/** Who reads a log: a stack that waits for certain events. */
export interface LogReader {
  readonly stack: string;
  /** Without credentials. */
  readonly log: string;
  /** The names of the events. */
  readonly on: readonly string[];
}

/** Up to where there is nothing for a reader, as long as the event that it handled last is `after`. */
type PassedNote = { readonly next: string; readonly after: string };

/**
 * What a state directory remembers of events: `sent` and `heard`, of JSON lines that are appended under the directory's lock and
 * durable before anything goes on, and `passed`. Losing a line costs that an event is sent or looked at once more, and both are
 * known by its id.
 */
export class EventNotes {
  private readonly files: Files;
  private readonly folder: string;

  constructor(files: Files, stateDirectory: string) {
    this.files = files;
    this.folder = `${stateDirectory}/events`;
  }

  /** Whether this state directory ever had to do with events. */
  exist(): boolean {
    return this.files.lstat(this.folder) !== undefined;
  }

  prepare(): void {
    makeDirectories(this.files, this.folder, 0o700);
  }

  /** `run as` of all that is in a log. */
  sent(): ReadonlySet<string> {
    return new Set(this.lines("sent").map((note) => sentKey(note as SentNote)));
  }

  noteSent(note: SentNote): void {
    this.append("sent", note);
  }

  heard(stack: string): readonly HeardNote[] {
    return (this.lines("heard") as readonly HeardNote[]).filter((note) => note.stack === stack);
  }

  noteHeard(note: HeardNote): void {
    this.append("heard", note);
  }

  /** Behind which place a reader goes on; undefined: from the start of the log. */
  placeOf(reader: LogReader): string | undefined {
    const last = this.lastHeard(reader);
    const passed = this.passed()[keyOf(reader)];
    return passed?.after === (last?.event ?? "") ? passed.next : last?.next;
  }

  /**
   * Notes that up to a place all is done with, or is not for this reader. A log may drop what it passed over: without the
   * note it would seem lost to a watch that starts again.
   */
  notePassed(reader: LogReader, next: string): void {
    this.prepare();
    const passed = { ...this.passed(), [keyOf(reader)]: { next, after: this.lastHeard(reader)?.event ?? "" } };
    writeDurably(this.files, `${this.folder}/passed`, `${JSON.stringify(passed)}\n`);
  }

  private lastHeard({ stack, log }: LogReader): HeardNote | undefined {
    return this.heard(stack).findLast((note) => note.log === log);
  }

  private passed(): { readonly [key: string]: PassedNote } {
    const bytes = readWhole(this.files, `${this.folder}/passed`);
    if (bytes === undefined) return {};
    try {
      return JSON.parse(bytes.toString("utf8")) as { readonly [key: string]: PassedNote };
    } catch {
      return {}; // damaged: what it passed over is looked at once more
    }
  }

  private lines(name: string): readonly JsonObject[] {
    return readJsonLines(this.files, `${this.folder}/${name}`).lines.map(({ value }) => value);
  }

  private append(name: string, note: JsonObject): void {
    const path = `${this.folder}/${name}`;
    this.prepare();
    const isNew = this.files.lstat(path) === undefined;
    try {
      const fd = this.files.openAppend(path, true);
      try {
        appendJsonLines(this.files, fd, [note]);
      } finally {
        this.files.close(fd);
      }
    } catch (thrown) {
      throw fault(thrown, `writing ${path}`);
    }
    if (isNew) syncDirectory(this.files, this.folder);
  }
}

function keyOf({ stack, log, on }: LogReader): string {
  return [stack, log, ...[...on].sort()].join(" ");
}

export function sentKey({ run, as }: SentNote): string {
  return `${run} ${as}`;
}

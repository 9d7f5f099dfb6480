import type { Files, JsonObject, RunId } from "../core/index.ts";
import { appendJsonLines, fault, readJsonLines } from "../system/index.ts";
import { makeDirectories, syncDirectory } from "./durable.ts";

/** That the events of a run which ended so are in the log. */
export type SentNote = { readonly run: RunId; readonly as: "done" | "failed" };

/** That a stack has done with an event. */
export type HeardNote = {
  readonly stack: string;
  readonly event: string;
  readonly name: string;
  /** Where its log goes on behind it. */
  readonly log: string;
  readonly next: string;
  /** The runs that handled it; none where everything was as declared. */
  readonly runs: readonly RunId[];
  readonly outcome: "applied" | "in-sync" | "reverted" | "nothing";
};

/**
 * What a state directory remembers of events: two files of JSON lines, appended to under the directory's lock and durable
 * before anything goes on. Losing a line costs that an event is sent or looked at once more, and both are known by its id.
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

export function sentKey({ run, as }: SentNote): string {
  return `${run} ${as}`;
}

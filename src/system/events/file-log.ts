import { type EventLog, type Heard, type JsonObject, type StackEvent, type System, SystemFault } from "../../core/index.ts";
import { appendJsonLines, readJsonLines } from "../json-lines.ts";
import { fault } from "../read-file.ts";

/** How long to wait for another writer, in ms. */
const PATIENCE = 30_000;

/** A file that is only ever appended to, one event a line. Writers hold its flock, so that no event stands in it twice. */
export class FileLog implements EventLog {
  readonly interval = 500;
  private readonly system: System;
  private readonly path: string;

  constructor(system: System, path: string) {
    this.system = system;
    this.path = path;
  }

  async append(events: readonly StackEvent[]): Promise<void> {
    const { files } = this.system;
    const isNew = !files.lstat(this.path);
    try {
      const fd = files.openAppend(this.path, true);
      try {
        if (isNew) this.syncFolder();
        await this.lock(fd);
        // What a killed process appended and did not note is there already.
        const known = new Set(readJsonLines(files, this.path).lines.map(({ value }) => value.id));
        const missing = events.filter(({ id }) => !known.has(id));
        // Also where nothing is missing: who was killed between the write and the sync left it in memory.
        appendJsonLines(files, fd, missing);
      } finally {
        files.close(fd);
      }
    } catch (thrown) {
      throw fault(thrown, `appending to the event file ${this.path}`);
    }
  }

  async read(from: string | undefined): Promise<Heard> {
    const { lines, end } = readJsonLines(this.system.files, this.path, from === undefined ? 0 : Number(from));
    const arrived = lines.flatMap(({ value, next }) => {
      const event = stackEventIn(value);
      return event === undefined ? [] : [{ event, next: String(next) }];
    });
    return { arrived, end: String(end) };
  }

  /** Nobody tells of what another process appends. */
  async wait(ms: number): Promise<boolean> {
    await this.system.clock.sleep(ms);
    return false;
  }

  async close(): Promise<void> {}

  private syncFolder(): void {
    const { files } = this.system;
    const fd = files.openDirectory(this.path.slice(0, this.path.lastIndexOf("/")) || "/");
    try {
      files.sync(fd);
    } finally {
      files.close(fd);
    }
  }

  private async lock(fd: number): Promise<void> {
    const { clock, processes } = this.system;
    const until = clock.mono() + PATIENCE;
    while (processes.lock(fd) === "held") {
      if (clock.mono() >= until) throw new SystemFault("event-log-locked", `the event file ${this.path} is held by another process`);
      await clock.sleep(50);
    }
  }
}

/** An event in plain JSON; undefined where that is none. */
export function stackEventIn(value: JsonObject): StackEvent | undefined {
  const { id, name, stack, run, correlation, at, data } = value;
  const texts = [id, name, stack, run, correlation];
  if (!texts.every((text) => typeof text === "string" && text !== "") || typeof at !== "number") return undefined;
  return { id, name, stack, run, correlation, at, data: typeof data === "object" && data !== null ? data : {} } as StackEvent;
}

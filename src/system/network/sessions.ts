import { type PlaceData, SystemFault } from "../../core/index.ts";

/** A session that nobody used for so many ms is closed, so that no process stays for its sake. */
const IDLE = 2000;

interface Entry<S> {
  readonly session: Promise<S>;
  users: number;
  idle?: NodeJS.Timeout;
}

/** Connections that are kept for the next one who asks for the same place. */
export class Sessions<S extends { close(): Promise<void> }> {
  private readonly open: (place: PlaceData) => Promise<S>;
  private readonly entries = new Map<string, Entry<S>>();

  constructor(open: (place: PlaceData) => Promise<S>) {
    this.open = open;
  }

  /** Uses the session of a place; after a fault of the connection the next one opens another. Throws SystemFault. */
  async use<T>(place: PlaceData, body: (session: S) => Promise<T>): Promise<T> {
    const name = JSON.stringify(place);
    const entry = this.entries.get(name) ?? this.made(name, place);
    clearTimeout(entry.idle);
    entry.users += 1;
    try {
      return await body(await entry.session);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault) || thrown.peer?.counts !== false) this.drop(name, entry);
      throw thrown;
    } finally {
      entry.users -= 1;
      if (entry.users === 0) entry.idle = setTimeout(() => this.drop(name, entry), IDLE).unref();
    }
  }

  private made(name: string, place: PlaceData): Entry<S> {
    const entry: Entry<S> = { session: this.open(place), users: 0 };
    this.entries.set(name, entry);
    return entry;
  }

  private drop(name: string, entry: Entry<S>): void {
    clearTimeout(entry.idle);
    if (this.entries.get(name) === entry) this.entries.delete(name);
    // One that could not be opened, or is broken already, need not be closed.
    entry.session.then((session) => session.close()).catch(() => undefined);
  }
}

import { type EventLog, type System, SystemFault } from "../../core/index.ts";
import { openEventLog } from "./open-log.ts";

/** Event logs that stay open for the next one who uses them. After a fault a log is opened anew. */
export class EventLogs {
  private readonly system: System;
  private readonly open = new Map<string, EventLog>();

  constructor(system: System) {
    this.system = system;
  }

  /** Uses the log at a URL. Throws SystemFault. */
  async use<T>(url: string, body: (log: EventLog) => Promise<T>): Promise<T> {
    const log = this.open.get(url) ?? (await openEventLog(this.system, url));
    this.open.set(url, log);
    try {
      return await body(log);
    } catch (thrown) {
      if (thrown instanceof SystemFault) {
        this.open.delete(url);
        await log.close();
      }
      throw thrown;
    }
  }

  async close(): Promise<void> {
    const logs = [...this.open.values()];
    this.open.clear();
    for (const log of logs) await log.close();
  }
}

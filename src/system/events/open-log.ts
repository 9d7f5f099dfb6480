import { type EventLog, eventPlace, type System, SystemFault } from "../../core/index.ts";
import { FileLog } from "./file-log.ts";

/** Opens the event log at a URL, and connects to its server if it has one. Throws SystemFault. */
export async function openEventLog(system: System, url: string): Promise<EventLog> {
  const place = eventPlace(url);
  if (!place.ok) throw new SystemFault("event-log-not-supported", place.detail);
  const { value } = place;
  switch (value.kind) {
    case "file":
      return new FileLog(system, value.path);
    case "nats":
      return (await import("./nats-log.ts")).openNatsLog(system, value);
    case "postgresql":
      return (await import("./postgresql-log.ts")).openPostgresqlLog(system, value);
  }
}

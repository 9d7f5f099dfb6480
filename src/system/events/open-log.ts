import { type EventLog, type System, SystemFault } from "../../core/index.ts";
import { FileLog } from "./file-log.ts";

/** Opens the event log at a URL. Throws SystemFault where its kind is not known. */
export function openEventLog(system: System, url: string): EventLog {
  const { protocol, host, pathname } = URL.canParse(url) ? new URL(url) : { protocol: "", host: "", pathname: "" };
  if (protocol === "file:" && host === "" && pathname.length > 1) return new FileLog(system, decodeURIComponent(pathname));
  throw new SystemFault(
    "event-log-not-supported",
    `an event log is a file on this machine, such as file:///var/lib/setpoint-events/log; ${protocol === "" || protocol === "file:" ? "this is none" : `${protocol}// is not supported`}`,
  );
}

import type { Parsed } from "./size.ts";
import { percentDecoded, sqlPlace } from "./sql.ts";

/** Where an event log is, from its URL. `name` is that without credentials: for messages and notes. */
export type EventPlace =
  | { readonly kind: "file"; readonly name: string; readonly path: string }
  | {
      readonly kind: "nats";
      readonly name: string;
      /** Of the server, without credentials. */
      readonly server: string;
      readonly login: { readonly user?: string; readonly password?: string; readonly token?: string };
      readonly stream: string;
      readonly subject: string;
    }
  | {
      readonly kind: "postgresql";
      readonly name: string;
      /** What the driver is given, with credentials. */
      readonly url: string;
      /** Perhaps with its schema before a dot. */
      readonly table: string;
    };

/** How event logs are named, for messages. */
const EVENT_LOGS = "file:///srv/events/log, nats://host:4222/STREAM/subject or postgresql://user@host:5432/database?table=setpoint_events";

const TABLE = "setpoint_events";
/** PostgreSQL cuts names at 63 bytes; a second table's name is a bit longer. */
const NAME = "[A-Za-z_][A-Za-z0-9_]{0,56}";
const TABLE_NAME = new RegExp(`^${NAME}(\\.${NAME})?$`);

/** Takes an event log's URL apart, or says what is wrong with it; never shows it, as a password may stand in it. */
export function eventPlace(url: string): Parsed<EventPlace> {
  if (!URL.canParse(url)) return wrong(`this is no URL of an event log, such as ${EVENT_LOGS}`);
  const parsed = new URL(url);
  switch (parsed.protocol) {
    case "file:":
      return filePlace(url, parsed);
    case "nats:":
    case "tls+nats:":
      return natsPlace(parsed);
    case "postgresql:":
    case "postgres:":
      return postgresPlace(parsed);
    default:
      return wrong(`${parsed.protocol}// is no kind of event log: use ${EVENT_LOGS}`);
  }
}

function filePlace(name: string, { host, pathname }: URL): Parsed<EventPlace> {
  const path = percentDecoded(pathname);
  if (host !== "") return wrong("an event file is on this machine: file:///srv/events/log has three slashes");
  if (path === undefined || path === "/" || path === "") return wrong("file:// needs the absolute path of a file: file:///srv/events/log");
  return { ok: true, value: { kind: "file", name, path } };
}

function natsPlace({ protocol, host, pathname, username, password, search }: URL): Parsed<EventPlace> {
  const [, stream = "", subject = "", ...more] = pathname.split("/");
  const form = `${protocol}//host:4222/STREAM/subject`;
  if (host === "") return wrong(`an event log in NATS names its server: ${form}`);
  if (!/^[A-Za-z0-9_-]+$/.test(stream) || !/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(subject) || more.length > 0)
    return wrong(
      `an event log in NATS names a stream and a subject: ${form}; a stream is letters, digits, _ and -, a subject such words with dots between them`,
    );
  if (search !== "") return wrong(`an event log in NATS has nothing behind its subject: ${form}`);
  const [user, secret] = [percentDecoded(username), percentDecoded(password)];
  if (user === undefined || secret === undefined) return wrong(`in a user and a password % is written as %25: ${form}`);
  // As NATS itself reads it: a name alone is a token.
  const login = user === "" ? {} : secret === "" ? { token: user } : { user, password: secret };
  const server = `${protocol}//${host}`;
  return { ok: true, value: { kind: "nats", name: `${server}/${stream}/${subject}`, server, login, stream, subject } };
}

function postgresPlace(url: URL): Parsed<EventPlace> {
  const place = sqlPlace(url.href);
  if (place === undefined || place.database === "")
    return wrong(
      "an event log in PostgreSQL names its server and database: postgresql://user@host:5432/database; in a password %, /, # and ? are written as %25, %2F, %23 and %3F",
    );
  const table = url.searchParams.get("table") ?? TABLE;
  if (!TABLE_NAME.test(table))
    return wrong("`table` is a table of PostgreSQL, such as ?table=setpoint_events or ?table=schema.setpoint_events");
  const own = new URL(url);
  own.searchParams.delete("table");
  return { ok: true, value: { kind: "postgresql", name: `${place.name}?table=${table}`, url: own.href, table } };
}

function wrong(detail: string): Parsed<EventPlace> {
  return { ok: false, summary: "no event log", detail };
}

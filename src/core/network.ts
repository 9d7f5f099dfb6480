import type { Json, JsonObject } from "./json.ts";
import type { SqlDialect } from "./sql.ts";

/** One HTTP exchange to be, as data. */
export interface HttpRequest {
  readonly method: string;
  /** Absolute, without credentials. */
  readonly url: string;
  readonly headers?: { readonly [name: string]: string };
  /** Sent as it is; its type stands in the headers. */
  readonly body?: string | Uint8Array;
  /** ms for the whole exchange; left out: 30,000. */
  readonly timeout?: number;
  readonly tls?: TlsOptions;
  /** The URL of a proxy; left out: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. */
  readonly proxy?: string;
}

/** PEM texts, and what of TLS is not as usual. */
export type TlsOptions = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly server_name?: string;
  /** False: the other side's certificate is not verified. */
  readonly verify?: boolean;
};

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; several of one name are joined with a comma and a blank. */
  readonly headers: { readonly [name: string]: string };
  /** At most 16 MiB; more is a fault. */
  readonly body: Buffer;
}

/** How a database is asked. */
export interface SqlOptions {
  /** ms to connect, and for each statement. */
  readonly timeout?: number;
  readonly readOnly?: boolean;
}

/** How a store that speaks HTTP is asked. */
export type Exchange = (request: HttpRequest) => Promise<HttpResponse>;

/** One connection to a database. Texts and parameters go apart: no value is ever part of a statement. */
export interface SqlSession {
  readonly dialect: SqlDialect;
  /**
   * `$1`, `$2`, … for PostgreSQL, `?` for the others; a list or map is sent as JSON, `{ $hex: "…" }` as bytes. Throws SystemFault
   * with the SQLSTATE as its code, where the database gave one.
   */
  query(text: string, values?: readonly Json[]): Promise<SqlResult>;
  /** Ends the connection; a transaction that is open is rolled back by the other side. */
  close(): Promise<void>;
}

export interface SqlResult {
  /** Values as JSON has them: 64-bit integers, decimals and times as text, bytes as `\\x…`. */
  readonly rows: readonly JsonObject[];
  /** Rows that a statement changed. */
  readonly affected: number;
}

/** Where a broker, a store or a mail server is, and who we are there. */
export type PlaceData = {
  /** May hold a user and a password: never part of a register's key or of a message. */
  readonly url: string;
  readonly auth?: { readonly user?: string; readonly password?: string; readonly token?: string };
  readonly tls?: TlsOptions;
  /** ms for each question and each effect; left out: 30,000. */
  readonly timeout?: number;
};

/** A message as playbooks and plans have it. */
export type MessageData = {
  /** Subject, queue, topic or stream, as the broker calls it. */
  readonly to: string;
  /** Of RabbitMQ: `to` is the routing key then. */
  readonly exchange?: string;
  readonly body: string;
  readonly headers: { readonly [name: string]: string };
  /** Of Kafka: messages with the same one keep their order. */
  readonly partition_key?: string;
};

/** A message under its effect's key: the broker or its consumers deduplicate by it. */
export type KeyedMessage = MessageData & { readonly key: string };

/** What is known of the sending of a message that is looked for. */
export interface Sought {
  /** ms since it was first sent; negative where a clock went back. */
  readonly age: number;
  /** What `mark` gave before. */
  readonly mark?: JsonObject;
}

/** `again`: the broker drops a second message with the same key, so that sending it once more is harmless. */
export type Finding = "there" | "not" | "again" | "unknown";

/** One connection to a broker. Everything throws SystemFault. */
export interface BrokerSession {
  /** Where the broker's log ends now, so that a message can be looked for behind it; undefined where there is no looking. */
  mark(message: KeyedMessage): Promise<JsonObject | undefined>;
  /** Sends one message and waits until the broker has it. Returns what the broker said of it. */
  publish(message: KeyedMessage): Promise<JsonObject>;
  /** What can be found out about a message that may or may not have been sent. */
  find(message: KeyedMessage, sought: Sought): Promise<Finding>;
  close(): Promise<void>;
}

/** What a store holds under a key. */
export interface StoredValue {
  readonly value: Buffer;
  readonly revision: string;
  /** ms until it goes by itself. */
  readonly ttl?: number;
  /** Its content type, in stores that have one. */
  readonly type?: string;
}

/** One connection to a store of keys and values. Everything throws SystemFault. */
export interface StoreSession {
  /** Undefined where there is none. */
  get(key: string): Promise<StoredValue | undefined>;
  /** Sets the key if it is at `revision` (undefined: only if it does not exist); false where it is not. `ttl` in ms. */
  put(key: string, value: Omit<StoredValue, "revision">, revision: string | undefined): Promise<boolean>;
  /** Removes the key if it is at `revision`; false where it is not. */
  remove(key: string, revision: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A message that is handed to a mail server. */
export type Mail = {
  readonly server: PlaceData;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** The Message-ID. */
  readonly id: string;
};

/**
 * The only door to other machines. Every method throws SystemFault with `peer`: whether trying again may help; and
 * with `mutated: "no"` only where nothing of the request can have reached the other side.
 */
export interface Network {
  http(request: HttpRequest): Promise<HttpResponse>;
  /** Opens a session; the driver is loaded by name, and without it the fault says what to install. */
  sql(url: string, options?: { readonly timeout?: number; readonly readOnly?: boolean }): Promise<SqlSession>;
  broker(place: PlaceData): Promise<BrokerSession>;
  store(place: PlaceData): Promise<StoreSession>;
  mail(mail: Mail): Promise<{ readonly response: string }>;
  /** Ends idle connections. */
  close(): Promise<void>;
}

/** The peer of a request as breakers, bulkheads and orders know it: scheme, host and port. */
export function originOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  // A file database has no host: its file is the peer.
  return host === "" ? `${protocol}//${pathname}` : `${protocol}//${host}`;
}

/** How a peer wants to be treated. */
export type PeerPolicy = {
  /** Requests at the same time; left out: 8. */
  readonly concurrency?: number;
  /** ms between two requests. */
  readonly interval?: number;
  /** ms for an HTTP request that says nothing else; left out: 30,000. */
  readonly timeout?: number;
};

/** A circuit breaker as the ledger keeps it. Closed while `until` is left out. */
export type BreakerState = {
  /** Failures in a row. */
  readonly failures: number;
  /** ms of the last cooldown. */
  readonly cooldown: number;
  /** When a probe may go out: ms since boot of this boot, begun at `since`; `wall` is for people. */
  readonly until?: { readonly boot: string; readonly since: number; readonly mono: number; readonly wall: number };
};

/** How a request proves who sends it. */
export type AuthData = {
  readonly bearer?: string;
  readonly basic?: { readonly user: string; readonly password: string };
  /** OAuth 2.0 client credentials (RFC 6749 §4.4). */
  readonly oauth?: {
    readonly token_url: string;
    readonly client_id: string;
    readonly client_secret: string;
    readonly scope?: string;
  };
};

/** A request as playbooks and plans have it. */
export type RequestData = {
  readonly method: string;
  readonly url: string;
  readonly headers?: { readonly [name: string]: string };
  /** A text is sent as it is; anything else as JSON. */
  readonly body?: Json;
  readonly auth?: AuthData;
  readonly tls?: TlsOptions;
  readonly proxy?: string;
  /** ms. */
  readonly timeout?: number;
};

import type { Json, JsonObject } from "./json.ts";

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

/** One connection to a database. Texts and parameters go apart: no value is ever part of a statement. */
export interface SqlSession {
  readonly dialect: "postgresql" | "mariadb" | "sqlite";
  /** `$1`, `$2`, … for PostgreSQL, `?` for the others. Throws SystemFault with the SQLSTATE as its code. */
  query(text: string, values?: readonly Json[]): Promise<SqlResult>;
  /** Ends the connection; a transaction that is open is rolled back by the other side. */
  close(): Promise<void>;
}

export interface SqlResult {
  /** Values as JSON has them: 64-bit integers, decimals and times as text. */
  readonly rows: readonly JsonObject[];
  /** Rows that a statement changed. */
  readonly affected: number;
}

/** One connection to a broker. */
export interface BrokerSession {
  /** Sends one message and waits until the broker has it. Throws SystemFault. Returns what the broker said of it. */
  publish(message: BrokerMessage): Promise<JsonObject>;
  /** Whether a message with this key is there, where the broker can be asked; undefined where it cannot. */
  find(message: BrokerMessage): Promise<boolean | undefined>;
  close(): Promise<void>;
}

export interface BrokerMessage {
  /** Subject, queue or topic, as the broker calls it. */
  readonly to: string;
  readonly body: string;
  readonly headers: { readonly [name: string]: string };
  /** The effect's key: the broker or its consumers deduplicate by it. */
  readonly key: string;
  /** What only this broker knows, such as the offset that the intent stored. */
  readonly options?: JsonObject;
}

/** One connection to a store of keys and values. */
export interface StoreSession {
  /** The value and its revision; undefined where there is none. */
  get(key: string): Promise<{ readonly value: Buffer; readonly revision: string } | undefined>;
  /**
   * Sets the key if it is at `revision` (undefined: only if it does not exist); false where it is not. `ttl` in ms.
   */
  put(key: string, value: Uint8Array, revision: string | undefined, ttl?: number): Promise<boolean>;
  /** Removes the key if it is at `revision`; false where it is not. */
  remove(key: string, revision: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A message that is handed to a mail server. */
export interface Mail {
  readonly server: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** The Message-ID. */
  readonly id: string;
  readonly timeout?: number;
}

/**
 * The only door to other machines. Every method throws SystemFault with `peer`: whether trying again may help; and
 * with `mutated: "no"` only where nothing of the request can have reached the other side.
 */
export interface Network {
  http(request: HttpRequest): Promise<HttpResponse>;
  /** Opens a session; the driver is loaded by name, and without it the fault says what to install. */
  sql(url: string, options?: { readonly timeout?: number }): Promise<SqlSession>;
  broker(url: string, options?: { readonly timeout?: number }): Promise<BrokerSession>;
  store(url: string, options?: { readonly timeout?: number }): Promise<StoreSession>;
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

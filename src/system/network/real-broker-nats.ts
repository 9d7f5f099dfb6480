import type { JetStreamManager, NatsConnection, NatsError, StreamInfo } from "nats";
import {
  type BrokerSession,
  type Finding,
  type JsonObject,
  type KeyedMessage,
  type PlaceData,
  type Sought,
  SystemFault,
} from "../../core/index.ts";
import { CONNECT_TIMEOUT, driver, loginOf, placeFault, timeoutOf, tlsOptionsOf } from "./place.ts";

export type Nats = typeof import("nats");

/** Of a duplicate window only so much is used: clocks differ. */
const WINDOW_USED = 0.9;
/** The server refuses a message because its subject has one already. */
export const WRONG_LAST_SEQUENCE = 10071;
const NO_MESSAGE = 10037;
/** Messages that are looked through for one that is in doubt. */
const LOOKED_THROUGH = 100_000;

/** NATS JetStream: the stream drops a second message with the same `Nats-Msg-Id` within its window. */
export async function openNats(place: PlaceData): Promise<BrokerSession> {
  const { nats, connection } = await connectNats(place);
  return new NatsSession(nats, connection, place);
}

/** One connection, which is not made again where it breaks. Throws SystemFault. */
export async function connectNats(place: PlaceData): Promise<{ readonly nats: Nats; readonly connection: NatsConnection }> {
  const nats = await driver<Nats>("nats", "NATS");
  const { protocol, host } = new URL(place.url);
  const { user, password, token } = loginOf(place);
  const { servername: _, ...tls } = tlsOptionsOf(place) as { readonly servername: string };
  let connection: NatsConnection;
  try {
    connection = await nats.connect({
      servers: host,
      name: "setpoint",
      reconnect: false,
      timeout: CONNECT_TIMEOUT,
      ignoreClusterUpdates: true,
      ...(user !== undefined && { user }),
      ...(password !== undefined && { pass: password }),
      ...(token !== undefined && { token }),
      ...((protocol === "tls+nats:" || place.tls !== undefined) && { tls }),
    });
  } catch (thrown) {
    throw placeFault(place, "connecting", thrown, { retry: (thrown as NatsError).code !== nats.ErrorCode.AuthorizationViolation });
  }
  return { nats, connection };
}

/** What manages JetStream. Throws SystemFault, also where the server has none. */
export async function managerOf(nats: Nats, connection: NatsConnection, place: PlaceData): Promise<JetStreamManager> {
  try {
    return await connection.jetstreamManager({ timeout: timeoutOf(place) });
  } catch (thrown) {
    const { code } = thrown as NatsError;
    const isOff = code === nats.ErrorCode.JetStreamNotEnabled || code === nats.ErrorCode.NoResponders;
    throw placeFault(place, isOff ? "JetStream is not enabled, and NATS without it keeps nothing" : "asking JetStream", thrown, {
      retry: !isOff,
    });
  }
}

class NatsSession implements BrokerSession {
  private readonly nats: Nats;
  private readonly connection: NatsConnection;
  private readonly place: PlaceData;
  private managing: Promise<JetStreamManager> | undefined;

  constructor(nats: Nats, connection: NatsConnection, place: PlaceData) {
    this.nats = nats;
    this.connection = connection;
    this.place = place;
  }

  async mark(message: KeyedMessage): Promise<JsonObject> {
    const { config, state } = await this.stream(message);
    return { stream: config.name, sequence: state.last_seq };
  }

  async publish(message: KeyedMessage): Promise<JsonObject> {
    const { to, body, key } = message;
    const headers = this.nats.headers();
    for (const [name, value] of Object.entries(message.headers)) headers.set(name, value);
    const subject = subjectOf(message);
    try {
      const ack = await this.connection.jetstream().publish(subject, body, {
        msgID: key,
        headers,
        timeout: timeoutOf(this.place),
        // A subject of its own is a second guard, which no window ends.
        ...(subject !== to && { expect: { lastSubjectSequence: 0 } }),
      });
      return { stream: ack.stream, sequence: ack.seq, duplicate: ack.duplicate };
    } catch (thrown) {
      const { api_error, code } = thrown as NatsError;
      if (api_error?.err_code === WRONG_LAST_SEQUENCE && subject !== to) return { duplicate: true };
      if (code === this.nats.ErrorCode.NoResponders) {
        await this.stream(message);
        throw placeFault(this.place, `publishing to ${subject}`, "JetStream has nobody who answers for it now");
      }
      // What the server refuses it did not keep.
      if (api_error) throw placeFault(this.place, `publishing to ${subject}`, thrown, { retry: api_error.code >= 500 });
      throw placeFault(this.place, `publishing to ${subject}`, thrown, { mutated: "maybe" });
    }
  }

  async find(message: KeyedMessage, { age, mark }: Sought): Promise<Finding> {
    const { config, state } = await this.stream(message);
    if (age >= 0 && age <= (config.duplicate_window / 1e6) * WINDOW_USED) return "again";
    // A message that was taken, or grew old, is as if it had never been there.
    const keeps = config.retention === "limits" && (config.max_age === 0 || age < (config.max_age / 1e6) * WINDOW_USED);
    const subject = subjectOf(message);
    if (subject !== message.to) {
      if (await this.lastOf(config.name, subject)) return "there";
      return keeps ? "not" : "unknown";
    }
    const from = Number(mark?.sequence ?? 0) + 1;
    if (mark === undefined || mark.stream !== config.name || state.last_seq - from > LOOKED_THROUGH) return "unknown";
    if (await this.isBehind(config.name, subject, from, message.key)) return "there";
    return keeps && state.first_seq <= from && (state.num_deleted ?? 0) === 0 ? "not" : "unknown";
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  /** Whether a message with the key stands in the stream from a sequence on. */
  private async isBehind(stream: string, subject: string, from: number, key: string): Promise<boolean> {
    try {
      const consumer = await this.connection.jetstream().consumers.get(stream, {
        filterSubjects: subject,
        deliver_policy: this.nats.DeliverPolicy.StartSequence,
        opt_start_seq: from,
        headers_only: true,
      });
      let left = (await consumer.info()).num_pending;
      while (left > 0) {
        const batch = await consumer.fetch({ max_messages: Math.min(left, 500), expires: timeoutOf(this.place) });
        let got = 0;
        for await (const message of batch) {
          got += 1;
          if (message.headers?.get("Nats-Msg-Id") === key) return true;
        }
        if (got === 0) throw new Error("the stream stopped answering");
        left -= got;
      }
      return false;
    } catch (thrown) {
      throw placeFault(this.place, `looking through ${stream}`, thrown);
    }
  }

  private async lastOf(stream: string, subject: string): Promise<boolean> {
    const manager = await this.manager();
    try {
      await manager.streams.getMessage(stream, { last_by_subj: subject });
      return true;
    } catch (thrown) {
      const { api_error } = thrown as NatsError;
      if (api_error?.err_code === NO_MESSAGE || api_error?.code === 404) return false;
      throw placeFault(this.place, `looking for ${subject}`, thrown);
    }
  }

  /** The stream that takes a message. Throws SystemFault where there is none: then nobody keeps it, and nobody says so. */
  private async stream(message: KeyedMessage): Promise<StreamInfo> {
    const subject = subjectOf(message);
    const manager = await this.manager();
    let name: string;
    try {
      name = await manager.streams.find(subject);
    } catch (thrown) {
      if (!/no stream matches/i.test((thrown as Error).message))
        throw placeFault(this.place, `asking for the stream of ${subject}`, thrown);
      throw new SystemFault(
        "no-stream",
        `${this.connection.getServer()}: no stream keeps ${subject}, so nobody could say whether a message arrived: create one with that subject`,
        { peer: { retry: false, counts: false } },
      );
    }
    try {
      return await manager.streams.info(name);
    } catch (thrown) {
      throw placeFault(this.place, `asking about the stream ${name}`, thrown);
    }
  }

  private async manager(): Promise<JetStreamManager> {
    this.managing ??= managerOf(this.nats, this.connection, this.place);
    try {
      return await this.managing;
    } catch (thrown) {
      this.managing = undefined;
      throw thrown;
    }
  }
}

/** `{key}` in a subject stands for the key: then each message has a subject of its own. */
function subjectOf({ to, key }: KeyedMessage): string {
  return to.replaceAll("{key}", key);
}

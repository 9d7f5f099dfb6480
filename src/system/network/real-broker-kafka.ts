import type { Admin, Consumer, Kafka, Producer, SASLOptions } from "kafkajs";
import {
  type BrokerSession,
  type Finding,
  type JsonObject,
  type KeyedMessage,
  type PlaceData,
  type Sought,
  SystemFault,
} from "../../core/index.ts";
import { CONNECT_TIMEOUT, driver, loginOf, placeFault, timeoutOf, tlsOptionsOf, within } from "./place.ts";

/** Offsets by partition. */
type Offsets = { readonly [partition: string]: string };

/**
 * Kafka: one transaction a message, whose id is the key. Who begins it anew ends what a killed process left of it, so what is
 * found then, or is not, is final.
 */
export async function openKafka(place: PlaceData): Promise<BrokerSession> {
  const { Kafka, logLevel } = await driver<typeof import("kafkajs")>("kafkajs", "Kafka");
  const { protocol, hostname, port } = new URL(place.url);
  const { user, password } = loginOf(place);
  const kafka = new Kafka({
    clientId: "setpoint",
    brokers: [`${hostname}:${port === "" ? 9092 : port}`],
    connectionTimeout: CONNECT_TIMEOUT,
    requestTimeout: timeoutOf(place),
    retry: { retries: 3 },
    logLevel: logLevel.NOTHING,
    ...(protocol === "kafka+ssl:" && { ssl: tlsOptionsOf(place) }),
    ...(user !== undefined && { sasl: { mechanism: "scram-sha-512", username: user, password: password ?? "" } as SASLOptions }),
  });
  const admin = kafka.admin();
  try {
    await within(place, "connecting", admin.connect(), CONNECT_TIMEOUT);
  } catch (thrown) {
    throw placeFault(place, "connecting", thrown, { retry: (thrown as Error).name !== "KafkaJSSASLAuthenticationError" });
  }
  return new KafkaSession(kafka, admin, place);
}

class KafkaSession implements BrokerSession {
  private readonly kafka: Kafka;
  private readonly admin: Admin;
  private readonly place: PlaceData;

  constructor(kafka: Kafka, admin: Admin, place: PlaceData) {
    this.kafka = kafka;
    this.admin = admin;
    this.place = place;
  }

  async mark({ to }: KeyedMessage): Promise<JsonObject> {
    return { ...(await this.ends(to)) };
  }

  async publish({ to, body, headers, key, partition_key }: KeyedMessage): Promise<JsonObject> {
    const doing = `sending to ${to}`;
    const producer = this.producer(key);
    let sent = false;
    try {
      await within(this.place, doing, producer.connect(), CONNECT_TIMEOUT);
      const transaction = await within(this.place, doing, producer.transaction(), timeoutOf(this.place));
      sent = true;
      const message = { key: partition_key ?? null, value: body, headers: { ...headers, "sp-key": key } };
      const sending = transaction.send({ topic: to, acks: -1, messages: [message] });
      const [report] = await within(this.place, doing, sending, timeoutOf(this.place), "maybe");
      await within(this.place, doing, transaction.commit(), timeoutOf(this.place), "maybe");
      return { partition: report?.partition ?? null, offset: report?.baseOffset ?? null };
    } catch (thrown) {
      const { type } = thrown as { readonly type?: string };
      const refused = type === "UNKNOWN_TOPIC_OR_PARTITION" || type === "TOPIC_AUTHORIZATION_FAILED" || type === "MESSAGE_TOO_LARGE";
      throw placeFault(this.place, doing, thrown, { mutated: sent && !refused ? "maybe" : "no", retry: !refused });
    } finally {
      await producer.disconnect().catch(() => undefined); // what was sent is sent
    }
  }

  async find(message: KeyedMessage, { mark }: Sought): Promise<Finding> {
    if (mark === undefined) return "unknown";
    await this.fence(message);
    const ends = await this.ends(message.to);
    const starts = mark as Offsets;
    const left = new Map(
      Object.entries(ends).flatMap(([partition, end]) => {
        const from = starts[partition] ?? "0";
        return BigInt(from) < BigInt(end) ? [[Number(partition), { from, end }] as const] : [];
      }),
    );
    if (left.size === 0) return "not";
    return (await this.isBetween(message, left)) ? "there" : "not";
  }

  async close(): Promise<void> {
    await this.admin.disconnect();
  }

  private producer(key: string): Producer {
    return this.kafka.producer({ transactionalId: key, idempotent: true, maxInFlightRequests: 1 });
  }

  /** Ends what an earlier process left open under the key: its messages are committed or dropped, and it can send no more. */
  private async fence({ key }: KeyedMessage): Promise<void> {
    const producer = this.producer(key);
    const doing = "ending the transaction of an earlier process";
    try {
      await within(this.place, doing, producer.connect(), CONNECT_TIMEOUT);
      const transaction = await within(this.place, doing, producer.transaction(), timeoutOf(this.place));
      await within(this.place, doing, transaction.abort(), timeoutOf(this.place));
    } catch (thrown) {
      throw placeFault(this.place, doing, thrown);
    } finally {
      await producer.disconnect().catch(() => undefined);
    }
  }

  private async ends(topic: string): Promise<Offsets> {
    try {
      const offsets = await within(this.place, `asking about ${topic}`, this.admin.fetchTopicOffsets(topic), timeoutOf(this.place));
      return Object.fromEntries(offsets.map(({ partition, high }) => [String(partition), high]));
    } catch (thrown) {
      const { type } = thrown as { readonly type?: string };
      throw placeFault(this.place, `asking about ${topic}`, thrown, { retry: type !== "UNKNOWN_TOPIC_OR_PARTITION" });
    }
  }

  /** Reads what was committed between the offsets, until the message is found or all is read. */
  private async isBetween({ to, key }: KeyedMessage, left: Map<number, { readonly from: string; readonly end: string }>): Promise<boolean> {
    const doing = `looking through ${to}`;
    const consumer: Consumer = this.kafka.consumer({ groupId: `setpoint-${key}`, readUncommitted: false });
    const partitions = [...left];
    try {
      await within(this.place, doing, consumer.connect(), CONNECT_TIMEOUT);
      await consumer.subscribe({ topics: [to], fromBeginning: false });
      const found = new Promise<boolean>((done, fail) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
        // A control record at the end is no message: the batch's own end tells that all was read.
        consumer
          .run({
            autoCommit: false,
            eachBatchAutoResolve: false,
            eachBatch: async ({ batch }) => {
              const part = left.get(batch.partition);
              if (batch.messages.some(({ headers }) => String(headers?.["sp-key"] ?? "") === key)) done(true);
              if (part !== undefined && BigInt(batch.lastOffset()) + 1n >= BigInt(part.end)) left.delete(batch.partition);
              if (left.size === 0) done(false);
            },
          })
          .then(() => {
            for (const [partition, { from }] of partitions) consumer.seek({ topic: to, partition, offset: from });
          }, fail);
      });
      return await within(this.place, doing, found, timeoutOf(this.place));
    } catch (thrown) {
      if (thrown instanceof SystemFault) throw thrown;
      throw placeFault(this.place, doing, thrown);
    } finally {
      await consumer.disconnect().catch(() => undefined);
      await this.admin.deleteGroups([`setpoint-${key}`]).catch(() => undefined); // a group without members is nobody's
    }
  }
}

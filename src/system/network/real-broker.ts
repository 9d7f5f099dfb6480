import { type BrokerSession, type PlaceData, SystemFault } from "../../core/index.ts";

type Open = (place: PlaceData) => Promise<BrokerSession>;

/** By the scheme of the URL; each driver is loaded when it is first used. */
const brokers: { readonly [scheme: string]: () => Promise<Open> } = {
  "nats:": async () => (await import("./real-broker-nats.ts")).openNats,
  "tls+nats:": async () => (await import("./real-broker-nats.ts")).openNats,
  "amqp:": async () => (await import("./real-broker-amqp.ts")).openAmqp,
  "amqps:": async () => (await import("./real-broker-amqp.ts")).openAmqp,
  "kafka:": async () => (await import("./real-broker-kafka.ts")).openKafka,
  "kafka+ssl:": async () => (await import("./real-broker-kafka.ts")).openKafka,
  "mqtt:": async () => (await import("./real-broker-mqtt.ts")).openMqtt,
  "mqtts:": async () => (await import("./real-broker-mqtt.ts")).openMqtt,
  "redis:": async () => (await import("./real-broker-redis.ts")).openRedisStreams,
  "rediss:": async () => (await import("./real-broker-redis.ts")).openRedisStreams,
};

/** A session with the broker at a URL. Throws SystemFault. */
export async function openBroker(place: PlaceData): Promise<BrokerSession> {
  const load = brokers[new URL(place.url).protocol];
  if (load === undefined)
    throw new SystemFault("unknown-protocol", `this version knows no broker of the kind ${new URL(place.url).protocol}//`, {
      peer: { retry: false, counts: false },
    });
  return (await load())(place);
}

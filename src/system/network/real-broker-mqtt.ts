import type { MqttClient } from "mqtt";
import type { BrokerSession, Finding, JsonObject, KeyedMessage, PlaceData } from "../../core/index.ts";
import { CONNECT_TIMEOUT, driver, loginOf, placeFault, timeoutOf, tlsOptionsOf, within } from "./place.ts";

/** MQTT 5 with quality of service 1: the broker says that it has it. What it has had it cannot be asked. */
export async function openMqtt(place: PlaceData): Promise<BrokerSession> {
  const mqtt = await driver<typeof import("mqtt")>("mqtt", "MQTT");
  const { user, password } = loginOf(place);
  const { protocol, host } = new URL(place.url);
  const client = mqtt.connect(`${protocol}//${host}`, {
    protocolVersion: 5,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT,
    clean: true,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(protocol === "mqtts:" && tlsOptionsOf(place)),
  });
  const connected = new Promise<void>((done, fail) => {
    client.once("connect", () => done());
    client.once("error", fail);
    client.once("close", () => fail(new Error("the connection was closed")));
  });
  try {
    await within(place, "connecting", connected, CONNECT_TIMEOUT);
  } catch (thrown) {
    client.end(true);
    const { code } = thrown as { readonly code?: unknown };
    // A number is a reason of the protocol: not authorized and the like.
    throw placeFault(place, "connecting", thrown, { retry: typeof code !== "number" });
  }
  return new MqttSession(client, place);
}

class MqttSession implements BrokerSession {
  private readonly client: MqttClient;
  private readonly place: PlaceData;
  private trouble: Error | undefined;
  private readonly ended = new Set<(why: Error) => void>();

  constructor(client: MqttClient, place: PlaceData) {
    this.client = client;
    this.place = place;
    const fail = (why: Error): void => {
      this.trouble ??= why;
      for (const tell of this.ended) tell(this.trouble);
    };
    client.on("error", fail);
    client.on("close", () => fail(new Error("the connection was closed")));
  }

  mark = (): Promise<undefined> => Promise.resolve(undefined);

  async publish({ to, body, headers, key }: KeyedMessage): Promise<JsonObject> {
    const doing = `publishing to ${to}`;
    if (this.trouble !== undefined) throw placeFault(this.place, doing, this.trouble);
    const { "content-type": contentType, ...more } = headers;
    const acknowledged = new Promise<JsonObject>((done, fail) => {
      this.ended.add(fail);
      const properties = { userProperties: { ...more, "sp-key": key }, ...(contentType !== undefined && { contentType }) };
      this.client.publish(to, body, { qos: 1, properties }, (error, packet) => {
        this.ended.delete(fail);
        // The broker's own answer, such as 135 (not authorized): it did not take it.
        const { code } = (error ?? {}) as { readonly code?: unknown };
        if (error && typeof code === "number" && code >= 128) fail(placeFault(this.place, doing, error, { retry: false }));
        else if (error) fail(error);
        else done({ id: packet?.messageId ?? null });
      });
    });
    try {
      return await within(this.place, doing, acknowledged, timeoutOf(this.place), "maybe");
    } catch (thrown) {
      throw placeFault(this.place, doing, thrown, { mutated: "maybe" });
    }
  }

  find = (): Promise<Finding> => Promise.resolve("unknown");

  async close(): Promise<void> {
    await this.client.endAsync();
  }
}

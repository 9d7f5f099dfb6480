import type { ChannelModel, ConfirmChannel, Message } from "amqplib";
import { type BrokerSession, type Finding, type JsonObject, type KeyedMessage, type PlaceData, SystemFault } from "../../core/index.ts";
import { CONNECT_TIMEOUT, driver, loginOf, placeFault, timeoutOf, tlsOptionsOf, within } from "./place.ts";

/** RabbitMQ: persistent, confirmed and mandatory, with the key as message-id. It cannot be asked what a queue holds. */
export async function openAmqp(place: PlaceData): Promise<BrokerSession> {
  const amqp = await driver<typeof import("amqplib")>("amqplib", "RabbitMQ");
  const url = new URL(place.url);
  const { user, password } = loginOf(place);
  if (user !== undefined) url.username = encodeURIComponent(user);
  if (password !== undefined) url.password = encodeURIComponent(password);
  const opening = amqp.connect(url.href, { timeout: CONNECT_TIMEOUT, ...(url.protocol === "amqps:" && tlsOptionsOf(place)) });
  let connection: ChannelModel;
  try {
    connection = await within(place, "connecting", opening, CONNECT_TIMEOUT);
  } catch (thrown) {
    throw placeFault(place, "connecting", thrown, { retry: !/ACCESS[_-]REFUSED|NOT[_-]ALLOWED/i.test((thrown as Error).message) });
  }
  const session = new AmqpSession(connection, place);
  await session.begin();
  return session;
}

class AmqpSession implements BrokerSession {
  private readonly connection: ChannelModel;
  private readonly place: PlaceData;
  private channel: ConfirmChannel | undefined;
  /** Why the connection or the channel ended. */
  private trouble: Error | undefined;
  private readonly returned = new Map<string, Message["fields"]>();
  private readonly ended = new Set<(why: Error) => void>();

  constructor(connection: ChannelModel, place: PlaceData) {
    this.connection = connection;
    this.place = place;
  }

  async begin(): Promise<void> {
    const fail = (why: Error): void => {
      this.trouble ??= why;
      for (const tell of this.ended) tell(this.trouble);
    };
    this.connection.on("error", fail);
    this.connection.on("close", () => fail(new Error("the connection was closed")));
    try {
      const channel = await within(this.place, "opening a channel", this.connection.createConfirmChannel(), timeoutOf(this.place));
      channel.on("error", fail);
      channel.on("close", () => fail(new Error("the channel was closed")));
      channel.on("return", (message: Message) => this.returned.set(String(message.properties.messageId), message.fields));
      this.channel = channel;
    } catch (thrown) {
      throw placeFault(this.place, "opening a channel", thrown);
    }
  }

  mark = (): Promise<undefined> => Promise.resolve(undefined);

  async publish({ to, exchange = "", body, headers, key }: KeyedMessage): Promise<JsonObject> {
    const doing = `publishing to ${exchange === "" ? to : `${exchange}/${to}`}`;
    const channel = this.channel;
    if (channel === undefined || this.trouble !== undefined) throw placeFault(this.place, doing, this.trouble ?? "there is no channel");
    const { "content-type": contentType, ...more } = headers;
    let ended: (why: Error) => void = () => undefined;
    const confirmed = new Promise<void>((done, fail) => {
      ended = fail;
      this.ended.add(ended);
      const options = {
        mandatory: true,
        persistent: true,
        messageId: key,
        headers: more,
        ...(contentType !== undefined && { contentType }),
      };
      channel.publish(exchange, to, Buffer.from(body), options, (nack: unknown) => {
        if (nack) fail(nack instanceof Error ? nack : new Error("the broker did not take it"));
        else done();
      });
    });
    try {
      await within(this.place, doing, confirmed, timeoutOf(this.place), "maybe");
    } catch (thrown) {
      // The broker closes the channel over what it cannot do at all, and says so: 404, 403, 406.
      // Of several messages on their way nobody knows which one it meant.
      const refused = this.ended.size === 1 && /\b40[346]\b/.test((thrown as Error).message);
      throw placeFault(this.place, doing, thrown, { mutated: refused ? "no" : "maybe", retry: !refused });
    } finally {
      this.ended.delete(ended);
    }
    const back = this.returned.get(key) as { readonly replyText?: string } | undefined;
    if (back !== undefined) {
      this.returned.delete(key);
      throw new SystemFault(
        "unroutable",
        `${doing}: the broker gave it back (${back.replyText ?? "NO_ROUTE"}): no queue takes it, create one first`,
        {
          peer: { retry: false, counts: false },
        },
      );
    }
    return { confirmed: true };
  }

  find = (): Promise<Finding> => Promise.resolve("unknown");

  async close(): Promise<void> {
    await this.connection.close();
  }
}

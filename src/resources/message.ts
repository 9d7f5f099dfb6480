import { asJson, asText, fields, given, isObject, type Json, type MessageData, originOf, resourceType, type World } from "../core/index.ts";
import { type EffectAbout, type EffectData, effectRegister, type Question } from "../registers/index.ts";
import { scalar } from "./command-form.ts";
import { placeFields, placeOf, placeUrl } from "./place-fields.ts";
import { duration, wayFields, webUrl } from "./remote-fields.ts";

const { anything, field, mapOf, mapping, text } = fields;

const SCHEMES = ["nats", "tls+nats", "amqp", "amqps", "kafka", "kafka+ssl", "mqtt", "mqtts", "redis", "rediss"] as const;

const contentFields = {
  subject: text("Of NATS: the subject, in which `{key}` stands for the key. Of RabbitMQ with `exchange`: the routing key.").optional(),
  queue: text("Of RabbitMQ: the queue.").optional(),
  topic: text("Of Kafka and MQTT: the topic. Of Redis: the stream.").optional(),
  exchange: text("Of RabbitMQ: the exchange.").optional(),
  partition_key: text("Of Kafka: messages with the same one keep their order.").optional(),
  body: anything("What is sent: a text as it is, anything else as JSON.").or(""),
  headers: mapOf(scalar("A value."), "Headers of the message.").optional(),
};

const undoForm = mapping(contentFields, "");

const undo = field<Json>(
  "A message that takes it back, with a key of its own; `none`: leaving it behind is allowed.",
  { anyOf: [{ const: "none" }, undoForm.schema] },
  (value) => (value === "none" ? { ok: true, value } : (undoForm.check(value) as fields.Checked<Json>)),
);

/** One message to a broker. */
export const message = resourceType({
  type: "message",
  summary: "A message to a broker, sent once.",
  notes: [
    "For NATS JetStream (`nats://`), RabbitMQ (`amqp://`), Kafka (`kafka://`), MQTT (`mqtt://`) and Redis streams (`redis://`). It goes out under a key that follows",
    "from the stack, the address and `occurrence` alone: as `Nats-Msg-Id`, as RabbitMQ's `message-id`, and everywhere else as the header `sp-key`. It is sent once the",
    "broker has said that it keeps it. When that answer is lost, the broker is asked:",
    "",
    "| broker | what ends the doubt |",
    "| --- | --- |",
    "| NATS JetStream | within the stream's duplicate window it is sent again, and dropped if it is there; later it is looked for. With `{key}` in the subject no window ends that |",
    "| Redis streams | it is added together with its key, in one step: for a week it is sent again, and dropped if it is there; later it is looked for |",
    "| Kafka | its transaction is ended, then it is looked for behind where the topic ended before |",
    "| RabbitMQ, MQTT | they cannot be asked: `dedupe` says that consumers know the key again, else `in_doubt` decides |",
    "",
    "The driver is a package that is installed when it is needed: `nats`, `amqplib`, `kafkajs`, `mqtt` or `@redis/client`.",
  ].join("\n"),
  example: [
    "- message: order placed",
    "  broker: nats://127.0.0.1:4222",
    "  subject: orders.placed",
    "  body: { order: 5 }",
    "  undo: { subject: orders.cancelled, body: { order: 5 } }",
    "- message: resize the pictures",
    "  broker: amqp://127.0.0.1",
    "  queue: jobs",
    "  body: { album: 7 }",
    "  dedupe: 24h",
    "  undo: none",
  ].join("\n"),
  fields: {
    message: text("A label."),
    broker: placeUrl(SCHEMES, "The broker's URL."),
    ...contentFields,
    occurrence: scalar("Another value sends it again on purpose.").or("0"),
    dedupe: duration("For how long the consumers do a message with the same key only once.").optional(),
    verify: mapping(
      {
        url: webUrl("Where to ask; `{key}` stands for the key."),
        where: mapOf(
          anything("A value."),
          "Fields, by dotted path, that an object in the answer has if it happened; left out: any 2xx says so.",
        ).optional(),
        headers: wayFields.headers,
        auth: wayFields.auth,
      },
      "A question to an HTTP API that tells whether it happened.",
    ).optional(),
    undo: undo.optional(),
    ...placeFields,
  },

  check(spec, report) {
    checkTarget(spec.broker, spec, [], report);
    if (isObject(spec.undo as Json)) checkTarget(spec.broker, spec.undo as Content, ["undo"], report);
  },

  settings(spec, world) {
    const { declared } = world;
    const broker = placeOf(spec.broker, spec, world);
    const takesBack = undoOf(spec.undo ?? declared.common.undo, world);
    const sent = messageOf(spec);
    const { verify } = spec;
    const about: EffectAbout = {
      stack: world.stack,
      address: declared.address,
      occurrence: spec.occurrence,
      origin: originOf(spec.broker),
      effect: { do: "publish", broker, message: sent } as unknown as EffectData,
      ...(isObject(takesBack) && {
        undo: { do: "publish", undo: true, broker, message: messageOf(takesBack as Content) } as unknown as EffectData,
      }),
      ...(verify && {
        verify: {
          http: {
            method: "GET",
            url: verify.url.replaceAll("%7Bkey%7D", "{key}"),
            ...(JSON.parse(JSON.stringify(given({ headers: verify.headers, auth: verify.auth }))) as object),
          },
          ...given({ where: verify.where }),
        } as Question,
      }),
      ...given({ dedupe: spec.dedupe }),
      in_doubt: declared.common.in_doubt ?? "ask",
    };
    const manner = { ...(takesBack === "none" && { undo: "none" as const }), ...given({ sensitive: declared.common.sensitive }) };
    return [
      {
        register: effectRegister(about),
        goal: "done",
        want: { payload: sent },
        aspects: [],
        ...(Object.keys(manner).length > 0 && { manner }),
      },
    ];
  },
});

type Content = {
  readonly subject?: string | undefined;
  readonly queue?: string | undefined;
  readonly topic?: string | undefined;
  readonly exchange?: string | undefined;
  readonly partition_key?: string | undefined;
  readonly body?: Json | undefined;
  readonly headers?: { readonly [name: string]: string } | undefined;
};

function messageOf({ subject, queue, topic, exchange, partition_key, body = "", headers }: Content): MessageData {
  const isText = typeof body === "string";
  const type =
    isText || Object.keys(headers ?? {}).some((name) => name.toLowerCase() === "content-type")
      ? {}
      : { "content-type": "application/json" };
  return {
    to: subject ?? queue ?? topic ?? "",
    ...given({ exchange, partition_key }),
    body: isText ? asText(body) : asJson(body),
    headers: { ...type, ...headers },
  } as MessageData;
}

/** What a message is sent to is called as its broker calls it. */
function checkTarget(broker: string, spec: Content, at: readonly string[], report: World["report"]): void {
  const scheme = new URL(broker).protocol.slice(0, -1);
  const isRabbit = scheme.startsWith("amqp");
  const wanted = scheme.includes("nats") || (isRabbit && spec.exchange !== undefined) ? "subject" : isRabbit ? "queue" : "topic";
  const named = (["subject", "queue", "topic"] as const).filter((name) => spec[name] !== undefined);
  if (named.length !== 1 || named[0] !== wanted)
    report({
      code: "message-target",
      summary: "where a message goes",
      detail: `a broker of the kind ${scheme}:// takes exactly \`${wanted}\`${isRabbit ? ", or `exchange` with `subject` as the routing key" : ""}`,
      field: [...at, named.find((name) => name !== wanted) ?? wanted],
    });
  for (const [name, fits] of [
    ["exchange", isRabbit],
    ["partition_key", scheme.startsWith("kafka")],
  ] as const)
    if (spec[name] !== undefined && !fits)
      report({
        code: "message-target",
        summary: "where a message goes",
        detail: `a broker of the kind ${scheme}:// knows no \`${name}\`: leave it out`,
        field: [...at, name],
      });
}

/** A declared undo; the playbook may hand it over unchecked, among the keys that every type takes. */
function undoOf(value: Json | undefined, world: World): Json | undefined {
  if (value === undefined || value === "none") return value;
  const checked = undoForm.check(value);
  if (checked.ok) return checked.value as Json;
  for (const { summary, detail, path } of checked.issues) world.report({ code: "bad-undo", summary, detail, field: ["undo", ...path] });
  return undefined;
}

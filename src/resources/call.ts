import { fields, given, isObject, type Json, originOf, resourceType, type World } from "../core/index.ts";
import { type EffectAbout, type EffectData, effectRegister, type Question } from "../registers/index.ts";
import { scalar } from "./command-form.ts";
import { checkAuth, duration, pollField, wayFields, wayOf, webUrl } from "./remote-fields.ts";

const { anything, choice, field, integer, listOf, mapOf, mapping } = fields;

const methods = ["POST", "PUT", "PATCH", "DELETE", "GET"] as const;

const undoForm = mapping(
  {
    method: choice(methods, "The method.").or("POST"),
    url: webUrl("The URL."),
    body: anything("What is sent.").optional(),
    ok_status: listOf(
      integer("A status.", { minimum: 100, maximum: 599 }),
      "Statuses that mean success besides 2xx, 404 and 410.",
    ).optional(),
  },
  "",
);

const undo = field<Json>(
  "A request that takes it back, with a key of its own; `none`: leaving it behind is allowed.",
  {
    anyOf: [{ const: "none" }, undoForm.schema],
  },
  (value) => (value === "none" ? { ok: true, value } : (undoForm.check(value) as fields.Checked<Json>)),
);

/** Something that another machine is asked to do, once. */
export const call = resourceType({
  type: "call",
  summary: "A request that makes another machine do something, once.",
  notes: [
    "For all that is no state: a payment, a deployment, an e-mail through an API. It is sent with an `Idempotency-Key` that follows from the stack, the",
    "address and `occurrence` alone, so a retry, a resume and an apply next week send the same key. When the answer is lost, doubt ends, best first, by `verify`",
    "(a question that finds it), by `dedupe` (for so long the other side knows the key again), or by `in_doubt`. The answer is kept, encrypted, and",
    "`result('call:NAME').body.id` gives other resources a part of it.",
  ].join("\n"),
  example: [
    "- call: charge the deposit",
    "  url: https://api.example.com/charges",
    "  body: { amount: 5000, currency: EUR }",
    "  dedupe: 24h",
    "  verify: { url: 'https://api.example.com/charges?key={key}', where: { state: paid } }",
    "  undo: { url: 'https://api.example.com/refunds', body: { amount: 5000 } }",
  ].join("\n"),
  fields: {
    call: fields.text("A label."),
    method: choice(methods, "The method.").or("POST"),
    url: webUrl("The URL."),
    body: anything("What is sent: a text as it is, anything else as JSON.").optional(),
    ok_status: listOf(integer("A status.", { minimum: 100, maximum: 599 }), "Statuses that mean success besides 2xx.").optional(),
    occurrence: scalar("Another value sends it again on purpose.").or("0"),
    key_format: choice(
      ["raw", "sf", "none"],
      "How the key is written: as it is, or as a structured string in quotes (RFC 8941); `none`: not at all.",
    ).or("raw"),
    dedupe: duration("For how long the other side does a request with the same key only once.").optional(),
    verify: mapping(
      {
        url: webUrl("Where to ask; `{key}` stands for the key."),
        where: mapOf(
          anything("A value."),
          "Fields, by dotted path, that an object in the answer has if it happened; left out: any 2xx says so.",
        ).optional(),
      },
      "A question that tells whether it happened.",
    ).optional(),
    undo: undo.optional(),
    poll: pollField.optional(),
    ...wayFields,
  },

  check(spec, report) {
    checkAuth(spec.auth, report);
    if (spec.dedupe !== undefined && spec.key_format === "none")
      report({
        code: "dedupe-without-key",
        summary: "deduplication needs the key",
        detail: "with `key_format: none` the other side cannot know the request again: leave out `dedupe`, or send the key",
        field: ["dedupe"],
      });
  },

  settings(spec, world) {
    const way = wayOf(spec, world);
    const keyed = spec.key_format === "none" ? {} : { keyed: spec.key_format };
    const { declared } = world;
    const request = { ...way, method: spec.method, url: spec.url, ...given({ body: spec.body }) };
    const takesBack = undoOf(spec.undo ?? declared.common.undo, world);
    const about: EffectAbout = {
      stack: world.stack,
      address: declared.address,
      occurrence: spec.occurrence,
      origin: originOf(spec.url),
      effect: { do: "http", request, ...keyed, ...given({ ok: spec.ok_status, poll: spec.poll }) } as unknown as EffectData,
      ...(isObject(takesBack) && {
        undo: {
          do: "http",
          undo: true,
          request: { ...way, method: takesBack.method, url: takesBack.url, ...given({ body: takesBack.body }) },
          ...keyed,
          // What is gone already is taken back.
          ok: [404, 410, ...((takesBack.ok_status as readonly number[] | undefined) ?? [])],
        } as unknown as EffectData,
      }),
      ...(spec.verify && { verify: questionOf(spec.verify, way) }),
      ...given({ dedupe: spec.dedupe }),
      in_doubt: declared.common.in_doubt ?? "ask",
    };
    const manner = { ...(takesBack === "none" && { undo: "none" as const }), ...given({ sensitive: declared.common.sensitive }) };
    return [
      {
        register: effectRegister(about),
        goal: "done",
        want: { payload: { method: spec.method, url: spec.url, body: spec.body ?? null } },
        aspects: [],
        ...(Object.keys(manner).length > 0 && { manner }),
      },
    ];
  },
});

function questionOf(verify: { readonly url: string; readonly where?: unknown }, way: ReturnType<typeof wayOf>): Question {
  return {
    http: { ...way, method: "GET", url: verify.url.replaceAll("%7Bkey%7D", "{key}") },
    ...given({ where: verify.where }),
  } as Question;
}

/** A declared undo; the playbook may hand it over unchecked, among the keys that every type takes. */
function undoOf(value: Json | undefined, world: World): Json | undefined {
  if (value === undefined || value === "none") return value;
  const checked = undoForm.check(value);
  if (checked.ok) return checked.value as Json;
  for (const { summary, detail, path } of checked.issues) world.report({ code: "bad-undo", summary, detail, field: ["undo", ...path] });
  return undefined;
}

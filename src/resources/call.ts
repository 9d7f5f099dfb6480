import { fields, given, isObject, type Json, originOf, type RequestData, resourceType, type TryEnds, type World } from "../core/index.ts";
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

/** A URL that ends a Try: as any, or from where the answer to it leads. */
const endUrl = field(
  "The URL, at the same origin; `{key}` stands for the key of what was prepared, `{answer.id}` for that field of the answer to it, `{location}` for its Location; in front, these two are a URL.",
  { type: "string" },
  (value): fields.Checked<string> =>
    typeof value === "string" && /^\{(location|answer(\.[\w-]+)+)\}/.test(value) ? { ok: true, value } : webUrl("").check(value),
);
const endBody = anything("What is sent; `{key}` and `{answer.id}` in it stand for the same.").optional();

const twoPhase = mapping(
  {
    confirm: mapping(
      { method: choice(["POST", "PUT", "PATCH"], "The method.").or("POST"), url: endUrl, body: endBody },
      "Makes what was prepared take place. Sent until it succeeds; again, it does nothing more.",
    ),
    cancel: mapping(
      { method: choice(["POST", "PUT", "PATCH", "DELETE"], "The method.").or("DELETE"), url: endUrl, body: endBody },
      "Gives up what was prepared; 404 and 410 mean that there is nothing to give up.",
    ),
  },
  "Only in a transaction with `mode: two_phase`: the request itself only prepares, and once it is decided one of these ends it.",
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
    two_phase: twoPhase.optional(),
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
    if (spec.two_phase !== undefined) checkTwoPhase({ ...spec, two_phase: spec.two_phase }, report);
  },

  settings(spec, world) {
    const way = wayOf(spec, world);
    const keyed = spec.key_format === "none" ? {} : { keyed: spec.key_format };
    const { declared } = world;
    const request = { ...way, method: spec.method, url: spec.two_phase ? withMarks(spec.url) : spec.url, ...given({ body: spec.body }) };
    const ends = spec.two_phase && endsOf(spec.two_phase, way);
    if (ends && declared.transaction?.mode !== "two_phase")
      world.report({
        code: "two-phase-alone",
        summary: "`two_phase` outside of a two-phase transaction",
        detail:
          "what is prepared is confirmed together with others: put it into a `transaction` with `mode: two_phase`, or leave `two_phase` out",
        field: ["two_phase"],
      });
    const takesBack = undoOf(spec.undo ?? declared.common.undo, world);
    const about: EffectAbout = {
      stack: world.stack,
      address: declared.address,
      occurrence: spec.occurrence,
      origin: originOf(spec.url),
      effect: { do: "http", request, ...keyed, ...given({ ok: spec.ok_status, poll: spec.poll, ends }) } as unknown as EffectData,
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

type Report = World["report"];

function checkTwoPhase(
  spec: { readonly url: string; readonly key_format: string; readonly dedupe?: number | undefined; readonly two_phase: TwoPhase },
  report: Report,
): void {
  const say = (summary: string, detail: string, ...path: readonly string[]) =>
    report({ code: "bad-two-phase", summary, detail, field: path });
  if (spec.key_format === "none")
    say(
      "two phases need the key",
      "a request that only prepares may be sent more than once, and is known again by its key: let it be sent",
      "key_format",
    );
  if (spec.dedupe !== undefined)
    say(
      "`dedupe` beside `two_phase`",
      "what was prepared and lost is cancelled, and what is confirmed is confirmed again: leave `dedupe` out",
      "dedupe",
    );
  for (const name of ["confirm", "cancel"] as const) {
    const { url } = spec.two_phase[name];
    if (!url.startsWith("{") && originOf(url) !== originOf(spec.url))
      say("two origins in one participant", "what is prepared at one origin is confirmed and cancelled there", "two_phase", name, "url");
  }
}

type TwoPhase = fields.ValueOf<typeof twoPhase>;

function endsOf({ confirm, cancel }: TwoPhase, way: ReturnType<typeof wayOf>): TryEnds {
  const request = ({ method, url, body }: TwoPhase["confirm"] | TwoPhase["cancel"]) =>
    ({ ...way, method, url: withMarks(url), ...given({ body }) }) as RequestData;
  return { confirm: request(confirm), cancel: request(cancel) };
}

/** A URL in whose path marks stand as they were written. */
function withMarks(url: string): string {
  return url.replace(/%7B([\w.-]+)%7D/gi, "{$1}");
}

/** A declared undo; the playbook may hand it over unchecked, among the keys that every type takes. */
function undoOf(value: Json | undefined, world: World): Json | undefined {
  if (value === undefined || value === "none") return value;
  const checked = undoForm.check(value);
  if (checked.ok) return checked.value as Json;
  for (const { summary, detail, path } of checked.issues) world.report({ code: "bad-undo", summary, detail, field: ["undo", ...path] });
  return undefined;
}

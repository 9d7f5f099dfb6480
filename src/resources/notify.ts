import { fields, given, type Json, originOf, type PlaceData, resourceType } from "../core/index.ts";
import { type EffectAbout, type EffectData, effectRegister } from "../registers/index.ts";
import { scalar } from "./command-form.ts";
import { placeUrl } from "./place-fields.ts";
import { checkAuth, duration, wayFields, wayOf, webUrl } from "./remote-fields.ts";

const { anything, choice, listOrOne, text } = fields;

/** Something that people are told. */
export const notify = resourceType({
  type: "notify",
  summary: "A notification through a webhook, a chat or by mail, sent once.",
  notes: [
    'A webhook gets `body` as JSON, or `{ "text": … }`, which Slack, Mattermost and others understand; with it goes an `Idempotency-Key`. A mail goes to the server',
    "at `smtp` (`smtps://` for TLS from the start) with a `Message-ID` made of the key, by which mail systems know a second copy. Neither can be asked whether it",
    "arrived: when the answer is lost, `in_doubt` decides (`ask`, which sends nothing before `setpoint answer`; `retry`; `skip`). What was said cannot be taken back:",
    "`undo: none` allows that. Mail needs the package `nodemailer`.",
  ].join("\n"),
  example: [
    "- notify: ops",
    "  webhook: https://hooks.example.com/ops",
    "  text: user 5 is deactivated",
    "  undo: none",
    "- notify: owner",
    "  smtp: smtp://127.0.0.1:25",
    "  from: setpoint@example.com",
    "  to: owner@example.com",
    "  subject: user 5 is deactivated",
    "  text: It was done as you asked.",
    "  undo: none",
  ].join("\n"),
  fields: {
    notify: text("A label."),
    webhook: webUrl("Where it is sent with POST; from a secret input, where who knows it may send.").optional(),
    body: anything("What the webhook gets: a text as it is, anything else as JSON.").optional(),
    text: text("The text of the mail; of a webhook, what is sent as `{ text: … }`.").optional(),
    smtp: placeUrl(["smtp", "smtps"], "The mail server.").optional(),
    from: text("Who sends the mail.").optional(),
    to: listOrOne(text("An address."), "Who gets the mail.").optional(),
    subject: text("What the mail is about.").optional(),
    occurrence: scalar("Another value sends it again on purpose.").or("0"),
    dedupe: duration("For how long the webhook does a request with the same key only once.").optional(),
    undo: choice(["none"], "It cannot be taken back: `none` allows leaving it.").optional(),
    ...wayFields,
  },

  check(spec, report) {
    checkAuth(spec.auth, report);
    const wrong = (detail: string, field: string): void =>
      report({ code: "notify-forms", summary: "a notification has one way", detail, field: [field] });
    if ((spec.webhook === undefined) === (spec.smtp === undefined)) wrong("give either `webhook` or `smtp`", "webhook");
    else if (spec.smtp !== undefined) {
      for (const name of ["from", "to", "subject", "text"] as const)
        if (spec[name] === undefined) wrong(`a mail needs \`${name}\``, "smtp");
      for (const name of ["body", "headers", "proxy", "dedupe"] as const)
        if (spec[name] !== undefined) wrong(`\`${name}\` is for webhooks: leave it out`, name);
      if (spec.auth !== undefined && spec.auth.basic === undefined) wrong("a mail server takes `basic: { user, password }`", "auth");
      for (const name of ["from", "subject"] as const)
        if (/[\r\n]/.test(spec[name] ?? "")) wrong(`\`${name}\` must stand in one line`, name);
    } else {
      if ((spec.body === undefined) === (spec.text === undefined)) wrong("a webhook takes either `body` or `text`", "body");
      for (const name of ["from", "to", "subject"] as const)
        if (spec[name] !== undefined) wrong(`\`${name}\` is for mails: leave it out`, name);
    }
  },

  settings(spec, world) {
    const { declared } = world;
    const [effect, payload, origin] = spec.smtp === undefined ? webhookOf() : mailOf(spec.smtp);
    const about: EffectAbout = {
      stack: world.stack,
      address: declared.address,
      occurrence: spec.occurrence,
      origin,
      effect,
      ...given({ dedupe: spec.dedupe }),
      in_doubt: declared.common.in_doubt ?? "ask",
    };
    const takesBack = spec.undo ?? declared.common.undo;
    const manner = { ...(takesBack === "none" && { undo: "none" as const }), ...given({ sensitive: declared.common.sensitive }) };
    return [
      { register: effectRegister(about), goal: "done", want: { payload }, aspects: [], ...(Object.keys(manner).length > 0 && { manner }) },
    ];

    function webhookOf(): readonly [EffectData, Json, string] {
      const url = spec.webhook as string;
      const body: Json = spec.body ?? { text: spec.text as string };
      const request = { ...wayOf(spec, world), method: "POST", url, body };
      return [{ do: "http", request, keyed: "raw" } as unknown as EffectData, { body }, originOf(url)];
    }

    function mailOf(url: string): readonly [EffectData, Json, string] {
      const { auth, tls } = spec;
      const server = { url, auth: auth?.basic, tls, timeout: declared.common.timeout };
      const said = { from: spec.from, to: spec.to, subject: spec.subject, text: spec.text } as unknown as { readonly [name: string]: Json };
      const mail = { ...said, server: JSON.parse(JSON.stringify(server)) as PlaceData };
      return [{ do: "mail", mail } as unknown as EffectData, said, originOf(url)];
    }
  },
});

import {
  type AuthData,
  fields,
  given,
  holdsResult,
  isObject,
  type Json,
  parseDuration,
  type RequestData,
  type World,
} from "../core/index.ts";
import { scalar } from "./command-form.ts";

const { anything, boolean, field, mapOf, mapping, text } = fields;

/** An absolute http or https URL without credentials in it. */
export function webUrl(about: string): fields.MustField<string> {
  return field(about, { type: "string", format: "uri" }, (value) => {
    if (typeof value !== "string") return fields.issue("wrong type", `this must be a URL, not ${fields.showValue(value)}`);
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
      return fields.issue("not a URL", `${fields.showValue(value)} is no URL that begins with http:// or https://`);
    if (url.username !== "" || url.password !== "")
      return fields.issue(
        "credentials in a URL",
        "URLs are shown in every plan: hand the user and password over with `auth: { basic: … }`",
      );
    if (url.hash !== "") return fields.issue("a fragment in a URL", "what stands behind # never reaches the other side: leave it out");
    return { ok: true, value: holdsResult(value) ? value : url.href };
  });
}

/** A duration in ms. */
export function duration(about: string): fields.MustField<number> {
  return field(about, { type: "string" }, (value) => {
    const parsed = typeof value === "string" || typeof value === "number" ? parseDuration(value) : undefined;
    if (parsed === undefined) return fields.issue("wrong type", `this must be a duration such as 30s, not ${fields.showValue(value)}`);
    return parsed.ok ? parsed : fields.issue(parsed.summary, parsed.detail);
  });
}

const basic = mapping({ user: text("The user."), password: text("The password, from a secret input.") }, "A user and a password.");
const oauth = mapping(
  {
    token_url: webUrl("Where tokens are had."),
    client_id: text("The client."),
    client_secret: text("Its secret, from a secret input."),
    scope: text("The scopes, with blanks between them.").optional(),
  },
  "OAuth 2.0 client credentials.",
);

/** How every request is sent, whatever it asks. */
export const wayFields = {
  headers: mapOf(scalar("A value."), "Headers of every request.").optional(),
  auth: mapping(
    {
      bearer: text("A token, from a secret input.").optional(),
      basic: basic.optional(),
      oauth: oauth.optional(),
    },
    "Who sends it: `bearer: TOKEN`, `basic: { user, password }` or `oauth: { token_url, client_id, client_secret, scope }`.",
  ).optional(),
  tls: mapping(
    {
      ca: text("Certificates to trust in place of the system's, as PEM.").optional(),
      cert: text("A client certificate, as PEM.").optional(),
      key: text("Its private key, as PEM, from a secret input.").optional(),
      server_name: text("The name that the other side's certificate must have, if not the host's.").optional(),
      verify: boolean("False: whoever answers is believed.").optional(),
    },
    "How the other side is known, and how we are.",
  ).optional(),
  proxy: webUrl("A proxy; left out: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.").optional(),
};

export const pollField = mapping(
  {
    url: text("Where to ask, if the answer has no Location.").optional(),
    every: duration("Between two questions.").or(2000),
    within: duration("In all.").or(300_000),
    until: mapOf(anything("A value."), "Fields of the answer that say that it is done.").optional(),
  },
  "How to wait for what a 202 promised.",
);

interface Way {
  readonly headers?: { readonly [name: string]: string } | undefined;
  readonly auth?: unknown;
  readonly tls?: unknown;
  readonly proxy?: string | undefined;
}

/** What all requests of a resource share. */
export function wayOf(spec: Way, world: World): Omit<RequestData, "method" | "url" | "body"> {
  const plain = given({ headers: spec.headers, auth: spec.auth, tls: spec.tls, proxy: spec.proxy, timeout: world.declared.common.timeout });
  return JSON.parse(JSON.stringify(plain)) as Omit<RequestData, "method" | "url" | "body">;
}

/** One way of saying who sends it. */
export function checkAuth(auth: AuthData | undefined | { readonly [name: string]: unknown }, report: World["report"]): void {
  const named = Object.values((auth ?? {}) as { readonly [name: string]: Json | undefined }).filter((value) => value !== undefined);
  if (auth !== undefined && isObject(auth as Json) && named.length !== 1)
    report({
      code: "auth-forms",
      summary: "credentials have one form",
      detail: "give exactly one of `bearer`, `basic` and `oauth`",
      field: ["auth"],
    });
}

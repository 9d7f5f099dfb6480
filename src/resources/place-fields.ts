import { fields, type PlaceData, type World } from "../core/index.ts";
import { wayFields } from "./remote-fields.ts";

const { field, mapping, text } = fields;

/** A URL of one of these schemes. A user and a password may stand in it. */
export function placeUrl(schemes: readonly string[], about: string): fields.MustField<string> {
  return field(about, { type: "string", format: "uri" }, (value) => {
    if (typeof value !== "string") return fields.issue("wrong type", `this must be a URL, not ${fields.showValue(value)}`);
    const url = URL.canParse(value) ? new URL(value) : undefined;
    // The value itself may hold a password, so it is not shown.
    if (url === undefined || url.host === "" || !schemes.includes(url.protocol.slice(0, -1)))
      return fields.issue("not a URL", `this must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(", ")}`);
    if (url.hash !== "") return fields.issue("a fragment in a URL", "what stands behind # never reaches the other side: write it as %23");
    return { ok: true, value };
  });
}

/** How a broker or store is reached. */
export const placeFields = {
  auth: mapping(
    {
      user: text("The user.").optional(),
      password: text("The password, from a secret input.").optional(),
      token: text("A token in their place, from a secret input.").optional(),
    },
    "Who sends it: `{ user, password }` or `{ token }`; left out: as the URL says.",
  ).optional(),
  tls: wayFields.tls,
};

/** The place as operations have it. */
export function placeOf(url: string, spec: { readonly auth?: unknown; readonly tls?: unknown }, world: World): PlaceData {
  const { timeout } = world.declared.common;
  return JSON.parse(JSON.stringify({ url, auth: spec.auth, tls: spec.tls, timeout })) as PlaceData;
}

import { type CommonKeys, checkFields, type Fields, fields, type Issue, type Json, type JsonObject, parseDuration } from "../core/index.ts";

const duration = (about: string): fields.MustField<number> =>
  fields.field(about, { anyOf: [{ type: "string", pattern: "^[0-9]" }, { const: 0 }] }, (value) => {
    if (typeof value !== "string" && typeof value !== "number")
      return fields.issue("not a duration", `this must be a duration such as 30s or 5m, not ${fields.showValue(value)}`);
    const parsed = parseDuration(value);
    return parsed.ok ? { ok: true, value: parsed.value } : fields.issue(parsed.summary, parsed.detail);
  });

const address = fields.field("An address.", { type: "string" }, (value) =>
  typeof value === "string" && /^[^\s:]+:[\s\S]+$/.test(value)
    ? { ok: true, value }
    : fields.issue("not an address", `this must be an address such as file:/etc/motd, not ${fields.showValue(value)}`),
);

/** The keys that every type takes and that are data of the resource. `when`, `for_each`, `let` and `id` are read before them. */
export const commonFields: Fields = {
  needs: fields.listOrOne(address, "Addresses or globs of resources that must be set before this one.").optional(),
  tags: fields.listOrOne(fields.text("A tag."), "Words that --tags and --skip-tags select by.").optional(),
  retry: fields
    .eitherOf(
      fields.integer("How often it is tried in all.", { minimum: 1, maximum: 1000 }),
      fields.mapping(
        {
          attempts: fields.integer("How often it is tried in all.", { minimum: 1, maximum: 1000 }),
          delay: duration("How long to wait in between.").or(1000),
        },
        "Attempts and the time between them.",
      ),
      "How often a failed set is tried, and how long to wait in between (1s).",
    )
    .optional(),
  timeout: duration("How long one set may take.").optional(),
  become: fields
    .field("The account to act as; true means root.", { type: ["string", "boolean"] }, (value) =>
      typeof value === "boolean" || (typeof value === "string" && value !== "")
        ? { ok: true, value }
        : fields.issue("wrong type", `this must be an account's name or true, not ${fields.showValue(value)}`),
    )
    .optional(),
  on_failure: fields.choice(["stop", "continue", "revert"], "What a failure of this resource does to the run.").optional(),
  protect: fields.boolean("Whether a plan that would delete it is refused.").optional(),
  sensitive: fields.boolean("Whether its contents are never shown.").optional(),
  in_doubt: fields.choice(["retry", "skip", "ask"], "What happens when a crash left it unknown whether the effect took place.").optional(),
  undo: fields.anything("`none`, where leaving the effect behind is allowed; else what takes it back.").optional(),
};

/** What the keys that are read before the others say, for the schema. */
export const leadingKeys: { readonly [key: string]: { readonly about: string; readonly schema: JsonObject } } = {
  when: {
    about: "An expression, or a list of which all must hold, without which the resource is left out.",
    schema: { anyOf: [{ type: ["string", "boolean"] }, { type: "array", items: { type: ["string", "boolean"] } }] },
  },
  for_each: {
    about: "A list or map; the resource is declared once for each item, which is `each.key`, `each.value`, `each.index`.",
    schema: { type: ["array", "object", "string"] },
  },
  let: {
    about: "Names for values, worked out in order, that the other fields see as `let.name` and as `name`.",
    schema: { type: "object" },
  },
  id: { about: "A name of its own within the address, in place of the resource's name.", schema: { type: "string" } },
};

/** All keys that every type takes. */
export const commonKeyNames: readonly string[] = [...Object.keys(leadingKeys), ...Object.keys(commonFields)];

/** Checks those common keys that are known and gives what is good of them. */
export function commonKeys(values: JsonObject): { readonly common: CommonKeys; readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const good: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(values)) {
    const one = commonFields[key];
    if (one === undefined) continue;
    const checked = checkFields({ [key]: one }, { [key]: value });
    if (!checked.ok) issues.push(...checked.issues);
    else if (checked.value[key] !== undefined) good[key] = normal(key, checked.value[key]);
  }
  if (good.become === false) delete good.become;
  return { common: good as CommonKeys, issues };
}

function normal(key: string, value: Json): Json {
  if (key === "retry" && typeof value === "number") return { attempts: value, delay: 1000 };
  if (key === "become" && value === true) return "root";
  return value;
}

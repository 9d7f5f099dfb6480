import { fields, given, type JsonObject, resourceType, type Setting } from "../core/index.ts";
import { type HttpAbout, httpRegister, leavesOf, normalised } from "../registers/index.ts";
import { scalar } from "./command-form.ts";
import { checkAuth, pollField, wayFields, wayOf, webUrl } from "./remote-fields.ts";

const { anything, choice, listOf, mapOf, mapping, text } = fields;

const normal = choice(["lower", "trim", "sorted", "text", "number"], "A form.");

/** An object of an HTTP API. */
export const http = resourceType({
  type: "http",
  summary: "An object of an HTTP API, as JSON at its URL.",
  notes: [
    "The object is read with GET, and the fields in `body` are compared with what it has; fields that `body` does not name are left alone.",
    "It is written with a condition: `If-Match` with the entity tag that was read, `If-None-Match: *` where it is made. So nobody's change in between is lost:",
    "what moved is a conflict. An API without entity tags is read again right before; what is written in between is lost, unless `update: json_patch` is used,",
    "whose `test` steps do the same; the plan says `last-write-wins` there. `null` for a field means that it is unset.",
    "",
    "With `key` the URL is that of a collection: the item with these fields is looked for on all of its pages (`Link: rel=next`), and made by POST to it.",
  ].join("\n"),
  example: [
    "- http: https://api.example.com/users/5",
    "  body: { status: inactive, profile: { locale: de } }",
    "  auth: { bearer: t0ps3cret }",
    "- http: https://api.example.com/users",
    "  key: { email: six@example.com }",
    "  body: { name: six }",
    "- http: https://api.example.com/users/6",
    "  state: absent",
  ].join("\n"),
  fields: {
    http: webUrl("Its URL."),
    state: choice(["present", "absent"], "Whether it exists.").or("present"),
    body: mapOf(anything("A value."), "The fields that it has.").optional(),
    key: mapOf(scalar("A value."), "Fields by which it is found among the items of the collection at the URL.").optional(),
    item: text(
      "With `key`: the URL of an item, with its fields in braces, such as `https://api.example.com/users/{id}`; left out: as the item itself says, or its `id` below the collection.",
    ).optional(),
    read_from: webUrl("Where it is read, if not at its URL.").optional(),
    create: mapping(
      { method: choice(["POST", "PUT"], "The method.").or("POST"), url: webUrl("Where it is made.") },
      "How it is made; left out: PUT at its URL, if nothing is there.",
    ).optional(),
    update: choice(
      ["put", "merge_patch", "json_patch"],
      "`put` sends the object as read with the declared fields laid over it; `merge_patch` (RFC 7396) and `json_patch` (RFC 6902) send what differs.",
    ).or("put"),
    compare: listOf(text("A dotted path."), "The fields that are compared; left out: those in `body`.").optional(),
    ignore: listOf(text("A dotted path."), "Fields of `body` that are sent and not compared, such as a password.").optional(),
    normalise: mapOf(normal, "By dotted path, the form in which a value is compared.").optional(),
    poll: pollField.optional(),
    ...wayFields,
  },

  check(spec, report) {
    checkAuth(spec.auth, report);
    if (spec.item !== undefined && spec.key === undefined)
      report({
        code: "item-without-key",
        summary: "`item` without `key`",
        detail: "`item` says where the item is that `key` finds",
        field: ["item"],
      });
    if (spec.read_from !== undefined && spec.key !== undefined)
      report({
        code: "key-and-read-from",
        summary: "`key` and `read_from` exclude each other",
        detail: "with `key` it is read where it is found in the collection",
        field: ["read_from"],
      });
    if (spec.state === "present" && spec.body === undefined)
      report({ code: "http-without-body", summary: "an object without fields", detail: "say what it has: `body: { field: value }`" });
    if (spec.state === "absent" && spec.body !== undefined)
      report({
        code: "http-absent-body",
        summary: "an object that is not to be has fields",
        detail: "`state: absent` takes it away, whatever it has: leave `body` out",
        field: ["body"],
      });
    const named = new Set(leavesOf(spec.body ?? {}).map(({ path }) => path.join(".")));
    for (const [field, paths] of [
      ["compare", spec.compare],
      ["ignore", spec.ignore],
    ] as const)
      paths?.forEach((path, index) => {
        if (![...named].some((one) => one === path || one.startsWith(`${path}.`)))
          report({
            code: "unknown-field",
            summary: "a field that is not declared",
            detail: `\`body\` has no ${path}`,
            field: [field, index],
          });
      });
  },

  settings(spec, world): readonly Setting[] {
    const body = spec.body ?? {};
    const within = (path: string, list: readonly string[] | undefined) =>
      list?.some((one) => path === one || path.startsWith(`${one}.`)) === true;
    const paths = leavesOf(body)
      .map(({ path }) => path.join("."))
      .filter((path) => (spec.compare === undefined || within(path, spec.compare)) && !within(path, spec.ignore));
    const about: HttpAbout = {
      way: wayOf(spec, world),
      update: spec.update,
      fields: paths,
      ...(spec.key && { of: { url: spec.http, key: spec.key, ...given({ item: spec.item }) } as NonNullable<HttpAbout["of"]> }),
      ...(given({ read_from: spec.read_from, create: spec.create, normalise: spec.normalise, poll: spec.poll }) as Partial<HttpAbout>),
    };
    const { sensitive, undo } = world.declared.common;
    const manner = { ...given({ sensitive }), ...(undo === "none" && { undo: "none" as const }) };
    const common = { register: httpRegister(spec.http, about), ...(Object.keys(manner).length > 0 && { manner }) };
    if (spec.state === "absent") return [{ ...common, goal: "absent", want: {}, aspects: [] }];
    const wanted = normalisedBody(body, spec.normalise ?? {});
    return [{ ...common, goal: "object", want: { fields: wanted }, aspects: paths.map((path) => `field ${path}`) }];
  },
});

/** What is declared, in the form in which it is compared. */
function normalisedBody(body: JsonObject, how: NonNullable<HttpAbout["normalise"]>, above = ""): JsonObject {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const path = `${above}${name}`;
      const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
      return [name, isMap ? normalisedBody(value as JsonObject, how, `${path}.`) : normalised(value, how[path])];
    }),
  );
}

import { fields, type Json, type Setting, type World } from "../core/index.ts";
import { attributesWanted, mannerOf } from "./attributes.ts";
import { pathSetting, targetOf } from "./paths.ts";

const { boolean, choice, field, mapping, text } = fields;

const ends = choice(["end", "start"], "");
const anchors = mapping(
  {
    after: text("A pattern: behind the last line that it matches.").optional(),
    before: text("A pattern: in front of the last line that it matches.").optional(),
    first: boolean("Take the first line that matches.").or(false),
  },
  "",
);

type Place = "end" | "start" | { readonly after: string; readonly first?: boolean } | { readonly before: string; readonly first?: boolean };

/** Where new lines go. */
export const position: fields.Field<Place> = field<Place>(
  "Where new lines go: `end`, `start`, `{ after: PATTERN }` or `{ before: PATTERN }`, with `first: true` at the first line that matches and else at the last. Where none matches, at the end.",
  { anyOf: [ends.schema, anchors.schema] },
  (value: Json) => {
    if (typeof value === "string") return ends.check(value);
    const checked = anchors.check(value);
    if (!checked.ok) return checked;
    const { after, before, first } = checked.value;
    if ((after === undefined) === (before === undefined))
      return fields.issue("a position needs one anchor", "give either `after` or `before`");
    const more = first ? { first: true } : {};
    return { ok: true, value: after === undefined ? { before: before ?? "", ...more } : { after, ...more } };
  },
).or("end");

/** Whether a missing file is made. */
export const create = boolean("Make the file where it does not exist; its folder must be there.").or(false);

type EditSpec = Parameters<typeof attributesWanted>[0] & Omit<Parameters<typeof mannerOf>[0], "replace"> & { readonly follow: boolean };

/** The settings of edits of parts of a file: one for each, as each part is owned for itself, and one for the file's attributes where they are declared. */
export function editSettings(
  path: string,
  edits: readonly Pick<Setting, "goal" | "want" | "aspects">[],
  spec: EditSpec,
  world: World,
): readonly Setting[] {
  const key = targetOf(path, spec.follow, world);
  // Of these types one has its path under the name `replace`; none may take the place of what is no file.
  const { validate, hardlinks, write, sensitive } = spec;
  const manner = mannerOf({ validate, hardlinks, write, sensitive }, world);
  const attributes = attributesWanted(spec, world);
  const parts = edits.map(({ goal, want, aspects }) => pathSetting(key, goal, want, aspects, manner));
  const declared = Object.keys(attributes);
  return declared.length === 0 ? parts : [...parts, pathSetting(key, "attributes", attributes, declared, manner)];
}

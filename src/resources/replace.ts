import { fields, given, resourceType } from "../core/index.ts";
import { loadedText, loadText } from "../registers/index.ts";
import { fileFields } from "./attributes.ts";
import { editSettings } from "./text-fields.ts";

const { mapping, path, text } = fields;

/** All that a pattern matches in a text file. */
export const replace = resourceType({
  type: "replace",
  summary: "All that a pattern matches in a text file becomes another text.",
  notes: [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what users write
    "`with` may refer to groups as `$1` or `${name}`; `$$` is a dollar sign. `^` and `$` in the pattern are the ends of lines; the syntax is that of RE2.",
    "A pattern that would match its own result and change it again is refused. What was replaced does not come back when the resource is no longer declared.",
  ].join("\n"),
  example: [
    "- replace: /etc/nginx/nginx.conf",
    "  pattern: '^(\\s*)worker_connections \\d+;'",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what users write
    "  with: '${1}worker_connections 1024;'",
    "  within: { after: '^events \\{', before: '^\\}' }",
  ].join("\n"),
  fields: {
    replace: path("Path of the file."),
    pattern: text("What to replace."),
    with: text("What takes its place."),
    within: mapping(
      {
        after: text("Only what follows the first match of this pattern.").optional(),
        before: text("Only what precedes the next match of this pattern.").optional(),
      },
      "The part of the file to look at; where a pattern does not match, nothing is replaced.",
    ).optional(),
    ...fileFields,
  },
  tag: (spec) => spec.pattern,
  prepare: loadText,

  check(spec, report) {
    const checked = loadedText().replaceText("", replaceWanted(spec));
    if (!checked.ok) report({ code: "replace-refused", summary: checked.summary, detail: checked.detail, field: ["pattern"] });
  },

  settings: (spec, world) =>
    editSettings(spec.replace, [{ goal: "replace", want: replaceWanted(spec), aspects: [`replace ${spec.pattern}`] }], spec, world),
});

type ReplaceSpec = {
  readonly pattern: string;
  readonly with: string;
  readonly within?: { readonly after: string | undefined; readonly before: string | undefined } | undefined;
};

function replaceWanted({ pattern, with: replacement, within }: ReplaceSpec) {
  return { pattern, with: replacement, ...(within !== undefined && { within: given({ after: within.after, before: within.before }) }) };
}

import { fields, given, resourceType } from "../core/index.ts";
import { loadedText, loadText } from "../registers/index.ts";
import { fileFields } from "./attributes.ts";
import { create, editSettings, position } from "./text-fields.ts";

const { boolean, choice, path, text } = fields;

/** One line of a text file. */
export const line = resourceType({
  type: "line",
  summary: "One line of a text file; all other lines stay as they are.",
  notes: [
    "Without `match` the line is looked for as it is. With `match`, the last line that the pattern matches becomes `text` (see `occurrence`);",
    "where none matches, the line is added at `position`. `match` must match `text` too, or each run would add the line again.",
    "With `state: absent` all lines that are `text`, or that `match` matches, are removed. Patterns have the RE2 syntax.",
  ].join("\n"),
  example: [
    "- line: /etc/ssh/sshd_config",
    "  match: '^#?PermitRootLogin '",
    "  text: PermitRootLogin no",
    "  validate: sshd -t -f %s",
    "- line: /etc/hosts",
    "  text: 127.0.0.1 site.test",
    "- line: /etc/fstab",
    "  match: '\\sswap\\s'",
    "  state: absent",
  ].join("\n"),
  fields: {
    line: path("Path of the file."),
    state: choice(["present", "absent"], "Whether the line is in the file.").or("present"),
    text: text("The whole line.").optional(),
    match: text("A pattern for the line that becomes `text`; `^` and `$` are its ends.").optional(),
    occurrence: choice(
      ["last", "first", "all", "only"],
      "Which of several lines that match becomes `text`; `only`: the first does, and the others are removed.",
    ).or("last"),
    position,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what users write
    expand: boolean("Put the groups of `match` into `text` where it says `$1` or `${name}`.").or(false),
    create,
    ...fileFields,
  },
  tag: (spec) => spec.match ?? spec.text ?? "",
  prepare: loadText,

  check(spec, report) {
    const checked = loadedText().withoutLine("", lineWanted(spec), undefined);
    if (!checked.ok) report({ code: "line-refused", ...shown(checked), field: [spec.match === undefined ? "text" : "match"] });
    const anchor = typeof spec.position === "string" ? undefined : "after" in spec.position ? spec.position.after : spec.position.before;
    const compiled = anchor === undefined ? undefined : loadedText().compile(anchor);
    if (compiled?.ok === false) report({ code: "bad-pattern", ...shown(compiled), field: ["position"] });
  },

  settings(spec, world) {
    const isAbsent = spec.state === "absent";
    const want = { ...lineWanted(spec), ...(spec.create && { create: true as const }) };
    return editSettings(
      spec.line,
      [{ goal: "line", want, aspects: isAbsent ? [] : [`line ${spec.match ?? spec.text ?? ""}`] }],
      spec,
      world,
    );
  },
});

type LineSpec = {
  readonly state: "present" | "absent";
  readonly text?: string | undefined;
  readonly match?: string | undefined;
  readonly occurrence: "last" | "first" | "all" | "only";
  readonly position: fields.ValueOf<typeof position>;
  readonly expand: boolean;
};

function lineWanted({ state, text: wanted, match, occurrence, position: place, expand }: LineSpec) {
  return { state, occurrence, position: place, ...given({ text: wanted, match }), ...(expand && { expand }) };
}

function shown({ summary, detail }: { readonly summary: string; readonly detail: string }): {
  readonly summary: string;
  readonly detail: string;
} {
  return { summary, detail };
}

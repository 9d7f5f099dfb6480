import { fields, given, resourceType } from "../core/index.ts";
import { loadedText, loadText } from "../registers/index.ts";
import { fileFields } from "./attributes.ts";
import { create, editSettings, position } from "./text-fields.ts";

const { choice, path, text } = fields;

/** Lines of a text file between two marker lines. */
export const block = resourceType({
  type: "block",
  summary: "Lines of a text file between two marker lines; all other lines stay as they are.",
  notes: [
    "The marker lines are `# BEGIN setpoint NAME` and `# END setpoint NAME`, with `marker` as the name and `comment` in the place of `#`.",
    "A comment with an end is written with `{}` in the place of the words: `<!-- {} -->`. To take over a block that another tool made, give its whole",
    "marker lines as `begin` and `end`.",
  ].join("\n"),
  example: [
    "- block: /etc/hosts",
    "  marker: cluster",
    "  text: |",
    "    10.0.0.1 one",
    "    10.0.0.2 two",
    "- block: /etc/ssh/sshd_config",
    "  begin: '# BEGIN ANSIBLE MANAGED BLOCK'",
    "  end: '# END ANSIBLE MANAGED BLOCK'",
    "  state: absent",
  ].join("\n"),
  fields: {
    block: path("Path of the file."),
    state: choice(["present", "absent"], "Whether the block is in the file.").or("present"),
    text: text("The lines between the markers.").optional(),
    marker: text("The block's name within the file.").optional(),
    comment: text("What makes a line a comment in this file, `{}` standing for the words if it has an end too.").or("#"),
    begin: text("The whole first marker line.").optional(),
    end: text("The whole second marker line.").optional(),
    position,
    create,
    ...fileFields,
  },
  tag: (spec) => nameOf(spec),
  prepare: loadText,

  check(spec, report) {
    if ((spec.begin === undefined) !== (spec.end === undefined)) {
      report({
        code: "half-marker",
        summary: "one marker line of two",
        detail: "`begin` and `end` go together",
        field: [spec.begin === undefined ? "end" : "begin"],
      });
      return;
    }
    if (spec.text === undefined && spec.state === "present")
      report({
        code: "block-without-text",
        summary: "a block without text",
        detail: "`text` holds the lines of the block; to remove the block set `state: absent`",
      });
    const checked = loadedText().setBlock("", blockWanted(spec));
    if (!checked.ok)
      report({
        code: "block-refused",
        summary: checked.summary,
        detail: checked.detail,
        field: [spec.begin === undefined ? "text" : "begin"],
      });
  },

  settings(spec, world) {
    const want = { ...blockWanted(spec), ...(spec.create && { create: true as const }) };
    return editSettings(
      spec.block,
      [{ goal: "block", want, aspects: spec.state === "absent" ? [] : [`block ${nameOf(spec)}`] }],
      spec,
      world,
    );
  },
});

type BlockSpec = {
  readonly state: "present" | "absent";
  readonly text?: string | undefined;
  readonly marker?: string | undefined;
  readonly comment: string;
  readonly begin?: string | undefined;
  readonly end?: string | undefined;
  readonly position: fields.ValueOf<typeof position>;
};

/** What tells a block from others of its file. */
function nameOf(spec: Pick<BlockSpec, "marker" | "begin">): string {
  return spec.marker ?? spec.begin ?? "block";
}

function blockWanted(spec: BlockSpec) {
  const { state, comment, begin, end } = spec;
  return { state, comment, marker: nameOf(spec), position: spec.position, ...given({ text: spec.text, begin, end }) };
}

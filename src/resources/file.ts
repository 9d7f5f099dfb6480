import { type Digest, fields, resourceType, type World } from "../core/index.ts";
import { attributesWanted, fileFields, mannerOf } from "./attributes.ts";
import { gone, pathSetting, targetOf } from "./paths.ts";
import { sourceFile } from "./sources.ts";

const { anything, boolean, choice, mapOf, path, text } = fields;

/** One regular file. */
export const file = resourceType({
  type: "file",
  summary: "One regular file: its whole content, its mode, owner and group.",
  notes: [
    "At most one of `content`, `content_base64`, `source` and `template` says what the file holds. With none of them the content is",
    "not managed, and the file is created empty where it does not exist. The folder that holds the file must exist or be declared.",
    "A new file gets the mode 0644 where none is declared. To edit parts of a file see `line`, `block`, `replace` and `config`.",
  ].join("\n"),
  example: [
    "- file: /etc/motd",
    "  content: |",
    "    Welcome.",
    "  mode: '0644'",
    "- file: /etc/nginx/nginx.conf",
    "  content: |",
    "    events {}",
    "  owner: root",
    "  validate: nginx -t -c %s",
    "- file: [ /etc/cron.d/old, /etc/cron.d/older ]",
    "  state: absent",
  ].join("\n"),
  many: true,
  fields: {
    file: path("Path of the file, or a list of paths that share the fields."),
    state: choice(["present", "absent"], "Whether the file exists.").or("present"),
    content: text("The whole content.").optional(),
    content_base64: text("The whole content in base64, for what is no text.").optional(),
    source: path("A file to copy, relative to the playbook's folder.").optional(),
    template: path("A template to render, relative to the playbook's folder.").optional(),
    vars: mapOf(anything("A value."), "Variables for the template, besides those of the playbook.").optional(),
    create_only: boolean("Set the content only where the file does not exist yet.").or(false),
    replace: boolean("Take the place of a symbolic link or an empty directory that stands there.").or(false),
    ...fileFields,
  },

  check(spec, report) {
    const ways = (["content", "content_base64", "source", "template"] as const).filter((name) => spec[name] !== undefined);
    const [first, second] = ways;
    if (first !== undefined && second !== undefined) {
      report({
        code: "content-twice",
        summary: "two fields say what the file holds",
        detail: `\`${first}\` and \`${second}\` exclude each other: keep one of them`,
        field: [second],
      });
    }
    if (spec.vars !== undefined && spec.template === undefined)
      report({
        code: "vars-without-template",
        summary: "variables without a template",
        detail: "`vars` are for `template`, which is not given",
        field: ["vars"],
      });
    if (spec.follow && spec.replace)
      report({
        code: "follow-and-replace",
        summary: "two ways to treat a symbolic link",
        detail: "`follow` manages the file behind the link, `replace` takes the link's place: keep one of them",
        field: ["replace"],
      });
    if (spec.content_base64 !== undefined && !isBase64(spec.content_base64))
      report({
        code: "not-base64",
        summary: "not base64",
        detail: "this must be base64 with its padding; blanks and line breaks are free",
        field: ["content_base64"],
      });
  },

  settings(spec, world) {
    const key = targetOf(spec.file, spec.follow, world);
    const manner = mannerOf(spec, world);
    if (spec.state === "absent") return [gone(key, spec.replace ? {} : { only: "file" }, manner)];
    const content = contentOf(spec, world);
    if (content === "missing") return [];
    const attributes = attributesWanted(spec, world);
    const want = { ...(content !== undefined && { content }), ...attributes, ...(spec.create_only && { create_only: true as const }) };
    return [
      pathSetting(key, "whole-file", want, ["exists", ...(content === undefined ? [] : ["content"]), ...Object.keys(attributes)], manner),
    ];
  },
});

type ContentSpec = {
  readonly content?: string | undefined;
  readonly content_base64?: string | undefined;
  readonly source?: string | undefined;
  readonly template?: string | undefined;
  readonly vars?: { readonly [name: string]: fields.ValueOf<ReturnType<typeof anything>> } | undefined;
};

/** The digest of what a spec says the file holds; undefined where it says nothing, `missing` where that was reported. */
function contentOf(spec: ContentSpec, world: World): Digest | undefined | "missing" {
  if (spec.content !== undefined) return world.contents.put(spec.content);
  if (spec.content_base64 !== undefined) return world.contents.put(Buffer.from(spec.content_base64, "base64"));
  const name = spec.source === undefined ? "template" : "source";
  const given = spec.source ?? spec.template;
  if (given === undefined) return undefined;
  const from = world.source(given);
  const found = sourceFile(from, name, world);
  if (found === undefined) return "missing";
  if (spec.template === undefined) return found.content;
  return world.contents.put(world.render(world.contents.text(found.content), spec.vars ?? {}, from));
}

function isBase64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replace(/\s+/g, ""));
}

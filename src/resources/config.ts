import { fields, type Json, resourceType } from "../core/index.ts";
import {
  type Edit,
  FormatError,
  flattenSet,
  formatKeyPath,
  formatName,
  formatNames,
  type KeyEdit,
  type KeyPath,
  keyPathProblem,
  parseKeyPath,
} from "../registers/index.ts";
import { fileFields } from "./attributes.ts";
import { create, editSettings } from "./text-fields.ts";

const { anything, choice, listOrOne, mapOf, path, text } = fields;

/** Values in a structured config file. */
export const config = resourceType({
  type: "config",
  summary: "Values at key paths of a structured config file; comments, order and all other keys stay as they are.",
  notes: [
    'A key path has dots between keys; a key with a dot in it is quoted (`"a.b".c`), `[2]` is an entry of a list, and `[name=web]` the entry whose `name` is `web`.',
    "Nested maps under `set` mean the same as paths with dots and are merged with what is there; lists and scalars are set whole.",
    "The format is that of the file's suffix unless `format` says another.",
  ].join("\n"),
  example: [
    "- config: /etc/app.toml",
    "  set: { server.workers: 4, log: { level: info } }",
    "  unset: [ server.legacy ]",
    "  create: true",
    "- config: /etc/docker/daemon.json",
    "  set: { log-driver: journald }",
    "- config: /etc/compose.yaml",
    "  set: { 'services[name=web].image': 'nginx:1.27' }",
  ].join("\n"),
  fields: {
    config: path("Path of the file."),
    state: choice(["present", "absent"], "Whether the keys under `set` are in the file.").or("present"),
    format: choice(formatNames, "The file's format; left out, that of its name.").optional(),
    set: mapOf(anything("A value, or a map of further key paths."), "Values by key path.").optional(),
    unset: listOrOne(text("A key path."), "Key paths that are removed with all below them.").optional(),
    create,
    ...fileFields,
  },
  tag(spec) {
    const [first] = Object.keys(spec.set ?? {});
    return first ?? spec.unset?.[0] ?? "";
  },

  check(spec, report) {
    if (formatName(spec.config, spec.format) === undefined) {
      report({
        code: "unknown-format",
        summary: "the format of a file is unknown",
        detail: `the name ${spec.config} says no format: give \`format\`, one of ${formatNames.join(", ")}`,
      });
    }
    if (Object.keys(spec.set ?? {}).length === 0 && (spec.unset ?? []).length === 0)
      report({ code: "config-without-keys", summary: "a config without keys", detail: "`set` and `unset` say what is managed" });
    const edits = editsOf(spec, (problem, field) => report({ code: "bad-key-path", summary: "not a key path", detail: problem, field }));
    const seen: string[] = [];
    for (const edit of edits) {
      const own = "set" in edit ? edit.set : edit.unset;
      const clash = seen.find((other) => within(own, other) || within(other, own));
      if (clash !== undefined)
        report({
          code: "key-twice",
          summary: "two fields say what a key holds",
          detail: `${own} and ${clash} are the same key or one holds the other: declare one of them`,
          field: ["set" in edit ? "set" : "unset"],
        });
      seen.push(own);
    }
  },

  settings(spec, world) {
    const format = formatName(spec.config, spec.format) ?? "json";
    const declared = editsOf(spec, () => undefined);
    const edits = spec.state === "present" ? declared : declared.map((edit): KeyEdit => ({ unset: "set" in edit ? edit.set : edit.unset }));
    const parts = edits.map((edit) => ({
      goal: "config",
      want: { format, edits: [edit], ...(spec.create && { create: true as const }) },
      aspects: spec.state === "absent" ? [] : [`key ${"set" in edit ? edit.set : edit.unset}`],
    }));
    return editSettings(spec.config, parts, spec, world);
  },
});

type KeysSpec = { readonly set?: { readonly [path: string]: Json } | undefined; readonly unset?: readonly string[] | undefined };

/** The edits that a spec asks for, as data; a path that cannot be read is reported and left out. */
function editsOf(spec: KeysSpec, report: (problem: string, field: readonly (string | number)[]) => void): readonly KeyEdit[] {
  const edits: KeyEdit[] = [];
  for (const [key, value] of Object.entries(spec.set ?? {})) {
    for (const edit of attempt(
      () => flattenSet({ [key]: value }),
      (problem) => report(problem, ["set", key]),
    )) {
      if ("set" in edit) edits.push({ set: formatKeyPath(edit.set), value: edit.value });
    }
  }
  (spec.unset ?? []).forEach((key, index) => {
    const problem = keyPathProblem(key);
    if (problem === undefined) edits.push({ unset: formatKeyPath(parseKeyPath(key)) });
    else report(problem, ["unset", index]);
  });
  return edits;
}

function attempt(flatten: () => readonly Edit[], report: (problem: string) => void): readonly Edit[] {
  try {
    return flatten();
  } catch (thrown) {
    if (!(thrown instanceof FormatError)) throw thrown;
    report(`${thrown.message}. ${thrown.mend}`);
    return [];
  }
}

/** Whether a key path is another's or leads to something below it. */
function within(inner: string, outer: string): boolean {
  const [deep, flat]: [KeyPath, KeyPath] = [parseKeyPath(inner), parseKeyPath(outer)];
  return flat.every((step, index) => JSON.stringify(step) === JSON.stringify(deep[index]));
}

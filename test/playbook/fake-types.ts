import { fields, type JsonObject, type ResourceType, resourceType } from "../../src/core/index.ts";
import { modeProblem } from "../../src/core/mode.ts";
import type { PlaybookSources } from "../../src/playbook/index.ts";

const mode = fields.field("Permission bits.", { type: "string" }, (value) => {
  const wrong = modeProblem(value);
  return wrong === undefined ? { ok: true, value: value as string } : fields.issue(wrong.summary, wrong.detail);
});

const none = (): readonly [] => [];

/** Types with the joints that playbooks know: many names, tags, values that are no text, own fields under common names. */
export const fakeTypes: ReadonlyMap<string, ResourceType> = new Map(
  [
    resourceType({
      type: "file",
      summary: "A file.",
      example: "",
      many: true,
      fields: {
        file: fields.path("Path."),
        state: fields.choice(["present", "absent"], "Whether it is there.").or("present"),
        content: fields.text("Content.").optional(),
        template: fields.path("Template.").optional(),
        mode: mode.optional(),
        owner: fields.text("Owner.").optional(),
        sensitive: fields.boolean("Never shown.").optional(),
      },
      settings: none,
    }),
    resourceType({
      type: "package",
      summary: "A package.",
      example: "",
      many: true,
      fields: { package: fields.text("Name."), version: fields.text("Version.").optional() },
      settings: none,
    }),
    resourceType({
      type: "service",
      summary: "A service.",
      example: "",
      fields: {
        service: fields.text("Name."),
        running: fields.boolean("Runs.").optional(),
        restart_when: fields.listOf(fields.text("Address."), "Watched.").optional(),
      },
      settings: none,
    }),
    resourceType({
      type: "line",
      summary: "A line.",
      example: "",
      fields: { line: fields.path("Path."), text: fields.text("Text."), match: fields.text("Match.").optional() },
      tag: (spec) => spec.match ?? spec.text,
      settings: none,
    }),
    resourceType({
      type: "config",
      summary: "Settings in a file.",
      example: "",
      fields: {
        config: fields.path("Path."),
        set: fields.mapOf(fields.anything("Value."), "Values.").optional(),
        unset: fields.listOf(fields.text("Key."), "Keys.").optional(),
      },
      tag: (spec) => Object.keys(spec.set ?? {})[0] ?? spec.unset?.[0] ?? "",
      settings: none,
    }),
    resourceType({
      type: "command",
      summary: "A command.",
      example: "",
      fields: {
        command: fields.text("Label."),
        run: fields.argv("Words.").optional(),
        timeout: fields.text("The type's own.").optional(),
        undo: fields.argv("The type's own.").optional(),
      },
      nameOf: (value) => {
        if (!Array.isArray(value) || !value.every((word) => typeof word === "string")) return undefined;
        return { name: value.join(" ").slice(0, 60), fields: { run: value } };
      },
      settings: none,
    }),
  ].map((type) => [type.type, type]),
);

/** Sources without anything in them, and what a test puts over. */
export function sources(
  over: {
    readonly facts?: JsonObject;
    readonly given?: { readonly [name: string]: string };
    readonly environment?: { readonly [name: string]: string };
    readonly varFiles?: readonly { readonly file: string; readonly text: string }[];
    readonly env?: { readonly [name: string]: string };
    readonly files?: { readonly [path: string]: string };
    readonly command?: PlaybookSources["command"];
    readonly selection?: Partial<PlaybookSources["selection"]>;
  } = {},
): PlaybookSources {
  return {
    types: fakeTypes,
    variables: {
      files: over.varFiles ?? [],
      environment: over.environment ?? {},
      given: Object.entries(over.given ?? {}).map(([name, value]) => ({ name, value })),
    },
    env: (name) => over.env?.[name],
    file: (path) => over.files?.[path],
    command: over.command ?? (() => ""),
    facts: over.facts ?? { os: { family: "debian", version: 12 }, cpus: 4 },
    selection: { only: [], exclude: [], tags: [], skipTags: [], ...over.selection },
  };
}

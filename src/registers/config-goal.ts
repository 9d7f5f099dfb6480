import type { Goal, Json, JsonObject } from "../core/index.ts";
import { type Creates, earlierText, edited, unlessEmptied } from "./edited-file.ts";
import {
  type ConfigFormat,
  type Edit,
  FormatError,
  type FormatName,
  formatKeyPath,
  type KeyPath,
  loadedFormat,
  loadFormat,
  parseKeyPath,
} from "./formats/index.ts";
import { pathGoal } from "./path-goals.ts";
import type { TextResult } from "./text/text-result.ts";

/** What is wanted of some keys of a config file, in the order in which they are written where they are missing. */
export type ConfigWant = Creates & {
  readonly format: FormatName;
  readonly edits: readonly KeyEdit[];
};

/** One key, its path as `parseKeyPath` reads it. */
export type KeyEdit = { readonly set: string; readonly value: Json } | { readonly unset: string };

/** Values at key paths of a config file; all else in it stays as it is, comments and order too. */
export const config = pathGoal<ConfigWant & JsonObject>(
  "config",
  (now, want, view) => {
    const sets = want.edits.some((edit) => "set" in edit);
    return edited(now, want.create && sets ? "create" : sets ? "refuse" : "leave", view, (text) =>
      inFormat(want, (format) => format.edit(text, want.edits.map(parsed))),
    );
  },
  {
    prepare: async (want) => {
      await loadFormat(want.format);
    },
    release(now, want, was, view) {
      if (now.is !== "file") return now;
      const before = earlierText(was, view);
      return unlessEmptied(
        edited(now, "leave", view, (text) => inFormat(want, (format) => restored(format, text, want.edits.map(parsed), before))),
        was,
        view,
        (left) => /^\s*(?:\{\s*\}|\[\s*\])?\s*$/.test(left),
      );
    },
  },
);

/** The goals that edit config files. */
export const configGoals: readonly Goal[] = [config];

function parsed(edit: KeyEdit): Edit {
  return "set" in edit ? { set: parseKeyPath(edit.set), value: edit.value } : { unset: parseKeyPath(edit.unset) };
}

function pathOf(edit: Edit): KeyPath {
  return "set" in edit ? edit.set : edit.unset;
}

/** Each key goes back to its value in the earlier text, or goes where it had none; so do maps that were made only to hold it. */
function restored(format: ConfigFormat, text: string, edits: readonly Edit[], before: string | undefined): string {
  if (before !== undefined && triedEdit(format, before, edits) === text) return before;
  const value = (path: KeyPath, of: string | undefined): ReturnType<ConfigFormat["get"]> =>
    of === undefined ? undefined : format.get(of, path);
  let left = text;
  for (const edit of [...edits].reverse()) {
    const path = pathOf(edit);
    const earlier = value(path, before);
    left = format.edit(left, [earlier === undefined ? { unset: path } : { set: path, value: earlier }]);
    for (
      let up = path.slice(0, -1);
      up.length > 0 && value(up, before) === undefined && isEmptyMap(value(up, left));
      up = up.slice(0, -1)
    ) {
      left = format.edit(left, [{ unset: up }]);
    }
  }
  return left;
}

/** The text after the edits; undefined where that text would refuse them. */
function triedEdit(format: ConfigFormat, text: string, edits: readonly Edit[]): string | undefined {
  const result = attempted(() => format.edit(text, edits));
  return result.ok ? result.text : undefined;
}

function isEmptyMap(value: ReturnType<ConfigFormat["get"]>): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function inFormat(want: ConfigWant, edit: (format: ConfigFormat) => string): TextResult {
  return attempted(() => edit(loadedFormat(want.format)), want.format);
}

function attempted(edit: () => string, format = ""): TextResult {
  try {
    return { ok: true, text: edit() };
  } catch (thrown) {
    if (!(thrown instanceof FormatError)) throw thrown;
    const place = thrown.line > 0 && !/line \d/.test(thrown.message) ? `line ${thrown.line}: ` : "";
    return { ok: false, summary: "the config file cannot be edited so", detail: `as ${format}: ${place}${thrown.message}. ${thrown.mend}` };
  }
}

/** What is wrong with a key path; undefined where it is one. */
export function keyPathProblem(text: string): string | undefined {
  const result = attempted(() => formatKeyPath(parseKeyPath(text)));
  return result.ok ? undefined : result.detail.replace(/^as : /, "");
}

import { Bug, CannotConverge, type Goal, type JsonObject, type View } from "../core/index.ts";
import { bytesOf, freshFile, pathGoal, withContent } from "./path-goals.ts";
import { absent, nounOf, type PathState } from "./path-state.ts";
import type { BlockWant, LineWant, ReplaceWant, TextFile, TextProblem, TextResult } from "./text/index.ts";

type TextModule = typeof import("./text/index.ts");

let text: TextModule | undefined;

/** Loads the text editors with their pattern engine. */
export async function loadText(): Promise<void> {
  text ??= await import("./text/index.ts");
}

/** The text editors after `loadText`. */
export function loadedText(): TextModule {
  if (text === undefined) throw new Bug("text editors are used before they are loaded");
  return text;
}

/** What an edit makes of a file that is not there: an empty one that is then edited, nothing, or an error. */
export type Missing = "create" | "leave" | "refuse";

/** Whether a file that does not exist is made. */
export type Creates = { readonly create?: true };

/**
 * A state with its text edited in the file's own encoding; the state itself where the text stays. `edit` gives the new text
 * or why it cannot. Throws CannotConverge where there is no text to edit. `loadText` must have been awaited.
 */
export function edited(now: PathState, missing: Missing, view: View, edit: (text: string) => TextResult): PathState {
  if (now.is === "absent" && missing === "leave") return now;
  const file = textOf(now, missing, view);
  const result = edit(file.text);
  if (!result.ok) throw cannot(result);
  if (now.is === "file" && result.text === file.text) return now;
  const after: TextFile = { ...file, text: result.text };
  const foreign = loadedText().encodingProblem(after);
  if (foreign !== undefined) throw cannot(foreign);
  const content = view.contents.put(loadedText().encode(after));
  return now.is === "file" ? withContent(now, content) : freshFile(content);
}

/** The text before the stack first set the file; undefined where there was none. */
export function earlierText(was: PathState, view: View): string | undefined {
  if (was.is !== "file") return undefined;
  const file = loadedText().decode(bytesOf(was, view.contents));
  return file.binary ? undefined : file.text;
}

/** A file that was made only for what is now released goes with it. */
export function unlessEmptied(after: PathState, was: PathState, view: View, isEmpty: (text: string) => boolean = (left) => left === ""): PathState {
  if (was.is !== "absent" || after.is !== "file") return after;
  return isEmpty(loadedText().decode(bytesOf(after, view.contents)).text) ? absent : after;
}

function textOf(now: PathState, missing: Missing, view: View): TextFile {
  switch (now.is) {
    case "file": {
      const file = loadedText().decode(bytesOf(now, view.contents));
      if (!file.binary) return file;
      throw new CannotConverge("a binary file cannot be edited as text", "it holds NUL bytes; declare it as a `file` with its whole content");
    }
    case "absent":
      if (missing === "create") return loadedText().decode(Buffer.alloc(0));
      throw new CannotConverge("the file to edit does not exist", "set `create: true` to make it, or declare it as a `file`");
    case "symlink":
      throw new CannotConverge("a symbolic link stands in the way", `it leads to ${now.to}: set \`follow: true\` to edit the file behind it`);
    default:
      throw new CannotConverge("only a file can be edited", `${nounOf(now)} stands there`);
  }
}

function cannot(problem: TextProblem): CannotConverge {
  return new CannotConverge(problem.summary, problem.detail);
}

const missingFor = (want: { readonly state: "present" | "absent" } & Creates): Missing => (want.state === "absent" ? "leave" : want.create ? "create" : "refuse");

/** One line of a file. */
export const line = pathGoal<LineWant & Creates & JsonObject>("line", (now, want, view) => edited(now, missingFor(want), view, (old) => loadedText().setLine(old, want)), {
  prepare: loadText,
  release(now, want, was, view) {
    if (now.is !== "file") return now;
    return unlessEmptied(
      edited(now, "leave", view, (old) => loadedText().withoutLine(old, want, earlierText(was, view))),
      was,
      view,
    );
  },
});

/** Lines of a file between two marker lines. */
export const block = pathGoal<BlockWant & Creates & JsonObject>("block", (now, want, view) => edited(now, missingFor(want), view, (old) => loadedText().setBlock(old, want)), {
  prepare: loadText,
  release(now, want, was, view) {
    if (now.is !== "file") return now;
    return unlessEmptied(
      edited(now, "leave", view, (old) => loadedText().withoutBlock(old, want, earlierText(was, view))),
      was,
      view,
    );
  },
});

/** All that a pattern matches in a file. A release leaves it replaced: nothing tells what stood there. */
export const replace = pathGoal<ReplaceWant & JsonObject>("replace", (now, want, view) => edited(now, "refuse", view, (old) => loadedText().replaceText(old, want)), {
  prepare: loadText,
  release: (now) => now,
});

/** The goals that edit text. */
export const textGoals: readonly Goal[] = [line, block, replace];

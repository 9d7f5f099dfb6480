import { CannotConverge, type View } from "../core/index.ts";
import { bytesOf, freshFile, withContent } from "./path-goals.ts";
import { absent, nounOf, type PathState } from "./path-state.ts";
// The encodings alone: the index beside them would bring the pattern engine along.
import { decode, encode, encodingProblem, type TextFile } from "./text/encoding.ts";
import type { TextProblem, TextResult } from "./text/text-result.ts";

/** What an edit makes of a file that is not there: an empty one that is then edited, nothing, or an error. */
export type Missing = "create" | "leave" | "refuse";

/** Whether a file that does not exist is made. */
export type Creates = { readonly create?: true };

/**
 * A state with its text edited in the file's own encoding; the state itself where the text stays. `edit` gives the new text
 * or why it cannot. Throws CannotConverge where there is no text to edit.
 */
export function edited(now: PathState, missing: Missing, view: View, edit: (text: string) => TextResult): PathState {
  if (now.is === "absent" && missing === "leave") return now;
  const file = textOf(now, missing, view);
  const result = edit(file.text);
  if (!result.ok) throw cannot(result);
  if (now.is === "file" && result.text === file.text) return now;
  const after: TextFile = { ...file, text: result.text };
  const foreign = encodingProblem(after);
  if (foreign !== undefined) throw cannot(foreign);
  const content = view.contents.put(encode(after));
  return now.is === "file" ? withContent(now, content) : freshFile(content);
}

/** The text before the stack first set the file; undefined where there was none. */
export function earlierText(was: PathState, view: View): string | undefined {
  if (was.is !== "file") return undefined;
  const file = decode(bytesOf(was, view.contents));
  return file.binary ? undefined : file.text;
}

/** A file that was made only for what is now released goes with it. */
export function unlessEmptied(
  after: PathState,
  was: PathState,
  view: View,
  isEmpty: (text: string) => boolean = (left) => left === "",
): PathState {
  if (was.is !== "absent" || after.is !== "file") return after;
  return isEmpty(decode(bytesOf(after, view.contents)).text) ? absent : after;
}

function textOf(now: PathState, missing: Missing, view: View): TextFile {
  switch (now.is) {
    case "file": {
      const file = decode(bytesOf(now, view.contents));
      if (!file.binary) return file;
      throw new CannotConverge(
        "a binary file cannot be edited as text",
        "it holds NUL bytes; declare it as a `file` with its whole content",
      );
    }
    case "absent":
      if (missing === "create") return decode(Buffer.alloc(0));
      throw new CannotConverge("the file to edit does not exist", "set `create: true` to make it, or declare it as a `file`");
    case "symlink":
      throw new CannotConverge(
        "a symbolic link stands in the way",
        `it leads to ${now.to}: set \`follow: true\` to edit the file behind it`,
      );
    default:
      throw new CannotConverge("only a file can be edited", `${nounOf(now)} stands there`);
  }
}

function cannot(problem: TextProblem): CannotConverge {
  return new CannotConverge(problem.summary, problem.detail);
}

import type { Line } from "./lines.ts";
import { compile } from "./pattern.ts";
import type { TextProblem } from "./text-result.ts";

/**
 * Where new lines go: at an end of the file, or next to the line that a pattern matches (the last such line, or with
 * `first` the first). Where no line matches they go to the end, as in Ansible. It says nothing of lines that are there already.
 */
export type Position =
  | "end"
  | "start"
  | { readonly after: string; readonly first?: boolean }
  | { readonly before: string; readonly first?: boolean };

/** The index at which new lines go. */
export function placeFor(position: Position, lines: readonly Line[]): { readonly ok: true; readonly index: number } | TextProblem {
  if (position === "end") return { ok: true, index: lines.length };
  if (position === "start") return { ok: true, index: 0 };
  const compiled = compile("after" in position ? position.after : position.before);
  if (!compiled.ok) return compiled;
  const matches = (line: Line): boolean => compiled.pattern.test(line.text);
  const anchor = position.first === true ? lines.findIndex(matches) : lines.findLastIndex(matches);
  if (anchor === -1) return { ok: true, index: lines.length };
  return { ok: true, index: "after" in position ? anchor + 1 : anchor };
}

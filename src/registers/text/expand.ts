import type { Match, Pattern } from "./pattern.ts";
import { refused, type TextProblem } from "./text-result.ts";

/** A text with references to groups: literal pieces and group names, in order. */
export type Template = {
  readonly pieces: readonly (string | { readonly group: number | string })[];
  /** Whether any group is referred to. */
  readonly refers: boolean;
};

/**
 * Reads `$1`, `${1}`, `${name}` and `$0` (the whole match); `$$` is a dollar sign, and a `$` before anything else is itself.
 * As in JavaScript `$12` is group 1 and a 2 where there is no group 12. A group that the pattern lacks is a problem.
 */
export function template(text: string, pattern: Pattern): { readonly ok: true; readonly template: Template } | TextProblem {
  const pieces: (string | { group: number | string })[] = [];
  let at = 0;
  for (const hit of text.matchAll(/\$(?:\$|(\d{1,3})|\{(\w+)\})/g)) {
    pieces.push(text.slice(at, hit.index));
    at = hit.index + hit[0].length;
    const [whole, digits, braced] = hit;
    if (whole === "$$") pieces.push("$");
    else if (digits !== undefined) {
      const size = [3, 2, 1].find((length) => length <= digits.length && Number(digits.slice(0, length)) <= pattern.groupCount);
      if (size === undefined) return noGroup(whole, pattern);
      pieces.push({ group: Number(digits.slice(0, size)) }, digits.slice(size));
    } else if (braced !== undefined) {
      const group = /^\d+$/.test(braced) ? Number(braced) : braced;
      if (typeof group === "number" ? group > pattern.groupCount : !pattern.groupNames.includes(group)) return noGroup(whole, pattern);
      pieces.push({ group });
    }
  }
  pieces.push(text.slice(at));
  return { ok: true, template: { pieces, refers: pieces.some((piece) => typeof piece !== "string") } };
}

/** Fills a template from a match. */
export function fill({ pieces }: Template, match: Match): string {
  return pieces.map((piece) => (typeof piece === "string" ? piece : match.group(piece.group))).join("");
}

function noGroup(reference: string, pattern: Pattern): TextProblem {
  const count = pattern.groupCount === 0 ? "no groups" : pattern.groupCount === 1 ? "one group" : `${pattern.groupCount} groups`;
  const names = pattern.groupNames.length === 0 ? "" : ` (named ${pattern.groupNames.join(", ")})`;
  return refused(
    "the text refers to a group that the pattern lacks",
    `${reference}, but '${pattern.source}' has ${count}${names}. Put parentheses round that part of the pattern; a literal dollar sign is $$.`,
  );
}

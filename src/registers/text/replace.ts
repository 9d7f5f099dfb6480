import { fill, type Template, template } from "./expand.ts";
import { firstDifference } from "./lines.ts";
import { compile, type Pattern } from "./pattern.ts";
import { refused, type TextProblem, type TextResult } from "./text-result.ts";

/**
 * What to replace: every match of `pattern` (`^` and `$` are the ends of lines) by `with`, which may refer to groups.
 * `within` narrows it to what follows the first match of `after` and precedes the next match of `before`; if one
 * of them does not match, nothing is replaced.
 */
export type ReplaceWant = {
  readonly pattern: string;
  readonly with: string;
  readonly within?: { readonly after?: string; readonly before?: string };
};

/**
 * Replaces all matches. Idempotent: refused when a second pass over the result would change it again.
 * In a file whose every line ends in CRLF, pattern and replacement see and write plain "\n".
 */
export function replaceText(text: string, want: ReplaceWant): TextResult {
  const prepared = prepare(want);
  if (!prepared.ok) return prepared;
  const once = pass(text, prepared);
  if (once === text) return { ok: true, text };
  const twice = pass(once, prepared);
  if (twice === once) return { ok: true, text: once };
  const { line, one, other } = firstDifference(once, twice);
  return refused(
    "a second pass would replace again",
    `Line ${line} would become '${one}', and in the next run '${other}'. Write the pattern so that it does not match its own result, with ^, $ or \\b, or name all that may stand there now.`,
  );
}

type Prepared = {
  readonly ok: true;
  readonly pattern: Pattern;
  readonly template: Template;
  readonly after: Pattern | undefined;
  readonly before: Pattern | undefined;
};

function prepare(want: ReplaceWant): Prepared | TextProblem {
  if (want.pattern === "") return refused("pattern is empty", "An empty pattern matches between all characters. Say what to replace.");
  const multiline = { multiline: true };
  const pattern = compile(want.pattern, multiline);
  if (!pattern.ok) return pattern;
  const after = want.within?.after === undefined ? undefined : compile(want.within.after, multiline);
  if (after?.ok === false) return after;
  const before = want.within?.before === undefined ? undefined : compile(want.within.before, multiline);
  if (before?.ok === false) return before;
  const parts = template(want.with, pattern.pattern);
  if (!parts.ok) return parts;
  return { ok: true, pattern: pattern.pattern, template: parts.template, after: after?.pattern, before: before?.pattern };
}

function pass(text: string, prepared: Prepared): string {
  // RE2's `$` does not match before "\r\n". Where every ending is that one, taking it out and putting it back loses nothing.
  if (!text.includes("\r\n") || /(?:^|[^\r])\n/.test(text)) return replaceAll(text, prepared);
  const pieces = prepared.template.pieces.map((piece) => (typeof piece === "string" ? piece.replaceAll("\r\n", "\n") : piece));
  const plain = { ...prepared, template: { ...prepared.template, pieces } };
  return replaceAll(text.replaceAll("\r\n", "\n"), plain).replaceAll("\n", "\r\n");
}

function replaceAll(text: string, { pattern, template: parts, after, before }: Prepared): string {
  const opening = after?.find(text);
  if (after !== undefined && opening === undefined) return text;
  const start = opening?.end ?? 0;
  const closing = before?.find(text, start);
  if (before !== undefined && closing === undefined) return text;
  const end = closing?.start ?? text.length;
  // What precedes the region is still seen, so that ^ and \b in it mean what they say.
  const seen = end === text.length ? text : text.slice(0, end);
  const pieces: string[] = [];
  let at = 0;
  for (const match of pattern.findAll(seen, start)) {
    // The nothing behind the last newline is no line: ^.*$ must not add one.
    if (match.start === text.length && text.endsWith("\n")) continue;
    pieces.push(text.slice(at, match.start), fill(parts, match));
    at = match.end;
  }
  pieces.push(text.slice(at));
  return pieces.join("");
}

import { type Matcher, RE2JS } from "re2js";
import { refused, type TextProblem } from "./text-result.ts";

/** One match: where it is, and how to get at its groups. A group that took no part is "". */
export type Match = {
  readonly start: number;
  readonly end: number;
  group(name: number | string): string;
};

/** A compiled regular expression. It searches in time linear in the text, whatever the pattern is. */
export type Pattern = {
  readonly source: string;
  readonly groupCount: number;
  readonly groupNames: readonly string[];
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean;
  /** The first match at or after `from`, which sees the text before `from` too. */
  find(text: string, from?: number): Match | undefined;
  /** All matches at or after `from` that do not overlap. A match must not be used after the next one was taken. */
  findAll(text: string, from?: number): Iterable<Match>;
};

/** A pattern, or why the text is none. */
export type Compiled = { readonly ok: true; readonly pattern: Pattern } | TextProblem;

/**
 * Compiles a pattern in the RE2 syntax. `multiline` makes `^` and `$` match at line breaks.
 * Errors say where in the pattern they are, and what to write in place of what other engines know.
 */
export function compile(source: string, options: { readonly multiline?: boolean } = {}): Compiled {
  const foreign = foreignSyntax(source);
  if (foreign !== undefined) return foreign;
  try {
    return { ok: true, pattern: wrap(source, RE2JS.compile(source, options.multiline === true ? RE2JS.MULTILINE : 0)) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return notAPattern(source, error);
  }
}

function wrap(source: string, compiled: RE2JS): Pattern {
  return {
    source,
    groupCount: compiled.groupCount(),
    groupNames: Object.keys(compiled.namedGroups()),
    test: (text) => compiled.test(text),
    find(text, from = 0) {
      const matcher = compiled.matcher(text);
      return matcher.find(from) ? matchOf(matcher) : undefined;
    },
    *findAll(text, from = 0) {
      const matcher = compiled.matcher(text);
      let last = -1;
      for (let more = matcher.find(from); more; more = matcher.find()) {
        // As in Go: `.*` on "a" is one match, not "a" and the nothing behind it.
        if (matcher.end() > matcher.start() || matcher.start() !== last) yield matchOf(matcher);
        last = matcher.end();
      }
    },
  };
}

function matchOf(matcher: Matcher): Match {
  return { start: matcher.start(), end: matcher.end(), group: (name) => matcher.group(name) ?? "" };
}

/** Syntax of Python, Perl and JavaScript that the linear engine cannot or does not have, with the way round it. */
const foreigners: readonly { readonly at: RegExp; readonly what: string; readonly instead: string }[] = [
  { at: /^\(\?=/, what: "lookahead (?=…)", instead: "match the following text too, and put it back from a group" },
  {
    at: /^\(\?!/,
    what: "negative lookahead (?!…)",
    instead: "list what may follow, such as (?:[^x]|$), or anchor the pattern with ^ and $",
  },
  { at: /^\(\?<[=!]/, what: "lookbehind (?<=…)", instead: "match the preceding text too, and put it back from a group" },
  { at: /^\(\?>/, what: "an atomic group (?>…)", instead: "write (?:…); the engine never backtracks, so nothing is gained by it" },
  { at: /^\(\?#/, what: "a comment (?#…)", instead: "put the comment into the YAML" },
  { at: /^\(\?\(/, what: "a condition (?(1)…)", instead: "write the two cases with |" },
  { at: /^\(\?[a-z]*x[a-z]*[:)-]/i, what: "the x flag", instead: "write the pattern without spaces and comments" },
  { at: /^\(\?P=/, what: "a backreference (?P=…)", instead: "write out what may be repeated" },
  { at: /^\\[1-9]/, what: "a backreference such as \\1", instead: "write out what may be repeated" },
  { at: /^\\k[<{']/, what: "a backreference \\k<…>", instead: "write out what may be repeated" },
  { at: /^\\Z/, what: "\\Z", instead: "write \\z, or $" },
  { at: /^\\h/, what: "\\h", instead: "write [ \\t]" },
  { at: /^\\R/, what: "\\R", instead: "write \\r?\\n" },
  { at: /^\\u[0-9a-fA-F]{4}/, what: "\\uXXXX", instead: "write \\x{XXXX}, or the character itself" },
  {
    at: /^(?:[*+?]|\{\d+(?:,\d*)?\})\+/,
    what: "a possessive repetition such as a++",
    instead: "leave out the second +; the engine never backtracks",
  },
];

function foreignSyntax(source: string): TextProblem | undefined {
  for (const { index, inClass } of tokens(source)) {
    const rest = source.slice(index);
    const hit = foreigners.find(({ at }) => at.test(rest));
    if (hit === undefined || (inClass && !rest.startsWith("\\u"))) continue;
    return refused(
      "the pattern uses syntax that is not supported",
      `${hit.what} at character ${index + 1} of ${quoted(source)}: patterns run in linear time (RE2 syntax), which has no such thing. Instead ${hit.instead}.`,
    );
  }
  return undefined;
}

function notAPattern(source: string, error: Error): TextProblem {
  const reason = error.message.replace(/^error parsing regexp: /, "").replace(/: `[\s\S]*`$/, "");
  const fragment = /`([\s\S]*)`$/.exec(error.message)?.[1] ?? source;
  const place = unbalanced(source) ?? (fragment === source || fragment === "" ? undefined : source.indexOf(fragment));
  const at = place === undefined || place < 0 ? "" : ` at character ${place + 1}`;
  return refused(
    "the pattern is not a regular expression",
    `${reason}${at} of ${quoted(source)}. A literal . ( [ or $ is written with a backslash before it.`,
  );
}

/** Where a bracket stands that has no partner. */
function unbalanced(source: string): number | undefined {
  const open: number[] = [];
  let classStart: number | undefined;
  for (const { index, inClass } of tokens(source)) {
    if (inClass) {
      classStart ??= index;
      continue;
    }
    classStart = undefined;
    if (source[index] === "(") open.push(index);
    if (source[index] === ")" && open.pop() === undefined) return index;
  }
  return classStart !== undefined && !source.endsWith("]") ? classStart : open.at(-1);
}

/** The starts of a pattern's characters and escapes, and whether each is within a [class] (its brackets included). */
function* tokens(source: string): Generator<{ index: number; inClass: boolean }> {
  let inClass = false;
  for (let index = 0; index < source.length; index += 1) {
    const begins = source[index] === "[" && !inClass;
    if (begins) inClass = true;
    yield { index, inClass };
    if (source[index] === "\\") {
      // \Q...\E quotes all that is between.
      if (source[index + 1] === "Q" && !inClass) {
        const end = source.indexOf("\\E", index);
        index = end === -1 ? source.length : end;
      }
      index += 1;
    } else if (begins) {
      // A ] that comes first in a class is a literal.
      if (source[index + 1] === "^") index += 1;
      if (source[index + 1] === "]") index += 1;
    } else if (source[index] === "]") inClass = false;
    else if (inClass && source.startsWith("[:", index)) {
      const end = source.indexOf(":]", index);
      if (end !== -1) index = end + 1;
    }
  }
}

function quoted(source: string): string {
  return source.length > 80 ? `${JSON.stringify(source.slice(0, 77))}…` : `'${source}'`;
}

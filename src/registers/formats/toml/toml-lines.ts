import type { FlowDialect, FlowSlot } from "../flow/flow.ts";
import { slotOf } from "../flow/flow.ts";
import { parseFlow } from "../flow/parse-flow.ts";
import { duplicateKey, errorAt } from "../text.ts";
import { encodeTomlKey, encodeTomlScalar, readTomlKey } from "./toml-scalar.ts";

/** A blank line or a comment. */
export interface TomlTrivia {
  readonly is: "trivia";
  readonly raw: string;
}

/** `[name]` or `[[name]]`, its line whole. */
export interface TomlHeader {
  readonly is: "header";
  readonly raw: string;
  readonly keys: readonly string[];
  readonly list: boolean;
  readonly at: number;
}

/** `key = value`; the value may go over several lines. */
export interface TomlPair {
  readonly is: "pair";
  readonly indent: string;
  readonly rawKey: string;
  readonly keys: readonly string[];
  /** The `=` and the blanks around it. */
  readonly equals: string;
  readonly slot: FlowSlot;
  /** What follows the value on its line. */
  readonly rest: string;
  readonly at: number;
}

/** One line of TOML, or the lines of one value. `eol` is empty only for the last line of the text. */
export type TomlLine = (TomlTrivia | TomlHeader | TomlPair) & { eol: string };

const stringToken = /"{3}(?:[^\\]|\\.)*?"{3,5}|'{3}[\s\S]*?'{3,5}|"(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*'/sy;
const otherToken = /[^\s,[\]{}#=]+(?: \d\d:[^\s,[\]{}#]+)?/y;
const trivia = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const mend = "Mend the text.";

const fail = (text: string, at: number, message: string): Error => errorAt(text, at, message, mend);

/** Arrays and inline tables as the bracketed values that JSON has, too. */
export const tomlFlow: FlowDialect = {
  separator: "=",
  trivia(text, at) {
    trivia.lastIndex = at;
    return trivia.test(text) ? trivia.lastIndex : at;
  },
  commentsOfLine: /^[ \t]*#[^\r\n]*(?=\r?\n)/,
  lineComment: /#/,
  scalar(text, at) {
    const token = text[at] === '"' || text[at] === "'" ? stringToken : otherToken;
    token.lastIndex = at;
    if (!token.test(text)) throw fail(text, at, "here stands no TOML value");
    return token.lastIndex;
  },
  key(text, at) {
    const found = readTomlKey(text, at);
    if (found === undefined) throw fail(text, at, "a key is missing here");
    // A dotted key keeps its written form as its name; whoever looks inside finds the parts by reading it again.
    return { end: found.end, key: found.keys.length === 1 ? (found.keys[0] as string) : text.slice(at, found.end) };
  },
  writeKey: encodeTomlKey,
  writeScalar: (value) => encodeTomlScalar(value as string | number | boolean),
  trailingComma: (is) => is === "list",
  fail,
  duplicate: duplicateKey,
};

const headerLine = /([ \t]*)(\[\[?)[ \t]*/y;
const restOfLine = /[ \t]*(?:#[^\r\n]*)?(?=\r?\n|$)/y;

/** Cuts a TOML text into its lines; joined they are the text. The text must have been found valid before. */
export function parseTomlLines(text: string): TomlLine[] {
  const lines: TomlLine[] = [];
  let at = 0;
  while (at < text.length) {
    const start = at;
    const first = /[^ \t]/g;
    first.lastIndex = at;
    const begin = first.exec(text)?.index ?? text.length;
    const char = text[begin];
    let line: TomlTrivia | TomlHeader | TomlPair;
    if (char === undefined || char === "#" || char === "\n" || char === "\r") {
      at = lineEnd(begin);
      line = { is: "trivia", raw: text.slice(start, at) };
    } else if (char === "[") {
      headerLine.lastIndex = at;
      const open = headerLine.exec(text);
      const name = readTomlKey(text, headerLine.lastIndex);
      if (open === null || name === undefined) throw fail(text, begin, "the name of the table is missing");
      at = lineEnd(name.end);
      line = { is: "header", raw: text.slice(start, at), keys: name.keys, list: open[2] === "[[", at: begin };
    } else {
      line = readPair(start, begin);
    }
    const eol = text.startsWith("\r\n", at) ? "\r\n" : text[at] === "\n" ? "\n" : "";
    at += eol.length;
    lines.push({ ...line, eol });
  }
  return lines;

  function readPair(start: number, begin: number): TomlPair {
    const key = readTomlKey(text, begin);
    if (key === undefined) throw fail(text, begin, "here stands neither a key nor a table");
    const equals = /[ \t]*=[ \t]*/y;
    equals.lastIndex = key.end;
    if (!equals.test(text)) throw fail(text, key.end, 'a "=" is missing behind the key');
    const { value, end } = parseFlow(text, equals.lastIndex, tomlFlow);
    restOfLine.lastIndex = end;
    if (!restOfLine.test(text)) throw fail(text, end, "the line goes on behind its value");
    at = restOfLine.lastIndex;
    return {
      is: "pair",
      indent: text.slice(start, begin),
      rawKey: text.slice(begin, key.end),
      keys: key.keys,
      equals: text.slice(key.end, equals.lastIndex),
      slot: slotOf(value),
      rest: text.slice(end, at),
      at: begin,
    };
  }

  function lineEnd(from: number): number {
    const newline = text.indexOf("\n", from);
    if (newline === -1) return text.length;
    return newline > 0 && text[newline - 1] === "\r" && newline - 1 >= from ? newline - 1 : newline;
  }
}

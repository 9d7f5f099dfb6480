import { shownResults } from "../core/index.ts";

/**
 * Names and contents come from strangers: what could move a cursor, ring, hide or turn text is shown as an escape.
 * Joiners (U+200C, U+200D) stay, as scripts and emoji need them. Lone surrogates are covered by \p{Cs}.
 */
const unsafe = /[\p{Cc}\p{Cs}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const plain = /^[\x20-\x7e]*$/;

function escapeOne(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x0a) return "\\n";
  if (code === 0x0d) return "\\r";
  if (code === 0x09) return "\\t";
  // A byte of a path that is no UTF-8.
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return `\\u{${code.toString(16)}}`;
}

/** One line of text without any control character: line ends are escaped too. For names, paths, addresses, values. */
export function safeLine(text: string): string {
  return escaped(shownResults(text));
}

function escaped(text: string): string {
  return plain.test(text) ? text : text.replace(unsafe, escapeOne);
}

/** Text whose line feeds stay and whose tabs become spaces; everything else as `safeLine`. For messages of several lines. */
export function safeText(text: string): string {
  return text
    .split("\n")
    .map((line) => safeLine(expandTabs(line.endsWith("\r") ? line.slice(0, -1) : line)))
    .join("\n");
}

/** A line of a content: tabs become spaces up to the next multiple of 8, the first of them `lead`, which shows them where tabs are what differs. */
export function safeContent(line: string, lead = " "): string {
  return plain.test(line) ? line : escaped(expandTabs(line, lead));
}

/** Tabs as spaces up to the next multiple of 8, the first of them `lead`. */
export function expandTabs(line: string, lead = " "): string {
  if (!line.includes("\t")) return line;
  let column = 0;
  const parts = line.split("\t");
  return parts
    .map((part, index) => {
      if (index === parts.length - 1) return part;
      column += part.length;
      const fill = 8 - (column % 8);
      column += fill;
      return `${part}${lead}${" ".repeat(fill - 1)}`;
    })
    .join("");
}

/**
 * Breaks what a CI runner would take for one of its commands (`::set-env …` at the start of a line, `##[…]` and `##vso[…]`
 * anywhere), as a diff may hold such lines of a stranger. The last step of what is printed where a runner reads it, but for
 * our own annotations; elsewhere `::1` stays as it is.
 */
export function withoutCommands(text: string): string {
  if (!text.includes("::") && !text.includes("##")) return text;
  return text.replace(/^([^\S\n]*)::/gm, "$1\\x3a:").replace(/##(?=\[|vso\[|teamcity\[)/gi, "#\\x23");
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const markOnly = /\p{Mn}|\p{Me}|\u200c|\u200d/u;

/** Columns that safe text without colour takes in a terminal. */
export function columnsOf(text: string): number {
  if (plain.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += markOnly.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return columns;
}

/** Safe text without colour, cut to a number of columns. */
export function cutTo(text: string, columns: number, more = "…"): string {
  if (columns <= 0) return "";
  if (columnsOf(text) <= columns) return text;
  const room = columns - more.length;
  if (room <= 0) return more.slice(0, columns);
  let used = 0;
  let kept = "";
  for (const character of text) {
    used += columnsOf(character);
    if (used > room) break;
    kept += character;
  }
  return kept + more;
}

/** Safe text filled with spaces to a number of columns. */
export function padTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}

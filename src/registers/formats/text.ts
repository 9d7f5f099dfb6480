import { FormatError } from "./format.ts";

/** The end of line that a text uses first; `\n` where it has none. */
export function endOfLine(text: string): "\n" | "\r\n" {
  const at = text.indexOf("\n");
  return at > 0 && text[at - 1] === "\r" ? "\r\n" : "\n";
}

/** A text without its byte order mark, and the mark, to be put back in front. */
export function splitMark(text: string): { readonly mark: string; readonly body: string } {
  return text.startsWith("\uFEFF") ? { mark: "\uFEFF", body: text.slice(1) } : { mark: "", body: text };
}

/** Line and column, both from 1, of an offset. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", start)) {
    line += 1;
    start = at + 1;
  }
  return { line, column: offset - start + 1 };
}

/** A FormatError at an offset of a text. */
export function errorAt(text: string, offset: number, message: string, mend: string): FormatError {
  const place = placeOf(text, offset);
  return new FormatError(`line ${place.line}: ${message}`, place, mend);
}

/** The error for a key that stands twice where a map can hold it once. */
export function duplicateKey(text: string, offset: number, key: string): FormatError {
  return errorAt(
    text,
    offset,
    `the key ${JSON.stringify(key)} stands here a second time`,
    "Remove one of the two lines: which of them counts differs from reader to reader.",
  );
}

/** The blanks that a line begins with. */
export function indentOf(line: string): string {
  return /^[ \t]*/.exec(line)?.[0] ?? "";
}

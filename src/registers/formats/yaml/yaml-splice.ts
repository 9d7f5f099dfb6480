import { lineEndOf, lineStartOf } from "./yaml-source.ts";

/** A piece of the text and what stands in its place. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text with one piece exchanged. */
export function splice(body: string, { start, end, text }: Splice): string {
  return body.slice(0, start) + text + body.slice(end);
}

/** Whole lines put behind the line that an offset is in. A last line without end of line stays one. */
export function linesBehind(body: string, offset: number, lines: readonly string[], eol: string): Splice {
  const lineEnd = lineEndOf(body, offset);
  const joined = lines.join(eol);
  const at = lineEnd === body.length ? lineEnd : body.indexOf("\n", lineEnd) + 1;
  if (at === lineEnd && at > 0) return { start: at, end: at, text: body.endsWith("\n") ? joined + eol : eol + joined };
  return { start: at, end: at, text: joined + eol };
}

/**
 * Takes the lines of one block entry away. An entry that shares its first line with something before it (`- a: 1`)
 * hands that place to the next entry, which begins at `next`.
 */
export function withoutEntry(body: string, start: number, end: number, next: number | undefined): Splice {
  const lineStart = lineStartOf(body, start);
  const lineEnd = lineEndOf(body, end);
  const behind = lineEnd === body.length ? lineEnd : body.indexOf("\n", lineEnd) + 1;
  if (body.slice(lineStart, start).trim() !== "") {
    const joins = next !== undefined && body.slice(behind, next).trim() === "" && !body.slice(behind, next).includes("\n");
    return joins ? { start, end: next, text: "" } : { start, end: lineEnd, text: "" };
  }
  if (behind < body.length || body.endsWith("\n") || lineStart === 0) return { start: lineStart, end: behind, text: "" };
  const before = body[lineStart - 2] === "\r" ? lineStart - 2 : lineStart - 1;
  return { start: before, end: behind, text: "" };
}

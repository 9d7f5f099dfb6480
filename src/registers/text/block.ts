import { joinLines, type Line, spliceLines, splitLines } from "./lines.ts";
import { type Position, placeFor } from "./position.ts";
import { refused, type TextProblem, type TextResult } from "./text-result.ts";

/**
 * What is wanted of one block: lines between two marker lines.
 * The markers are `begin` and `end` where given (for a block that another tool made), else they are made of `comment`
 * (`#`, or with the place of the words: `<!-- {} -->`) and `marker`, the block's name in its file.
 * `position` is only for a block that has to be inserted; one that is there stays where it is.
 */
export type BlockWant = {
  readonly state: "present" | "absent";
  /** The lines between the markers, in any line ending; the file's own is written. Says nothing when absent. */
  readonly text?: string;
  readonly marker: string;
  readonly comment: string;
  readonly begin?: string;
  readonly end?: string;
  readonly position: Position;
};

/**
 * Sets a block: gives the text in which the want holds and all else is as it was. Idempotent. Markers are found whatever
 * space stands round them, and are kept as found. Markers that do not pair up are refused, with their line numbers.
 */
export function setBlock(text: string, want: BlockWant): TextResult {
  const lines = splitLines(text);
  const markers = markersOf(want);
  if (!markers.ok) return markers;
  const inner = contentOf(want);
  const trapped = inner.findIndex((line) => isMarker(line, markers.begin) || isMarker(line, markers.end));
  if (want.state === "present" && trapped !== -1) {
    return refused(
      "a block holds its own marker",
      `Line ${trapped + 1} of the block's text is '${inner[trapped] ?? ""}', which is its marker. Give the block another marker.`,
    );
  }
  const place = find(lines, markers);
  if (!place.ok) return place;

  if (want.state === "absent") {
    if (place.is === "missing") return { ok: true, text };
    return { ok: true, text: joinLines(spliceLines(lines, place.begin, place.end - place.begin + 1, [])) };
  }
  if (place.is === "found") return { ok: true, text: refill(text, lines, place, inner) };
  const at = placeFor(want.position, lines);
  if (!at.ok) return at;
  return { ok: true, text: joinLines(spliceLines(lines, at.index, 0, [markers.begin, ...inner, markers.end])) };
}

/**
 * The text when the stack no longer declares the block: it goes, markers and all. If `was`, the text before the stack
 * first set it, had a block between these markers already, that one's lines come back. An absent block brings nothing back.
 * Idempotent.
 */
export function withoutBlock(text: string, want: BlockWant, was?: string): TextResult {
  if (want.state === "absent") return { ok: true, text };
  const markers = markersOf(want);
  if (!markers.ok) return markers;
  const original = splitLines(was ?? "");
  const before = find(original, markers);
  if (was === undefined || !before.ok || before.is === "missing") return setBlock(text, { ...want, state: "absent" });
  const made = setBlock(was, want);
  if (made.ok && made.text === text) return { ok: true, text: was };
  const lines = splitLines(text);
  const place = find(lines, markers);
  if (!place.ok) return place;
  if (place.is === "missing") return { ok: true, text };
  return { ok: true, text: refill(text, lines, place, textsBetween(original, before)) };
}

/** The two marker lines of a want, or why they are none. */
export function markersOf(
  want: Pick<BlockWant, "marker" | "comment" | "begin" | "end">,
): { readonly ok: true; readonly begin: string; readonly end: string } | TextProblem {
  const begin = want.begin ?? commented(want.comment, `BEGIN setpoint ${want.marker}`);
  const end = want.end ?? commented(want.comment, `END setpoint ${want.marker}`);
  for (const line of [begin, end]) {
    if (/[\r\n]/.test(line)) return refused("a marker holds only one line", `The marker ${JSON.stringify(line)} has a line break in it.`);
    if (line.trim() === "")
      return refused("a marker is empty", "A marker line must be told from others. Give begin and end some text, or leave them out.");
  }
  if (begin.trim() === end.trim())
    return refused("a block's two markers are the same", `Both are '${begin}', so its end could not be told from its begin.`);
  return { ok: true, begin, end };
}

type Place =
  | { readonly ok: true; readonly is: "missing" }
  | { readonly ok: true; readonly is: "found"; readonly begin: number; readonly end: number };

function find(lines: readonly Line[], markers: { readonly begin: string; readonly end: string }): Place | TextProblem {
  const begins = lines.flatMap(({ text }, index) => (isMarker(text, markers.begin) ? [index] : []));
  const ends = lines.flatMap(({ text }, index) => (isMarker(text, markers.end) ? [index] : []));
  const [begin, again] = begins;
  const end = ends.find((index) => begin === undefined || index > begin);
  if (begin === undefined) {
    if (end === undefined) return { ok: true, is: "missing" };
    return refused(
      "a block ends without a begin",
      `Line ${end + 1} is '${markers.end}', and no line before it is '${markers.begin}'. Put the begin back, or remove that line.`,
    );
  }
  if (end === undefined)
    return refused(
      "a block begins without an end",
      `Line ${begin + 1} is '${markers.begin}', and no line after it is '${markers.end}'. Put the end back, or remove that line.`,
    );
  if (again !== undefined) {
    return refused(
      "a block is there twice",
      `'${markers.begin}' stands in line ${begin + 1} and in line ${again + 1}${again < end ? ", before the first one has ended" : ""}. Remove one, or give one of them another marker.`,
    );
  }
  const stray = ends.find((index) => index !== end);
  if (stray !== undefined)
    return refused(
      "a block ends twice",
      `'${markers.end}' stands in line ${end + 1} and in line ${stray + 1}. Remove the one that does not belong.`,
    );
  return { ok: true, is: "found", begin, end };
}

function refill(
  text: string,
  lines: readonly Line[],
  place: { readonly begin: number; readonly end: number },
  inner: readonly string[],
): string {
  const current = textsBetween(lines, place);
  if (current.length === inner.length && current.every((line, index) => line === inner[index])) return text;
  return joinLines(spliceLines(lines, place.begin + 1, current.length, inner));
}

function textsBetween(lines: readonly Line[], { begin, end }: { readonly begin: number; readonly end: number }): string[] {
  return lines.slice(begin + 1, end).map((line) => line.text);
}

function contentOf({ text = "" }: BlockWant): string[] {
  return splitLines(text).map((line) => line.text);
}

function commented(comment: string, words: string): string {
  return comment.includes("{}") ? comment.replace("{}", () => words) : `${comment} ${words}`;
}

function isMarker(line: string, marker: string): boolean {
  return line.trim() === marker.trim();
}

import { fill, type Template, template } from "./expand.ts";
import { filterLines, firstDifference, joinLines, type Line, spliceLines, splitLines } from "./lines.ts";
import { compile, type Pattern } from "./pattern.ts";
import { type Position, placeFor } from "./position.ts";
import { refused, type TextProblem, type TextResult } from "./text-result.ts";

/**
 * What is wanted of one line.
 *
 * | state | `match` | means |
 * | --- | --- | --- |
 * | present | none | a line that is exactly `text`; `occurrence: only` also drops its duplicates |
 * | present | given | of the lines that match, the last, the first or all become `text`; `only`: the first does, the others go |
 * | absent | none | no line that is exactly `text` |
 * | absent | given | no line that matches; `text`, `occurrence` and `position` say nothing |
 *
 * `position` is only for a line that has to be inserted. With `expand` the text may refer to the groups of `match`.
 */
export type LineWant = {
  readonly state: "present" | "absent";
  readonly text?: string;
  readonly match?: string;
  readonly occurrence: "last" | "first" | "all" | "only";
  readonly position: Position;
  readonly expand?: boolean;
};

/**
 * Sets a line: gives the text in which the want holds and all other lines are as they were, endings included.
 * Idempotent; a want under which a second run would change again is refused, as is one that cannot be read.
 */
export function setLine(text: string, want: LineWant): TextResult {
  const edit = prepare(want);
  if (!edit.ok) return edit;
  const once = applyEdit(text, edit);
  if (!once.ok || once.text === text) return once;
  const twice = applyEdit(once.text, edit);
  if (twice.ok && twice.text === once.text) return once;
  if (!twice.ok) return twice;
  const { line, one, other } = firstDifference(once.text, twice.text);
  return refused(
    "a second run would change the line again",
    `Line ${line} would become '${one}', and in the next run '${other}'. Write match and text so that the text stays as it is.`,
  );
}

/**
 * The text when the stack no longer declares the line: what is left of our line goes, and lines that it replaced come
 * back in its place. `was` is the text before the stack first set the line; without it our line is just taken out.
 * A line that stood there before us stays, and so does all that others wrote since. An absent line brings nothing back.
 * Idempotent.
 */
export function withoutLine(text: string, want: LineWant, was: string | undefined): TextResult {
  const edit = prepare(want);
  if (!edit.ok) return edit;
  if (edit.do === "drop") return { ok: true, text };
  const original = splitLines(was ?? "");
  const made = changesOf(original, edit);
  // A want that this text would have refused has changed nothing in it.
  if (!made.ok) return { ok: true, text };
  if (was !== undefined && joinLines(carryOut(original, made.changes)) === text) return { ok: true, text: was };

  let lines = splitLines(text);
  for (const ours of new Set(made.changes.flatMap((change) => (change.do === "drop" ? [] : [change.text])))) {
    lines = takeBack(lines, tracesOf(original, made.changes, ours));
  }
  return { ok: true, text: joinLines(lines) };
}

/** A want that was read: which lines are its own, and what to do with them. */
type Edit =
  | { readonly ok: true; readonly do: "drop"; readonly concerns: (text: string) => boolean }
  | {
      readonly ok: true;
      readonly do: "set";
      readonly text: string;
      readonly template: Template | undefined;
      readonly match: Pattern | undefined;
      readonly occurrence: LineWant["occurrence"];
      readonly position: Position;
    };

/** One thing that is done to a file; `index` counts the lines before all changes. A replacement may be by the same text. */
type LineChange =
  | { readonly do: "replace"; readonly index: number; readonly text: string }
  | { readonly do: "drop"; readonly index: number }
  | { readonly do: "insert"; readonly index: number; readonly text: string };

function prepare(want: LineWant): Edit | TextProblem {
  const text = want.text?.replace(/\r?\n$/, "");
  if (text?.includes("\n")) {
    return refused(
      "a line holds only one line",
      `The text has ${text.split("\n").length} lines, of which the first is '${text.split(/\r?\n/)[0] ?? ""}'. Use a block for several lines.`,
    );
  }
  if (want.match === "") return refused("match is empty", "An empty match is in every line. Leave match out to look for the text itself.");
  const compiled = want.match === undefined ? undefined : compile(want.match);
  if (compiled?.ok === false) return compiled;
  const match = compiled?.pattern;

  if (want.state === "absent") {
    if (match !== undefined) return { ok: true, do: "drop", concerns: (line) => match.test(line) };
    if (text === undefined) return refused("a line needs a text", "Say with text or match which lines are to be absent.");
    return { ok: true, do: "drop", concerns: (line) => line === text };
  }

  if (text === undefined || text === "") return refused("a line needs a text", "Say with text what the line holds; it cannot be empty.");
  const { occurrence, position } = want;
  if (want.expand !== true) {
    if (match !== undefined && !match.test(text)) return unmatched(text, match);
    return { ok: true, do: "set", text, template: undefined, match, occurrence, position };
  }
  if (match === undefined)
    return refused(
      "expand needs a match",
      "The groups in text come from match, and there is none. Leave out expand, or say what to match.",
    );
  const read = template(text, match);
  if (!read.ok) return read;
  if (read.template.refers) return { ok: true, do: "set", text, template: read.template, match, occurrence, position };
  const literal = read.template.pieces.join("");
  if (!match.test(literal)) return unmatched(literal, match);
  return { ok: true, do: "set", text: literal, template: undefined, match, occurrence, position };
}

function applyEdit(text: string, edit: Edit): TextResult {
  const lines = splitLines(text);
  if (edit.do === "drop") {
    const kept = filterLines(lines, (line) => !edit.concerns(line.text));
    return { ok: true, text: kept.length === lines.length ? text : joinLines(kept) };
  }
  const made = changesOf(lines, edit);
  if (!made.ok) return made;
  return { ok: true, text: joinLines(carryOut(lines, made.changes)) };
}

function changesOf(
  lines: readonly Line[],
  edit: Edit & { do: "set" },
): { readonly ok: true; readonly changes: readonly LineChange[] } | TextProblem {
  const { match, occurrence } = edit;
  const own = lines.flatMap((line, index) => ((match === undefined ? line.text === edit.text : match.test(line.text)) ? [index] : []));
  if (own.length === 0) {
    // The text matches `match`, so without a match it is not there either: no second look for the exact text is needed.
    if (edit.template !== undefined) {
      return refused(
        "no line matches, so the groups in the text are unknown",
        `No line matches '${match?.source ?? ""}', and '${edit.text}' takes its groups from one. Widen match, or set the line without expand first.`,
      );
    }
    const place = placeFor(edit.position, lines);
    return place.ok ? { ok: true, changes: [{ do: "insert", index: place.index, text: edit.text }] } : place;
  }
  const chosen = occurrence === "all" ? own : occurrence === "last" ? own.slice(-1) : own.slice(0, 1);
  const changes: LineChange[] = [];
  for (const index of chosen) {
    const text = filled(edit, lines[index]?.text ?? "");
    if (match !== undefined && !match.test(text)) return unmatched(text, match);
    changes.push({ do: "replace", index, text });
  }
  if (occurrence === "only") changes.push(...own.slice(1).map((index): LineChange => ({ do: "drop", index })));
  return { ok: true, changes };
}

function filled({ template: parts, match, text }: Edit & { do: "set" }, current: string): string {
  const hit = parts === undefined ? undefined : match?.find(current);
  return parts === undefined || hit === undefined ? text : fill(parts, hit);
}

function carryOut(lines: readonly Line[], changes: readonly LineChange[]): Line[] {
  const texts = new Map(changes.flatMap((change) => (change.do === "replace" ? [[change.index, change.text] as const] : [])));
  const dropped = new Set(changes.flatMap((change) => (change.do === "drop" ? [change.index] : [])));
  const replaced = lines.map((line, index): Line => ({ text: texts.get(index) ?? line.text, ending: line.ending }));
  const insert = changes.find((change) => change.do === "insert");
  if (insert !== undefined) return spliceLines(replaced, insert.index, 0, [insert.text]);
  return filterLines(replaced, (_, index) => !dropped.has(index));
}

/** What our changes of a file did with one text: enough to find its lines again in what the file has become. */
type Traces = {
  readonly ours: string;
  readonly original: readonly Line[];
  /** The lines of that text after our changes, in order: whether we wrote them. */
  readonly written: readonly boolean[];
  /** Whether we wrote one where there was another text or none. */
  readonly added: boolean;
  /** The original texts that gave way to it. */
  readonly replaced: readonly string[];
  /** Whether lines were dropped beside it, so that several make way for one. */
  readonly dropped: boolean;
};

function tracesOf(original: readonly Line[], changes: readonly LineChange[], ours: string): Traces {
  const replaced: string[] = [];
  const written: boolean[] = [];
  let added = false;
  // An insertion is the only change of its file, so one change an index is all there can be.
  const byIndex = new Map(changes.map((change) => [change.index, change]));
  for (let index = 0; index <= original.length; index += 1) {
    const before = original[index]?.text;
    const change = byIndex.get(index);
    if (change?.do === "insert") {
      written.push(true);
      added = true;
    }
    if (before === undefined) continue;
    const wrote = change?.do === "replace" && change.text === ours;
    if (wrote || change?.do === "drop") replaced.push(before);
    if (wrote || (change?.do !== "replace" && change?.do !== "drop" && before === ours)) written.push(wrote);
    added ||= wrote && before !== ours;
  }
  return { ours, original, written, added, replaced, dropped: changes.some((change) => change.do === "drop") };
}

/**
 * Puts the replaced lines back where ours are, and takes ours out where there is none to put back.
 * What somebody has already put back is not doubled; where our text is gone, its line is somebody else's by now.
 */
function takeBack(lines: readonly Line[], { ours, original, written, added, replaced, dropped }: Traces): Line[] {
  const present = lines.flatMap((line, index) => (line.text === ours ? [index] : []));
  const anchor = present[0];
  if (anchor === undefined) return [...lines];
  const originally = tally(original);
  const extra = added ? Math.max(0, present.length - (originally.get(ours) ?? 0)) : 0;
  // Where somebody added or removed such lines, nothing tells which are ours; then the last ones go.
  const going = present.length === written.length ? present.filter((_, at) => written[at]) : present.slice(present.length - extra);
  const leaving = new Set(going);
  const there = tally(lines.filter((_, index) => !leaving.has(index)));
  const missing: string[] = [];
  for (const text of replaced) {
    const already = there.get(text) ?? 0;
    if (already >= (originally.get(text) ?? 0)) continue;
    missing.push(text);
    there.set(text, already + 1);
  }
  const back = new Map(going.map((index, at) => [index, missing[at]]));
  const restored = lines.map((line, index): Line => ({ text: back.get(index) ?? line.text, ending: line.ending }));
  const rest = dropped ? missing.slice(going.length) : [];
  const after = going.at(-1) ?? anchor;
  const gone = new Set(going.filter((index) => back.get(index) === undefined));
  const grown = rest.length === 0 ? restored : spliceLines(restored, after + 1, 0, rest);
  return filterLines(grown, (_, index) => !gone.has(index));
}

function tally(lines: readonly Line[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { text } of lines) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

function unmatched(text: string, match: Pattern): TextProblem {
  return refused(
    "match does not match the text",
    `'${match.source}' does not match '${text}', so a second run would add the line again. Widen match so that it finds the line before and after, such as '^#?Port ' for 'Port 22'.`,
  );
}

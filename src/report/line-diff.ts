/** One line of a unified diff. `text` is raw: it must pass `safeContent` before it is shown. */
export interface DiffLine {
  readonly is: "hunk" | "same" | "add" | "drop" | "note";
  readonly text: string;
}

/** Finds the shortest way from one list to another; the runs in order. Undefined where they are too different. */
export type Differ = (
  before: string[],
  after: string[],
) => readonly { readonly value: readonly string[]; readonly added?: boolean; readonly removed?: boolean }[] | undefined;

const context = 3;
/** Beyond this, all lines between the common head and tail count as replaced: a limit by work, not by time, so that plans are the same everywhere. */
const maxEditLength = 1500;

/** Loads the library, which is not needed where nothing differs. */
export async function loadDiffer(): Promise<Differ> {
  const { diffArrays } = await import("diff");
  return (before, after) => diffArrays(before, after, { maxEditLength });
}

/** The lines of a text, each with its line feed; the last one has none where the text does not end in one. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n").map((line) => `${line}\n`);
  const last = lines.pop() ?? "\n";
  if (last !== "\n") lines.push(last.slice(0, -1));
  return lines;
}

/** All lines of a text as added or dropped. */
export function wholeText(text: string, is: "add" | "drop"): DiffLine[] {
  return linesOf(text).flatMap((line) => withEnd(is, line));
}

/** The unified diff of two texts with three lines of context, as git shows it. */
export function unifiedDiff(before: string, after: string, differ: Differ): DiffLine[] {
  const left = linesOf(before);
  const right = linesOf(after);
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  while (tail < left.length - head && tail < right.length - head && left[left.length - 1 - tail] === right[right.length - 1 - tail])
    tail += 1;

  const gone = left.slice(head, left.length - tail);
  const come = right.slice(head, right.length - tail);
  const runs = differ(gone, come) ?? [
    { value: gone, removed: true },
    { value: come, added: true },
  ];
  return hunks(
    [
      ...left.slice(Math.max(0, head - context), head).map((text): DiffLine => ({ is: "same", text })),
      ...runs.flatMap(({ value, added, removed }) =>
        value.map((text): DiffLine => ({ is: added ? "add" : removed ? "drop" : "same", text })),
      ),
      ...left.slice(left.length - tail, left.length - tail + context).map((text): DiffLine => ({ is: "same", text })),
    ],
    Math.max(0, head - context),
  );
}

/** Cuts a list of lines into hunks; `skipped` lines stand before the list. */
function hunks(lines: readonly DiffLine[], skipped: number): DiffLine[] {
  const result: DiffLine[] = [];
  let left = skipped;
  let right = skipped;
  let at = 0;
  while (at < lines.length) {
    let first = at;
    while (first < lines.length && lines[first]?.is === "same") first += 1;
    if (first === lines.length) break;
    const from = Math.max(at, first - context);
    left += from - at;
    right += from - at;
    let last = first;
    for (let index = first; index < lines.length && index - last <= context * 2 + 1; index += 1)
      if (lines[index]?.is !== "same") last = index;
    const to = Math.min(lines.length, last + 1 + context);
    const part = lines.slice(from, to);
    const drops = part.filter((line) => line.is !== "add").length;
    const adds = part.filter((line) => line.is !== "drop").length;
    result.push({ is: "hunk", text: `@@ -${range(left, drops)} +${range(right, adds)} @@` });
    // One by one: the lines of a large file are more than a call takes as arguments.
    for (const line of part) for (const shown of withEnd(line.is, line.text)) result.push(shown);
    left += drops;
    right += adds;
    at = to;
  }
  return result;
}

function range(start: number, length: number): string {
  const first = length === 0 ? start : start + 1;
  return length === 1 ? String(first) : `${first},${length}`;
}

function withEnd(is: DiffLine["is"], line: string): DiffLine[] {
  if (line.endsWith("\n")) return [{ is, text: line.slice(0, -1) }];
  return [
    { is, text: line },
    { is: "note", text: "\\ No newline at end of file" },
  ];
}

/** Whether lines of a diff look the same but for tabs, so that tabs must be shown. */
export function differsInTabs(lines: readonly DiffLine[]): boolean {
  if (!lines.some((line) => (line.is === "add" || line.is === "drop") && line.text.includes("\t"))) return false;
  const squeezed = (line: DiffLine): string => line.text.replace(/\s+/g, " ").trim();
  const dropped = new Set(lines.filter((line) => line.is === "drop").map(squeezed));
  return lines.some((line) => line.is === "add" && dropped.has(squeezed(line)));
}

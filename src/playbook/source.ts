import type { Place, Problem } from "../core/index.ts";

/** A text with a name, that can tell line and column of an offset. Lines are only counted when the first place is asked for. */
export class Source {
  readonly file: string;
  readonly text: string;
  /** Whether its lines may stand in messages. */
  readonly shown: boolean;
  #starts: readonly number[] | undefined;

  constructor(file: string, text: string, { shown = true }: { readonly shown?: boolean } = {}) {
    this.file = file;
    this.text = text;
    this.shown = shown;
  }

  /** The place of an offset in UTF-16 units, counted from 1; an offset outside the text is moved to its nearest end. */
  place(offset: number): Place {
    const at = Math.max(0, Math.min(offset, this.text.length));
    const starts = this.#lines();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: at - (starts[low] ?? 0) + 1 };
  }

  /** The line of text with that number (from 1), without its end. */
  line(number: number): string {
    const starts = this.#lines();
    const from = starts[number - 1] ?? 0;
    return this.text.slice(from, starts[number] ?? this.text.length).replace(/\r?\n?$/, "");
  }

  #lines(): readonly number[] {
    if (this.#starts !== undefined) return this.#starts;
    const starts = [0];
    for (let at = this.text.indexOf("\n"); at >= 0; at = this.text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#starts = starts;
    return starts;
  }
}

/** What is said about a place: the parts of a Problem that are not the place. */
export interface Report {
  readonly code: string;
  readonly summary: string;
  readonly detail: string;
  readonly severity?: Problem["severity"];
}

/** Gathers problems with their places; the same one twice (as each turn of a for_each finds it) is kept once. */
export class Reports {
  readonly #found = new Map<string, Problem>();

  /** Adds a problem; without a source it has no place. */
  add(report: Report, source?: Source, offset = 0): void {
    const at = source?.place(offset);
    const problem: Problem = {
      code: report.code,
      severity: report.severity ?? "error",
      summary: report.summary,
      detail: report.detail,
      ...(at && { at }),
      ...(at && source?.shown && { excerpt: source.line(at.line) }),
    };
    this.take(problem);
  }

  /** Takes a problem that knows its place; the same one twice is one. */
  take(problem: Problem): void {
    const { code, at, detail } = problem;
    const key = `${code} ${at?.file}:${at?.line}:${at?.column} ${detail}`;
    if (!this.#found.has(key)) this.#found.set(key, problem);
  }

  get failed(): boolean {
    for (const { severity } of this.#found.values()) if (severity === "error") return true;
    return false;
  }

  /** All in the order of their places, file by file as they were first spoken of; those without a place come first. */
  all(): readonly Problem[] {
    const found = [...this.#found.values()];
    const files = [undefined, ...new Set(found.flatMap((problem) => problem.at?.file ?? []))];
    return found.sort(
      ({ at: a }, { at: b }) =>
        files.indexOf(a?.file) - files.indexOf(b?.file) || (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0),
    );
  }
}

/** A code from the words of a summary: "wrong type" gives wrong-type. */
export function codeOf(summary: string): string {
  return summary
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

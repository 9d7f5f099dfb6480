import { safeLine } from "./safe.ts";

/** Longer names are cut, as a report has a limit and a name has none. */
const longestName = 200;
const longestLine = 400;

/** ASCII that Markdown or HTML could act on, as entities: they are text to both. Letters, digits and a few others stay readable. */
function entity(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}

/** Safe text of so many code units at most; a character of two is not torn. */
function clipped(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** A stranger's text as inline code: no markup, HTML, mention, link or table cell can come of it. */
export function inlineCode(text: string, longest = longestName): string {
  const shown = clipped(safeLine(text.length > longest ? text.slice(0, longest * 2) : text), longest);
  return `<code>${shown.replace(/[^\p{L}\p{N}\p{M} /.\-,=…]/gu, (character) => (character.length === 1 && character < "\x7f" ? entity(character) : character)).replace(/www\./gi, (found) => `${found.slice(0, 3)}&#46;`)}</code>`;
}

/** A code block that its lines cannot end: the fence is longer than any run of backticks in them. Lines must be safe. */
export function fenced(lines: readonly string[], language = ""): string {
  const shown = lines.map((line) => clipped(line, longestLine));
  const longest = shown.reduce((most, line) => Math.max(most, ...[...line.matchAll(/`+/g)].map(([run]) => run.length)), 2);
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${shown.join("\n")}\n${fence}\n`;
}

/** Text that may be no longer than a number of bytes of UTF-8. */
export class Budget {
  #left: number;
  readonly #parts: string[] = [];

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Adds a part whole, or not at all and says no. `keep` bytes must stay free behind it. */
  add(part: string, keep = 0): boolean {
    const size = Buffer.byteLength(part);
    if (size + keep > this.#left) return false;
    this.#left -= size;
    this.#parts.push(part);
    return true;
  }

  text(): string {
    return this.#parts.join("");
  }
}

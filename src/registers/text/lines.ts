/** What ends a line; "" only for the last line of a file without a last newline. */
export type Ending = "\n" | "\r\n" | "";

/** One line: its text without the ending, and the ending it has in the file. */
export type Line = { readonly text: string; readonly ending: Ending };

/**
 * Cuts text into lines that keep their own endings; `joinLines` gives the same text again. An empty text has no lines.
 * A lone carriage return is content, even in a file that has nothing else: were it an ending there, then removing the
 * only line that ends in "\n" would change what all others are.
 */
export function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < text.length) {
    const feed = text.indexOf("\n", start);
    if (feed === -1) {
      lines.push({ text: text.slice(start), ending: "" });
      break;
    }
    const returns = feed > start && text.charCodeAt(feed - 1) === 13;
    lines.push({ text: text.slice(start, returns ? feed - 1 : feed), ending: returns ? "\r\n" : "\n" });
    start = feed + 1;
  }
  return lines;
}

/** Puts lines together. */
export function joinLines(lines: readonly Line[]): string {
  return lines.map((line) => line.text + line.ending).join("");
}

/** The ending that most lines have; "\n" where it is a draw or there is none. */
export function dominantEnding(lines: readonly Line[]): "\n" | "\r\n" {
  let lead = 0;
  for (const { ending } of lines) lead += ending === "\r\n" ? 1 : ending === "\n" ? -1 : 0;
  return lead > 0 ? "\r\n" : "\n";
}

/**
 * Takes out `count` lines at `index` and puts texts there, with the file's dominant ending.
 * A missing last newline stays missing, whichever line is the last one then; an empty file gets one.
 */
export function spliceLines(lines: readonly Line[], index: number, count: number, texts: readonly string[]): Line[] {
  const common = dominantEnding(lines);
  const fresh = texts.map((text): Line => ({ text, ending: common }));
  return settleEndings([...lines.slice(0, index), ...fresh, ...lines.slice(index + count)], lines, common);
}

/** The lines for which `keep` holds; a missing last newline stays missing. */
export function filterLines(lines: readonly Line[], keep: (line: Line, index: number) => boolean): Line[] {
  return settleEndings(lines.filter(keep), lines, dominantEnding(lines));
}

/** The first line number (from 1) at which two texts differ, and that line in both. */
export function firstDifference(one: string, other: string): { line: number; one: string; other: string } {
  const left = splitLines(one);
  const right = splitLines(other);
  let at = 0;
  while (at < left.length && left[at]?.text === right[at]?.text && left[at]?.ending === right[at]?.ending) at += 1;
  return { line: at + 1, one: left[at]?.text ?? "", other: right[at]?.text ?? "" };
}

function settleEndings(lines: readonly Line[], before: readonly Line[], common: "\n" | "\r\n"): Line[] {
  const bare = before.at(-1)?.ending === "";
  return lines.map(({ text, ending }, index) => {
    // An empty line exists by its ending alone, so it keeps one.
    if (bare && index === lines.length - 1 && text !== "") return { text, ending: "" };
    const kept = ending === "" ? common : ending;
    // Content that ends in "\r" would lose it to a bare "\n" when it is read again.
    return { text, ending: kept === "\n" && text.endsWith("\r") ? "\r\n" : kept };
  });
}

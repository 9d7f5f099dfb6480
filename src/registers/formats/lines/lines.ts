/** A line, or lines that belong together; `eol` is empty only for the last one of a text without a last newline. */
export interface EndedLine {
  eol: string;
}

/** Cuts a text into lines and their ends; joined they are the text. */
export function splitLines(text: string): { readonly raw: string; readonly eol: string }[] {
  const lines: { raw: string; eol: string }[] = [];
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    if (newline === -1) {
      lines.push({ raw: text.slice(at), eol: "" });
      break;
    }
    const end = newline > at && text[newline - 1] === "\r" ? newline - 1 : newline;
    lines.push({ raw: text.slice(at, end), eol: text.slice(end, newline + 1) });
    at = newline + 1;
  }
  return lines;
}

/** Puts lines at an index. Where the text had no last newline it has none afterwards, whoever is last then. */
export function insertLines<L extends EndedLine>(lines: L[], at: number, added: readonly L[], eol: string): void {
  const last = lines[lines.length - 1];
  for (const line of added) line.eol = eol;
  if (at === lines.length && last !== undefined && last.eol === "") {
    last.eol = eol;
    const end = added[added.length - 1];
    if (end !== undefined) end.eol = "";
  }
  lines.splice(at, 0, ...added);
}

/** Takes lines away, with the same care for a last newline that is missing. */
export function removeLines<L extends EndedLine>(lines: L[], at: number, count: number): void {
  const gone = lines.splice(at, count);
  const last = lines[lines.length - 1];
  if (at === lines.length && last !== undefined && gone[gone.length - 1]?.eol === "") last.eol = "";
}

/** A key of a line and what separates it from its value, blanks included. */
export interface Separated {
  readonly key: string;
  readonly separator: string;
}

/** The separator for a new key: in the column of its siblings where they are aligned, else as the last one has it. */
export function separatorLike(siblings: readonly Separated[], key: string, otherwise: string): string {
  const last = siblings[siblings.length - 1];
  if (last === undefined) return otherwise;
  const sign = /[=:]/.exec(last.separator)?.[0];
  if (sign === undefined) return last.separator;
  const before = last.separator.slice(0, last.separator.indexOf(sign));
  const after = last.separator.slice(last.separator.indexOf(sign) + 1);
  // A blank behind the sign is missing where the value is empty, as in `key =`.
  const blank = siblings.find((one) => /[=:][ \t]+$/.test(one.separator)) !== undefined && before !== "" ? after || " " : after;
  const columns = new Set(siblings.map((one) => one.key.length + one.separator.search(/[=:]|$/)));
  const lengths = new Set(siblings.map((one) => one.key.length));
  if (lengths.size > 1 && columns.size === 1) {
    const column = [...columns][0] as number;
    return " ".repeat(Math.max(before === "" ? 0 : 1, column - key.length)) + sign + blank;
  }
  const plain = before.length > 1 && !before.includes("\t") ? " " : before;
  return plain + sign + (blank.length > 1 && !blank.includes("\t") ? " " : blank);
}

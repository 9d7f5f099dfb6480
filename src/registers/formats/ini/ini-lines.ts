import { FormatError } from "../format.ts";
import { splitLines } from "../lines/lines.ts";
import { indentOf } from "../text.ts";

/**
 * One line of a sectioned text, or an entry with the lines that continue it.
 *
 * | is | fields that count |
 * | --- | --- |
 * | other | `raw`: a comment, a blank line, a directive such as `!include` |
 * | section | `raw`, `name` |
 * | entry | `indent`, `key`, `separator` (empty for a bare key), `value` as written, `rest` (a comment behind it) |
 */
export interface IniLine {
  readonly is: "other" | "section" | "entry";
  raw: string;
  readonly name: string;
  readonly indent: string;
  readonly key: string;
  separator: string;
  value: string;
  rest: string;
  eol: string;
  readonly line: number;
}

/** How the reader of a text takes values; the texts themselves tell which it is. */
export interface IniDialect {
  /** systemd units and desktop entries: no comment behind a value, and a backslash at the end of a line continues it. */
  readonly unit: boolean;
}

const unitSections =
  /^(?:Unit|Install|Service|Socket|Timer|Mount|Automount|Swap|Path|Slice|Scope|Match|Network|Link|NetDev|Address|Route|Journal|Login|Manager|Resolve|Time|Container|Pod|Volume|Desktop Entry|Desktop Action .*)$/;
const sectionLine = /^[ \t]*\[((?:[^\]"]|"(?:[^"\\]|\\.)*"|")*)\][ \t]*(?:[;#].*)?$/;

/** Whether the name of a section is one of a systemd unit or of a desktop entry. */
export function isUnitSection(name: string): boolean {
  return unitSections.test(name);
}

/** Cuts a sectioned text into its lines; `writeIniLine` of each gives the text again. */
export function parseIniLines(text: string): { readonly lines: IniLine[]; readonly dialect: IniDialect } {
  const raws = splitLines(text);
  const dialect: IniDialect = { unit: raws.some(({ raw }) => isUnitSection(sectionLine.exec(raw)?.[1]?.trim() ?? "")) };
  const lines: IniLine[] = [];
  for (let i = 0; i < raws.length; i += 1) {
    const { raw, eol } = raws[i] as { raw: string; eol: string };
    const line = readLine(raw, eol, i + 1, dialect);
    lines.push(line);
    if (line.is !== "entry") continue;
    while (i + 1 < raws.length && continues(line, raws[i + 1]?.raw ?? "", dialect)) {
      i += 1;
      const next = raws[i] as { raw: string; eol: string };
      line.value += line.rest + line.eol + next.raw;
      line.rest = "";
      line.eol = next.eol;
    }
  }
  return { lines, dialect };
}

/** An entry's own line with nothing else known; `line` is 0 for a new one. */
export function iniEntry(parts: Pick<IniLine, "indent" | "key" | "separator" | "value" | "rest" | "line">): IniLine {
  return { is: "entry", raw: "", name: "", eol: "", ...parts };
}

/** A line that is no entry. */
export function iniOther(raw: string, is: "other" | "section" = "other", name = ""): IniLine {
  return { is, raw, name, indent: "", key: "", separator: "", value: "", rest: "", eol: "", line: 0 };
}

function readLine(raw: string, eol: string, line: number, dialect: IniDialect): IniLine {
  const trimmed = raw.trim();
  if (trimmed === "" || /^[;#!]/.test(trimmed)) return { ...iniOther(raw), eol, line };
  if (trimmed.startsWith("[")) {
    const name = sectionLine.exec(raw)?.[1];
    if (name === undefined) {
      throw new FormatError(
        `line ${line}: the line begins a section, and its bracket is not closed or something follows it`,
        { line, column: raw.indexOf("[") + 1 },
        "Write the section as `[name]` on a line of its own.",
      );
    }
    return { ...iniOther(raw, "section", name.trim()), eol, line };
  }
  const indent = indentOf(raw);
  const body = raw.slice(indent.length);
  const at = separatorAt(body);
  if (at === 0)
    throw new FormatError(`line ${line}: a value stands here without a key`, { line, column: indent.length + 1 }, "Write `key = value`.");
  const head = at === -1 ? body : body.slice(0, at);
  const comment = at === -1 ? commentAt(head, dialect) : -1;
  const key = (comment === -1 ? head : head.slice(0, comment)).trimEnd();
  if (at === -1) return { ...iniEntry({ indent, key, separator: "", value: "", rest: body.slice(key.length), line }), eol };
  const separator = /^[ \t]*[=:][ \t]*/.exec(body.slice(key.length))?.[0] ?? "";
  const behind = body.slice(key.length + separator.length);
  // The blanks before a comment are in the separator where no value stands between.
  const cut = commentAt(` ${behind}`, dialect);
  const value = (cut === -1 ? behind : behind.slice(0, Math.max(0, cut - 1))).trimEnd();
  return { ...iniEntry({ indent, key, separator, value, rest: behind.slice(value.length), line }), eol };
}

/** The first `=`; or a `:` before it that blanks follow, since some keys have a `:` in them. */
function separatorAt(body: string): number {
  const equals = body.indexOf("=");
  const colon = /:(?=[ \t]|$)/.exec(body)?.index ?? (equals === -1 ? body.indexOf(":") : -1);
  if (equals === -1) return colon;
  return colon !== -1 && colon < equals ? colon : equals;
}

/** Where a comment begins behind a value: at a `;` or `#` after a blank and outside of quotes; -1 for nowhere. */
export function commentAt(value: string, dialect: IniDialect): number {
  if (dialect.unit) return -1;
  let quoted = false;
  for (let i = 0; i < value.length; i += 1) {
    const char = value[i];
    if (quoted && char === "\\") i += 1;
    else if (char === '"') quoted = !quoted && (quoted || value.indexOf('"', i + 1) !== -1);
    else if (!quoted && (char === ";" || char === "#") && /[ \t]/.test(value[i - 1] ?? "")) return i;
  }
  return -1;
}

function continues(line: IniLine, next: string, dialect: IniDialect): boolean {
  const deeper = indentOf(next).length > line.indent.length && next.trim() !== "";
  if (endsOpen(line.value) && line.rest.trim() === "" && (dialect.unit || deeper)) return true;
  // A line that is indented deeper than the key continues the value, as Python's parser has it; comments in between do not.
  return !dialect.unit && deeper && line.separator !== "" && !/^[ \t]*[;#[]/.test(next);
}

function endsOpen(value: string): boolean {
  return (/\\*$/.exec(value)?.[0].length ?? 0) % 2 === 1;
}

/** What an entry's value means: continued lines are joined. */
export function iniText({ value }: IniLine): string {
  if (!value.includes("\n")) return value;
  const parts = value.split(/\r?\n/).map((part) => part.trim());
  return parts.reduce((joined, part) => (endsOpen(joined) ? `${joined.slice(0, -1).trimEnd()} ${part}` : `${joined}\n${part}`));
}

/** The text of a line. */
export function writeIniLine(line: IniLine): string {
  return (line.is === "entry" ? line.indent + line.key + line.separator + line.value + line.rest : line.raw) + line.eol;
}

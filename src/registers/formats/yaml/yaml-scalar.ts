import type { FormatJson } from "../format.ts";
import { isList, isMap } from "../format-json.ts";

/** How new text is written where nothing replaced shows it. */
export interface YamlStyle {
  readonly eol: string;
  /** Blanks of one nested map. */
  readonly unit: number;
  /** Blanks of a list under its key. */
  readonly listUnit: number;
  readonly quote: "'" | '"';
  /** Whether a text of several lines is written on lines of its own, as a block text. */
  readonly blockTexts: boolean;
}

/** How a string stood before, and so how the next one is written if it can be. */
export type YamlQuoting = "plain" | "'" | '"';

type YamlScalarValue = null | boolean | number | string;

// Words that some reader, of YAML 1.1 or 1.2, takes for something else than a string.
const otherThanString = /^(?:~|null|true|false|yes|no|on|off|[-+]?\.?(?:inf|nan)|<<|=)$/i;
const likeNumberOrDate = /^[-+.]?\d[\d_.,:]*(?:[-+:.\dTtZz eExXoOa-fA-F]*)$/;
const plainStart = /^[\p{L}\p{N}_./+$^(;~\\-]/u;
const needsEscape = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]/;

/** Whether a string reads back as the same string when it stands without quotes, in the block and in the flow style alike. */
function plainIsSafe(text: string): boolean {
  return (
    text !== "" &&
    plainStart.test(text) &&
    !/[\n\r\t,[\]{}]|: |:$| #| $/.test(text) &&
    !/^(?:[-?:](?: |$)|---|\.\.\.)/.test(text) &&
    !otherThanString.test(text) &&
    !likeNumberOrDate.test(text) &&
    !needsEscape.test(text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ""))
  );
}

function doubleQuoted(text: string): string {
  // Lone halves of surrogate pairs are escaped by JSON.stringify already, whole pairs must stay.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function singleIsSafe(text: string): boolean {
  return !/[\n\r\t]/.test(text) && !needsEscape.test(text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ""));
}

/** A scalar on one line. A string that reads as a number, a boolean or a date is quoted. */
export function yamlScalar(value: YamlScalarValue, style: YamlStyle, quoting: YamlQuoting = "plain"): string {
  if (typeof value === "number") {
    if (Number.isNaN(value)) return ".nan";
    return Number.isFinite(value) ? String(value) : value > 0 ? ".inf" : "-.inf";
  }
  if (typeof value !== "string") return String(value);
  if (quoting === "plain" && plainIsSafe(value)) return value;
  const quote = quoting === "plain" ? style.quote : quoting;
  return quote === "'" && singleIsSafe(value) ? `'${value.replaceAll("'", "''")}'` : doubleQuoted(value);
}

/** The header of a block scalar and its lines, for a text of several lines that can stand so; undefined for any other. */
function blockScalar(value: FormatJson): { readonly header: string; readonly lines: readonly string[] } | undefined {
  if (typeof value !== "string" || !value.includes("\n") || /\r/.test(value) || /^[ \n\t]/.test(value)) return undefined;
  if (needsEscape.test(value.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ""))) return undefined;
  // Lines of blanks only, and more than one newline at the end, read differently in some positions.
  if (/(?:^|\n)[ \t]+(?:\n|$)|\n\n$/.test(value)) return undefined;
  return value.endsWith("\n") ? { header: "|", lines: value.slice(0, -1).split("\n") } : { header: "|-", lines: value.split("\n") };
}

/** What stands behind `key:` or `-`: a text for the same line, and lines below it, indented relative to the key. */
export interface YamlPiece {
  readonly head: string;
  readonly lines: readonly string[];
}

/** A value in the block style, for behind `key:`. */
export function yamlValue(value: FormatJson, style: YamlStyle, quoting: YamlQuoting = "plain"): YamlPiece {
  if (isMap(value) || isList(value)) {
    if (Object.keys(value).length === 0) return { head: isMap(value) ? "{}" : "[]", lines: [] };
    return { head: "", lines: indentLines(yamlLines(value, style), isMap(value) ? style.unit : style.listUnit) };
  }
  const block = quoting === "plain" && style.blockTexts ? blockScalar(value) : undefined;
  if (block !== undefined) return { head: block.header, lines: indentLines(block.lines, style.unit) };
  return { head: yamlScalar(value, style, quoting), lines: [] };
}

/** The lines of a map or list with entries, at indent 0. */
export function yamlLines(value: FormatJson, style: YamlStyle): readonly string[] {
  if (isMap(value)) return Object.entries(value).flatMap(([key, inner]) => yamlEntry(yamlKey(key, style), inner, style));
  if (isList(value)) return value.flatMap((item) => yamlItem(item, style));
  throw new Error("only maps and lists have lines");
}

/** The lines of one entry of a map. */
export function yamlEntry(key: string, value: FormatJson, style: YamlStyle): readonly string[] {
  const { head, lines } = yamlValue(value, style);
  return [head === "" ? `${key}:` : `${key}: ${head}`, ...lines];
}

/** The lines of one item of a list: a map or list begins on the line of the dash. */
export function yamlItem(value: FormatJson, style: YamlStyle): readonly string[] {
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    const [first = "", ...others] = yamlLines(value, style);
    return [`- ${first}`, ...indentLines(others, 2)];
  }
  const { head, lines } = yamlValue(value, style);
  return [`- ${head}`, ...lines];
}

/** A key, quoted as its siblings are where they say so. */
export function yamlKey(key: string, style: YamlStyle, quoting: YamlQuoting = "plain"): string {
  return yamlScalar(key, style, quoting);
}

/** A value in the flow style, on one line. */
export function yamlFlow(value: FormatJson, style: YamlStyle, quoting: YamlQuoting = "plain", keyQuoting: YamlQuoting = "plain"): string {
  if (isList(value)) return `[${value.map((item) => yamlFlow(item, style)).join(", ")}]`;
  if (isMap(value))
    return `{${Object.entries(value)
      .map(([key, inner]) => `${yamlKey(key, style, keyQuoting)}: ${yamlFlow(inner, style)}`)
      .join(", ")}}`;
  return yamlScalar(value, style, quoting);
}

/** Lines moved to the right; empty lines stay empty. */
export function indentLines(lines: readonly string[], by: number): readonly string[] {
  const indent = " ".repeat(by);
  return lines.map((line) => (line === "" ? "" : indent + line));
}

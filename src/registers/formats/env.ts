import { type ConfigFormat, FormatError, type FormatJson, type KeyPath } from "./format.ts";
import { isMap, mapOf } from "./format-json.ts";
import { formatSuffixes } from "./format-names.ts";
import { formatKeyPath } from "./key-path.ts";
import { insertLines, removeLines } from "./lines/lines.ts";
import { duplicateKey, endOfLine, placeOf, splitMark } from "./text.ts";
import { scalarText, type TreeDocument, treeFormat } from "./tree.ts";

/** An assignment or any other line. `head` is all before the value, `tail` all behind it; another line is all head. */
interface EnvLine {
  readonly key: string | undefined;
  readonly head: string;
  raw: string;
  tail: string;
  eol: string;
  readonly at: number;
}

type EnvNode = { readonly is: "top" } | { readonly is: "entry"; readonly line: EnvLine };

const nowhere = { line: 0, column: 0 };
const head = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*/y;
const quotedValue = /(?:"(?:[^"\\]|\\[\s\S])*"|'[^']*'|`[^`]*`)(?=[ \t]*(?:#[^\r\n]*)?(?:\r?\n|$))/y;
const bareValue = /(?:[^\s#]|[ \t]+(?=[^\s#])|#)*/y;
const restOfLine = /[^\r\n]*(?:\r(?!\n)[^\r\n]*)*/y;

function take(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function readLines(text: string): EnvLine[] {
  const lines: EnvLine[] = [];
  for (let at = 0; at < text.length; ) {
    head.lastIndex = at;
    const start = head.exec(text);
    const opening = start?.[0] ?? take(restOfLine, text, at) ?? "";
    let end = at + opening.length;
    // Behind blanks a `#` begins a comment, and the value is empty.
    const raw =
      start === null || (/[ \t]$/.test(opening) && text[end] === "#")
        ? ""
        : (take(quotedValue, text, end) ?? take(bareValue, text, end) ?? "");
    end += raw.length;
    const tail = start === null ? "" : (take(restOfLine, text, end) ?? "");
    end += tail.length;
    const eol = text.startsWith("\r\n", end) ? "\r\n" : text[end] === "\n" ? "\n" : "";
    lines.push({ key: start?.[1], head: opening, raw, tail, eol, at });
    at = end + Math.max(eol.length, end === at ? 1 : 0);
  }
  return lines;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function decode(raw: string): string {
  if (raw.length < 2 || !/^(["'`])[\s\S]*\1$/.test(raw)) return raw;
  const inner = raw.slice(1, -1).replaceAll("\r\n", "\n");
  // Only what is known to be an escape is one: a lone backslash, as in a Windows path, stays.
  return raw.startsWith('"') ? inner.replace(/\\([nrt"\\$`])/g, (_, char: string) => escapes[char] ?? char) : inner;
}

/** A value as it is written: in the quotes that stood there, or without any, where the value allows it. */
function encode(value: string, before: string, eol: string): string {
  const quote = /^["'`]/.exec(before)?.[0];
  if (quote === undefined && /^[\w./:@%+,=-]*$/.test(value)) return value;
  const single = !/['\n\r]/.test(value);
  if (quote === "'" && !/['\r]/.test(value)) return `'${value.replaceAll("\n", eol)}'`;
  // Shells and loaders of .env files differ in how they take `$` and escapes in double quotes; in single ones they agree.
  if (quote === undefined && single && /["$\\`]/.test(value)) return `'${value}'`;
  return `"${value
    .replace(/["\\$`]/g, "\\$&")
    .replaceAll("\r", "\\r")
    .replaceAll("\n", eol)}"`;
}

function parseEnv(text: string): TreeDocument<EnvNode> {
  const { mark, body } = splitMark(text);
  const lines = readLines(body);
  const eol = endOfLine(body);
  const index = new Map<string, EnvLine>();
  for (const line of lines) {
    if (line.key === undefined) continue;
    if (index.has(line.key)) throw duplicateKey(body, line.at, line.key);
    index.set(line.key, line);
  }
  const readNode = (node: EnvNode): FormatJson =>
    node.is === "top" ? mapOf([...index].map(([key, line]) => [key, decode(line.raw)])) : decode(node.line.raw);
  const refuse = (): never => {
    throw new FormatError("an .env file holds keys and their text, no maps and lists", nowhere, "Set a scalar.");
  };

  return {
    root: () => ({ is: "top" }),
    kind: (node) => (node.is === "top" ? "map" : "scalar"),
    value: readNode,
    child(_node, key) {
      const line = index.get(key);
      return line === undefined ? undefined : { is: "entry", line };
    },
    items: () => [],
    admit: admitText,
    replace(node, value) {
      if (node.is !== "entry") return;
      node.line.raw = encode(value as string, node.line.raw, eol);
      // Behind `A= # comment` the value would otherwise touch the comment and take it in.
      if (node.line.tail.startsWith("#")) node.line.tail = ` ${node.line.tail}`;
    },
    insert(_node, key, value) {
      if (typeof value !== "string") return refuse();
      if (!/^[A-Za-z_][\w.-]*$/.test(key))
        throw new FormatError(
          `${formatKeyPath([key])}: this cannot be the name of a variable`,
          nowhere,
          "Use letters, digits, `_`, `.` and `-`, and no digit first.",
        );
      const last = lines.findLastIndex((line) => line.key !== undefined);
      const before = lines[last];
      const exported = before !== undefined && /^[ \t]*export[ \t]/.test(before.head);
      const spaced = before !== undefined && /[ \t]=[ \t]/.test(before.head);
      const line: EnvLine = {
        key,
        head: `${exported ? "export " : ""}${key}${spaced ? " = " : "="}`,
        raw: encode(value, before?.raw.startsWith('"') && !/["$\\`]/.test(value) ? '"' : "", eol),
        tail: "",
        eol: "",
        at: 0,
      };
      insertLines(lines, last === -1 ? lines.length : last + 1, [line], eol);
      index.set(key, line);
    },
    append: refuse,
    remove(_parent, _step, child) {
      if (child.is !== "entry") return;
      removeLines(lines, lines.indexOf(child.line), 1);
      index.delete(child.line.key ?? "");
    },
    place: (node) => (node.is === "entry" ? placeOf(body, node.line.at) : { line: 1, column: 1 }),
    text: () => mark + lines.map((line) => line.head + line.raw + line.tail + line.eol).join(""),
  };
}

function admitText(value: FormatJson, path: KeyPath): FormatJson {
  const text = scalarText(value);
  if (text !== undefined && !text.includes("\u0000")) return text;
  const what = isMap(value) ? "a map" : value === null ? "null" : typeof value === "object" ? "a list" : "this text";
  throw new FormatError(`${formatKeyPath(path)}: an .env file cannot hold ${what}`, nowhere, "Set a text, a number or a boolean.");
}

/** Files of environment variables as shells and dotenv loaders read them. A key is one step; values are text. */
export const env: ConfigFormat = treeFormat({ name: "env", suffixes: formatSuffixes.env, parse: parseEnv });

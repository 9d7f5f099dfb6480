import { type ConfigFormat, FormatError, type FormatJson, type KeyPath } from "./format.ts";
import { mapOf } from "./format-json.ts";
import { formatSuffixes } from "./format-names.ts";
import { formatKeyPath } from "./key-path.ts";
import { insertLines, removeLines, separatorLike, splitLines } from "./lines/lines.ts";
import { duplicateKey, endOfLine, placeOf, splitMark } from "./text.ts";
import { scalarText, type TreeDocument, treeFormat } from "./tree.ts";

/** A logical line: an entry with its continuations, or (with no key) a comment or blank line, which is all `indent`. */
interface PropertyLine {
  readonly key: string | undefined;
  readonly indent: string;
  readonly rawKey: string;
  separator: string;
  raw: string;
  eol: string;
  readonly at: number;
}

type PropertyNode = { readonly is: "top" } | { readonly is: "entry"; readonly line: PropertyLine };

const nowhere = { line: 0, column: 0 };
const entry =
  /^([ \t\f]*)((?:[^\\=: \t\f\r\n]|\\\r?\n[ \t\f]*|\\[^\r\n]|\\$)*)((?:[ \t\f]|\\\r?\n)*(?:[=:](?:[ \t\f]|\\\r?\n)*)?)([\s\S]*)$/;

function readLines(text: string): PropertyLine[] {
  const raws = splitLines(text);
  const lines: PropertyLine[] = [];
  let at = 0;
  for (let i = 0; i < raws.length; i += 1) {
    let { raw, eol } = raws[i] as { raw: string; eol: string };
    const start = at;
    at += raw.length + eol.length;
    if (/^[ \t\f]*(?:[#!]|$)/.test(raw)) {
      lines.push({ key: undefined, indent: raw, rawKey: "", separator: "", raw: "", eol, at: start });
      continue;
    }
    while (endsOpen(raw) && i + 1 < raws.length) {
      i += 1;
      const next = raws[i] as { raw: string; eol: string };
      raw += eol + next.raw;
      eol = next.eol;
      at += next.raw.length + next.eol.length;
    }
    const [, indent = "", rawKey = "", separator = "", value = ""] = entry.exec(raw) ?? [];
    lines.push({ key: decode(rawKey), indent, rawKey, separator, raw: value, eol, at: start });
  }
  return lines;
}

function endsOpen(raw: string): boolean {
  return (/\\*$/.exec(raw)?.[0].length ?? 0) % 2 === 1;
}

const escapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function decode(raw: string): string {
  return raw.replace(/\\(?:\r?\n[ \t\f]*|u([0-9a-fA-F]{4})|([\s\S])|$)/g, (_, code: string | undefined, char: string | undefined) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return char === undefined ? "" : (escapes[char] ?? char);
  });
}

/** Escapes what a reader would take for something else. `ascii` also escapes what old readers, who expect Latin-1, would garble. */
function encode(text: string, isKey: boolean, ascii: boolean): string {
  const named = text.replace(
    /[\\\t\n\r\f]/g,
    (char) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f" })[char] ?? char,
  );
  const blanks = isKey ? named.replace(/[ =:]/g, "\\$&").replace(/^[#!]/, "\\$&") : named.replace(/^ /, "\\ ");
  const hidden = ascii ? /[^\x20-\x7e]/g : /[\u0000-\u001f\u007f]/g;
  return blanks.replace(hidden, (char) => `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
}

/** Behind blanks alone a sign at the start of the value would be read as the separator. */
function encodeValue(value: string, separator: string, ascii: boolean): string {
  return (/^[=:]/.test(value) && !/[=:]/.test(separator) ? "\\" : "") + encode(value, false, ascii);
}

function parseProperties(text: string): TreeDocument<PropertyNode> {
  const { mark, body } = splitMark(text);
  const lines = readLines(body);
  const eol = endOfLine(body);
  const ascii = !/[^\x00-\x7f]/.test(body);
  const index = new Map<string, PropertyLine>();
  for (const line of lines) {
    if (line.key === undefined) continue;
    if (index.has(line.key)) throw duplicateKey(body, line.at, line.key);
    index.set(line.key, line);
  }

  return {
    root: () => ({ is: "top" }),
    kind: (node) => (node.is === "top" ? "map" : "scalar"),
    value: (node) => (node.is === "top" ? mapOf([...index].map(([key, line]) => [key, decode(line.raw)])) : decode(node.line.raw)),
    child(_node, key) {
      const line = index.get(key);
      return line === undefined ? undefined : { is: "entry", line };
    },
    items: () => [],
    admit: admitText,
    replace(node, value) {
      if (node.is !== "entry") return;
      if (node.line.separator === "" && value !== "") node.line.separator = "=";
      node.line.raw = encodeValue(value as string, node.line.separator, ascii);
    },
    insert(_node, key, value) {
      const at = lines.findLastIndex((line) => line.key !== undefined);
      const last = lines[at];
      // Some neighbours show the style; to look at all of them would make many edits of a long text slow.
      const entries = lines.slice(Math.max(0, at - 20), at + 1).filter((line) => line.key !== undefined);
      const rawKey = encode(key, true, ascii);
      if (rawKey === "") throw new FormatError("the key is empty", nowhere, "Name the key.");
      const separator = separatorLike(
        entries
          .filter((line) => line.separator !== "")
          .map((line) => ({ key: line.rawKey, separator: line.separator.replace(/\\\r?\n[ \t\f]*/g, "") })),
        rawKey,
        "=",
      );
      const line: PropertyLine = {
        key,
        indent: last?.indent ?? "",
        rawKey,
        separator,
        raw: encodeValue(value as string, separator, ascii),
        eol: "",
        at: 0,
      };
      insertLines(lines, last === undefined ? lines.length : at + 1, [line], eol);
      index.set(key, line);
    },
    append() {
      throw new FormatError("a properties file holds no lists", nowhere, "Set a text.");
    },
    remove(_parent, _step, child) {
      if (child.is !== "entry") return;
      removeLines(lines, lines.indexOf(child.line), 1);
      index.delete(child.line.key ?? "");
    },
    place: (node) => (node.is === "entry" ? placeOf(body, node.line.at) : { line: 1, column: 1 }),
    text: () => mark + lines.map((line) => line.indent + line.rawKey + line.separator + line.raw + line.eol).join(""),
  };
}

function admitText(value: FormatJson, path: KeyPath): FormatJson {
  const text = scalarText(value);
  if (text === undefined)
    throw new FormatError(
      `${formatKeyPath(path)}: a properties file holds texts, and no null, maps and lists`,
      nowhere,
      "Set a text, a number or a boolean.",
    );
  return text;
}

/** The keys of a properties file have dots in them and nothing below: a path of several steps is one key, `a.b[0].c`. */
function oneKey(path: KeyPath): KeyPath {
  if (path.length === 0) return path;
  const key = path.reduce<string>((joined, step) => {
    if (typeof step === "object")
      throw new FormatError(
        `${formatKeyPath(path)}: a properties file has no lists to pick an entry from`,
        nowhere,
        "Write the key as it stands in the file.",
      );
    return typeof step === "number" ? `${joined}[${step}]` : joined === "" ? step : `${joined}.${step}`;
  }, "");
  return [key];
}

/** Java's properties files. Dots in a path are part of the key; values are text. */
export const properties: ConfigFormat = treeFormat({
  name: "properties",
  suffixes: formatSuffixes.properties,
  parse: parseProperties,
  path: oneKey,
});

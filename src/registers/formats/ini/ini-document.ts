import { FormatError, type FormatJson, type KeyPath } from "../format.ts";
import { isList, isMap, mapOf, own } from "../format-json.ts";
import { formatKeyPath } from "../key-path.ts";
import { insertLines, removeLines, separatorLike } from "../lines/lines.ts";
import { endOfLine, splitMark } from "../text.ts";
import { type NodeKind, scalarText, type TreeDocument } from "../tree.ts";
import {
  commentAt,
  type IniDialect,
  type IniLine,
  iniEntry,
  iniOther,
  iniText,
  isUnitSection,
  parseIniLines,
  writeIniLine,
} from "./ini-lines.ts";

/** The top of the text, a section by name, the entries of one key, or one of several entries of a key. */
export type IniNode =
  | { readonly is: "top" }
  | { readonly is: "section"; readonly name: string }
  | { readonly is: "key"; readonly section: string; readonly key: string; readonly entries: readonly IniLine[] }
  | { readonly is: "item"; readonly entry: IniLine };

const lookedAt = 20;

const nowhere = { line: 0, column: 0 };

/** A sectioned text as a tree; a section that stands twice is one section, a key that stands twice is a list. */
export function parseIni(text: string): TreeDocument<IniNode> {
  const { mark, body } = splitMark(text);
  const { lines, dialect: found } = parseIniLines(body);
  const eol = endOfLine(body);
  let dialect = found;
  let changed = false;
  let index = indexOf(lines);

  const touched = (): void => {
    index = indexOf(lines);
    changed = true;
  };

  const newEntries = (section: string, key: string, values: readonly FormatJson[]): IniLine[] => {
    refuseKey(section, key);
    const keys = [...(index.get(section)?.values() ?? [])];
    // Some neighbours show the style; to look at all of them would make many edits of a long section slow.
    const siblings = keys.slice(-lookedAt).flat();
    const any = siblings.length > 0 ? undefined : lines.findLast(({ is }) => is === "entry");
    const others = any === undefined ? siblings : [any];
    const separators = others.filter(({ separator }) => separator !== "").map((line) => ({ key: line.key, separator: line.separator }));
    const separator = separatorLike(siblings.length > 0 ? separators : separators.slice(-1), key, dialect.unit ? "=" : " = ");
    const indent = siblings[siblings.length - 1]?.indent ?? others[others.length - 1]?.indent ?? "";
    return values.map((value) =>
      iniEntry({
        indent,
        key,
        separator: value === null ? "" : valueSeparator(separator, value),
        value: value === null ? "" : written(value as string, indent, eol, dialect, key),
        rest: "",
        line: 0,
      }),
    );
  };

  const insertEntry = (section: string, key: string, values: readonly FormatJson[]): void => {
    const added = newEntries(section, key, values);
    insertLines(lines, placeIn(lines, section), added, eol);
    changed = true;
    index.get(section)?.set(key, added);
  };

  const insertSection = (name: string, value: FormatJson): void => {
    if (/[\r\n\]]/.test(name.replace(/"(?:[^"\\]|\\.)*"/g, "")) || name !== name.trim())
      throw new FormatError(
        `${JSON.stringify(name)} cannot be the name of a section`,
        nowhere,
        "Choose a name without brackets, line ends and outer blanks.",
      );
    if (isUnitSection(name)) dialect = { unit: true };
    const header = iniOther(`[${name}]`, "section", name);
    insertLines(lines, lines.length, lines.length === 0 ? [header] : [iniOther(""), header], eol);
    touched();
    for (const [key, inner] of Object.entries(value as object) as [string, FormatJson][])
      insertEntry(name, key, isList(inner) ? inner : [inner]);
  };

  const removeEntries = (entries: readonly IniLine[]): void => {
    const gone = new Set(entries);
    for (let i = lines.length - 1; i >= 0; i -= 1) if (gone.has(lines[i] as IniLine)) removeLines(lines, i, 1);
    touched();
  };

  const setEntries = (section: string, key: string, entries: readonly IniLine[], values: readonly FormatJson[]): void => {
    for (const [i, value] of values.slice(0, entries.length).entries()) setEntry(entries[i] as IniLine, value);
    if (values.length < entries.length) removeEntries(entries.slice(values.length));
    if (values.length > entries.length) {
      insertLines(
        lines,
        lines.indexOf(entries[entries.length - 1] as IniLine) + 1,
        newEntries(section, key, values.slice(entries.length)),
        eol,
      );
      touched();
    }
    changed = true;
  };

  const setEntry = (entry: IniLine, value: FormatJson): void => {
    if ((entry.separator === "" ? null : iniText(entry)) === value) return;
    const bare = entry.separator === "" ? newEntries("", entry.key, [value])[0]?.separator : undefined;
    const separator = value === null ? "" : (bare ?? valueSeparator(entry.separator, value));
    entry.separator = separator;
    const next = value === null ? "" : written(value as string, entry.indent, eol, dialect, entry.key);
    if (next.includes("\n") && entry.rest.trim() !== "")
      throw new FormatError(
        `${formatKeyPath([entry.key])}: a value of several lines has no place for the comment behind it`,
        { line: entry.line, column: 1 },
        "Move the comment to a line of its own.",
      );
    entry.value = next;
    if (entry.rest.trim() === "") entry.rest = "";
    changed = true;
  };

  const removeSection = (name: string): void => {
    for (let i = lines.length - 1; i >= 0; i -= 1) {
      const line = lines[i];
      if (line?.is !== "section" || line.name !== name) continue;
      const end = endOfBlock(lines, i);
      const last = end === lines.length;
      const blankBefore = last && i > 0 && isBlank(lines[i - 1]);
      removeLines(lines, blankBefore ? i - 1 : i, end - i + (blankBefore ? 1 : 0));
    }
    touched();
  };

  const valueOfSection = (name: string): FormatJson =>
    mapOf([...(index.get(name) ?? [])].map(([key, entries]) => [key, valueOfEntries(entries)]));

  return {
    root: () => ({ is: "top" }),
    kind(node, next): NodeKind {
      if (node.is === "top" || node.is === "section") return "map";
      if (node.is === "key") return typeof next === "number" || node.entries.length > 1 ? "list" : "scalar";
      return "scalar";
    },
    value(node) {
      if (node.is === "top")
        return mapOf(
          [...index].flatMap(([name, keys]) =>
            name === ""
              ? [...keys].map(([key, entries]) => [key, valueOfEntries(entries)] as const)
              : [[name, valueOfSection(name)] as const],
          ),
        );
      if (node.is === "section") return valueOfSection(node.name);
      return valueOfEntries(node.is === "key" ? node.entries : [node.entry]);
    },
    child(node, key) {
      if (node.is === "top" && (index.has(key) || key === "")) return { is: "section", name: key };
      if (node.is !== "top" && node.is !== "section") return undefined;
      const section = node.is === "top" ? "" : node.name;
      const entries = index.get(section)?.get(key);
      return entries === undefined ? undefined : { is: "key", section, key, entries };
    },
    items: (node) => (node.is === "key" ? node.entries.map((entry) => ({ is: "item", entry })) : []),
    admit: admitIni,
    replace(node, value) {
      if (node.is === "item") return setEntry(node.entry, scalarOf(value));
      if (node.is === "key" && !isMap(value)) return setEntries(node.section, node.key, node.entries, isList(value) ? value : [value]);
      if (node.is !== "section" || !isMap(value))
        throw new FormatError("a section and a key cannot take each other's place", nowhere, "Unset the one before you set the other.");
      for (const [key, entries] of index.get(node.name) ?? []) if (own(value, key) === undefined) removeEntries(entries);
      for (const [key, inner] of Object.entries(value)) {
        const values = isList(inner) ? inner : [inner];
        const entries = index.get(node.name)?.get(key);
        if (entries === undefined) insertEntry(node.name, key, values);
        else setEntries(node.name, key, entries, values);
      }
    },
    insert(node, key, value) {
      if (node.is === "top" && isMap(value)) return insertSection(key, value);
      if (isMap(value))
        throw new FormatError(
          `${formatKeyPath([key])}: a section holds keys, and no maps`,
          nowhere,
          "Write the path as section and key; quote a section name with dots.",
        );
      if (node.is === "top" || node.is === "section") insertEntry(node.is === "top" ? "" : node.name, key, isList(value) ? value : [value]);
    },
    append(node, value) {
      if (node.is === "key")
        setEntries(node.section, node.key, node.entries, [...node.entries.map((entry) => valueOfEntries([entry])), scalarOf(value)]);
    },
    remove(_parent, _step, child) {
      if (child.is === "section") removeSection(child.name);
      else if (child.is !== "top") removeEntries(child.is === "key" ? child.entries : [child.entry]);
    },
    place: (node) => ({ line: node.is === "key" ? (node.entries[0]?.line ?? 0) : node.is === "item" ? node.entry.line : 0, column: 1 }),
    text: () => (changed ? mark + lines.map(writeIniLine).join("") : text),
  };
}

function indexOf(lines: readonly IniLine[]): Map<string, Map<string, IniLine[]>> {
  const index = new Map<string, Map<string, IniLine[]>>([["", new Map()]]);
  let section = "";
  for (const line of lines) {
    if (line.is === "section") {
      section = line.name;
      if (!index.has(section)) index.set(section, new Map());
    } else if (line.is === "entry") {
      const keys = index.get(section) as Map<string, IniLine[]>;
      const entries = keys.get(line.key);
      if (entries === undefined) keys.set(line.key, [line]);
      else entries.push(line);
    }
  }
  return index;
}

/** A bare key reads as null, one entry as its text, several as a list. */
function valueOfEntries(entries: readonly IniLine[]): FormatJson {
  const values = entries.map((entry) => (entry.separator === "" ? null : iniText(entry)));
  return values.length === 1 ? (values[0] as FormatJson) : values;
}

function isBlank(line: IniLine | undefined): boolean {
  return line !== undefined && line.is === "other" && line.raw.trim() === "";
}

/** Behind the last entry of the last block of a section, or behind its header; the top has no header. */
function placeIn(lines: readonly IniLine[], section: string): number {
  let current = "";
  let place: number | undefined;
  let firstSection: number | undefined;
  lines.forEach((line, i) => {
    if (line.is === "section") {
      current = line.name;
      firstSection ??= i;
    }
    if (current === section && line.is !== "other") place = i + 1;
  });
  if (place !== undefined) return place;
  if (firstSection === undefined) return lines.length;
  // A comment right above the first section is about that section, unless it begins the text.
  let at = firstSection;
  while (at > 0 && !isBlank(lines[at - 1])) at -= 1;
  return at === 0 ? firstSection : at;
}

/** Where a block ends: at the next header, or at the comment that stands right above that. */
function endOfBlock(lines: readonly IniLine[], header: number): number {
  const next = lines.findIndex((line, i) => i > header && line.is === "section");
  if (next === -1) return lines.length;
  let end = next;
  while (end - 1 > header && lines[end - 1]?.is === "other" && !isBlank(lines[end - 1])) end -= 1;
  return end;
}

function refuseKey(section: string, key: string): void {
  if (key === "" || key !== key.trim() || /[\r\n=]|^[;#![]|:(?:[ \t]|$)/.test(key))
    throw new FormatError(
      `${formatKeyPath(section === "" ? [key] : [section, key])}: this cannot be a key`,
      nowhere,
      "Choose a key without `=`, line ends and outer blanks.",
    );
}

function valueSeparator(separator: string, value: FormatJson): string {
  return value === "" || String(value).startsWith("\n")
    ? separator.trimEnd()
    : /[=:]$/.test(separator) && /^[ \t]/.test(separator)
      ? `${separator} `
      : separator;
}

function scalarOf(value: FormatJson): FormatJson {
  if (isList(value) || isMap(value))
    throw new FormatError("one entry of a key holds one text", nowhere, "Set a scalar here, or a list at the key.");
  return value;
}

/** A value as it is written: lines behind the first are indented, so that they continue it. */
function written(value: string, indent: string, eol: string, dialect: IniDialect, key: string): string {
  const parts = value.split("\n");
  const fail = (why: string): FormatError =>
    new FormatError(
      `${formatKeyPath([key])}: ${why}`,
      nowhere,
      "Set the value as the file is to have it; double quotes in it protect blanks, `;` and `#`.",
    );
  if (parts.some((part) => part !== part.trim() || part.includes("\r"))) throw fail("blanks at the ends of a line would be lost");
  if (dialect.unit && parts.length > 1) throw fail("a unit has no values of several lines");
  if (parts.some((part, i) => i > 0 && (part === "" || /^[;#[]/.test(part))))
    throw fail("a blank line, a comment or a bracket would end the value");
  if (parts.some((part) => commentAt(` ${part}`, dialect) !== -1)) throw fail("what follows ` ;` or ` #` would be read as a comment");
  if (/\\$/.test(value) && (/\\*$/.exec(value)?.[0].length ?? 0) % 2 === 1 && dialect.unit)
    throw fail("a backslash at the end would take in the next line");
  if (parts.slice(0, -1).some((part) => part.endsWith("\\"))) throw fail("a backslash at the end of a line would take in the next line");
  return parts.map((part, i) => (i === 0 ? part : `${indent}    ${part}`)).join(eol);
}

function admitIni(value: FormatJson, path: KeyPath): FormatJson {
  if (isMap(value)) {
    if (path.length !== 1)
      throw new FormatError(
        `${formatKeyPath(path)}: a section holds keys, and no maps`,
        nowhere,
        "Write the path as section and key; quote a section name with dots.",
      );
    return mapOf(Object.entries(value).map(([key, inner]) => [key, admitIni(inner, [...path, key])]));
  }
  if (isList(value)) {
    if (value.length === 0)
      throw new FormatError(`${formatKeyPath(path)}: a key without entries is no key`, nowhere, "Unset the key instead.");
    const items = value.map((item) => scalarOf(admitIni(item, path)));
    // One entry reads back as one text, so a list of one is that text.
    return items.length === 1 ? (items[0] as FormatJson) : items;
  }
  return scalarText(value) ?? null;
}

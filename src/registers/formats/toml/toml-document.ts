import { parse } from "smol-toml";
import { type FlowStyle, insertFlow, removeFlow, replaceFlow } from "../flow/edit-flow.ts";
import { type FlowSlot, type FlowValue, slotByKey, writeFlow } from "../flow/flow.ts";
import { parseFlow } from "../flow/parse-flow.ts";
import { FormatError, type FormatJson, type KeyPath, type KeyStep } from "../format.ts";
import { isList, isMap, mapOf, own, sameJson } from "../format-json.ts";
import { formatKeyPath } from "../key-path.ts";
import { insertLines, removeLines } from "../lines/lines.ts";
import { endOfLine, errorAt, placeOf, splitMark } from "../text.ts";
import type { NodeKind, TreeDocument } from "../tree.ts";
import { parseTomlLines, type TomlLine, tomlFlow } from "./toml-lines.ts";
import { newPair, newTable, newTables } from "./toml-new.ts";
import { encodeTomlScalar } from "./toml-scalar.ts";
import {
  blocksUnder,
  dottedValue,
  type TomlBlock,
  type TomlNode,
  type TomlTable,
  type TomlTables,
  type TomlValue,
  tomlJson,
  tomlTree,
} from "./toml-tree.ts";

/** Throws FormatError when a text is no TOML; the library knows all its rules, the editor need not. */
function refuseInvalid(text: string, what: string): void {
  try {
    parse(text, { integersAsBigInt: "asNeeded" });
  } catch (error) {
    const { line = 0, column = 0 } = error as { line?: number; column?: number };
    const message = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
    throw new FormatError(`line ${line}: ${what}${message}`, { line, column }, "Mend the text, or edit this place by hand.");
  }
}

/** A TOML text as a tree of tables over its lines. */
export function parseToml(text: string): TreeDocument<TomlNode> {
  const { mark, body } = splitMark(text);
  refuseInvalid(body, "");
  const lines = parseTomlLines(body);
  const eol = endOfLine(body);
  let tree = tomlTree(lines);
  let changed = false;

  const rebuild = (): void => {
    tree = tomlTree(lines);
    changed = true;
  };
  const parseValue = (raw: string): FlowValue => parseFlow(raw, 0, tomlFlow).value;
  const style: FlowStyle = { eol, unit: unitOf(lines), colon: " = ", lines: false, pad: " ", lastComma: true };
  const add = (at: number, added: readonly TomlLine[]): void => {
    insertLines(lines, at, added, eol);
    rebuild();
  };
  const fixed = (at: number): FormatError =>
    errorAt(body, at, "an inline table with dotted keys stands here", "Set the inline table as a whole, or write its keys without dots.");

  /** Where new lines of a block go: behind its last pair or header; before the first header for the top of the text. */
  const endOfBlock = (block: TomlBlock): number => (block.last >= 0 ? block.last + 1 : beforeFirstHeader(lines));
  const endUnder = (node: TomlNode): number => Math.max(...blocksUnder(node).map(endOfBlock));

  const insertInTable = (table: TomlTable, key: string, value: FormatJson): void => {
    const asLines = table.dotted.length === 0 && !inlineSiblings(table);
    if (asLines && isMap(value) && Object.keys(value).length > 0) {
      add(...separated(sectionStart(lines, table, endUnder), newTable([...table.keys, key], value, eol)));
      return;
    }
    if (asLines && isList(value) && value.length > 0 && value.every((item) => isMap(item))) {
      add(...separated(sectionStart(lines, table, endUnder), newTables([...table.keys, key], value, eol)));
      return;
    }
    if (table.block === undefined) {
      const first = Math.min(...blocksUnder(table).map((block) => block.header));
      const at = aboveComments(lines, first);
      add(at, [...newTable(table.keys, mapOf([[key, value]]), eol), { is: "trivia", raw: "", eol }]);
      return;
    }
    const siblings = table.block.pairs.filter(({ line }) => table.dotted.every((part, i) => line.keys[i] === part));
    const behind = siblings[siblings.length - 1];
    const pair = newPair(
      [...table.dotted, key],
      value,
      table.block.pairs.map(({ line }) => line),
      eol,
      behind?.line.indent ?? "",
    );
    // The first pair above all tables gets a blank line to the table behind it; `removePair` takes it away again.
    const spaced = table.block.header === -1 && table.block.pairs.length === 0 && lines.some((line) => line.is === "header");
    add(behind === undefined ? endOfBlock(table.block) : behind.index + 1, spaced ? [pair, { is: "trivia", raw: "", eol }] : [pair]);
  };

  const removeBlocks = (blocks: readonly TomlBlock[]): void => {
    for (const block of [...blocks].sort((one, other) => other.header - one.header)) {
      if (block.header < 0) continue;
      const blankBefore = isBlank(lines[block.header - 1]);
      const blankBehind = !blankBefore && isBlank(lines[block.last + 1]);
      removeLines(lines, block.header - (blankBefore ? 1 : 0), block.last - block.header + 1 + (blankBefore || blankBehind ? 1 : 0));
    }
  };

  const removePair = (index: number): void => {
    const alone = lines.findIndex((line) => line.is === "header") > index && tree.block?.pairs.length === 1;
    removeLines(lines, index, alone && isBlank(lines[index + 1]) ? 2 : 1);
  };

  const removeNode = (node: TomlNode): void => {
    if (node.is === "value") removePair(node.index);
    else if (node.is === "fixed") throw fixed(node.at);
    else {
      removeBlocks(blocksUnder(node));
      // What is left of the table are dotted pairs in the block of another; they are found again by their lines.
      const pairs = new Set(pairsUnder(node));
      for (let i = lines.length - 1; i >= 0; i -= 1) {
        const line = lines[i] as TomlLine;
        if (line.is === "pair" && pairs.has(line.slot)) removeLines(lines, i, 1);
      }
    }
    rebuild();
  };

  /** Puts a value where nothing stands; tables that only longer headers named may be gone with what was removed. */
  const setAt = (path: readonly KeyStep[], value: FormatJson): void => {
    let table: TomlTable = tree;
    for (let i = 0; i < path.length; i += 1) {
      const next = nodeAt(tree, path.slice(0, i + 1));
      if (next === undefined) {
        insertInTable(
          table,
          String(path[i]),
          path.slice(i + 1).reduceRight<FormatJson>((inner, step) => mapOf([[String(step), inner]]), value),
        );
        return;
      }
      if (next.is === "table") table = next;
    }
  };

  /** Brings a table to a map entry by entry, so that comments and the order of what stays are kept. */
  const mergeTable = (path: readonly KeyStep[], wanted: FormatJson): void => {
    const node = nodeAt(tree, path);
    if (node === undefined) {
      setAt(path, wanted);
      return;
    }
    if (node.is === "value") {
      replaceValue(node, wanted);
      return;
    }
    if (node.is === "table" && isMap(wanted)) {
      for (const key of node.children.keys()) if (!Object.hasOwn(wanted, key)) removeNode(nodeAt(tree, [...path, key]) as TomlNode);
      if (nodeAt(tree, path) === undefined) {
        setAt(path, wanted);
        return;
      }
      for (const [key, value] of Object.entries(wanted)) {
        const child = nodeAt(tree, [...path, key]);
        if (child === undefined || !sameJson(tomlJson(child), value)) mergeTable([...path, key], value);
      }
    } else if (node.is === "tables" && isList(wanted) && wanted.length > 0 && wanted.every((item) => isMap(item))) {
      for (let i = node.items.length - 1; i >= wanted.length; i -= 1) removeNode((nodeAt(tree, path) as TomlTables).items[i] as TomlTable);
      wanted.forEach((item, i) => {
        const now = nodeAt(tree, path) as TomlTables;
        if (i < now.items.length) mergeTable([...path, i], item);
        else appendTable(now, item);
      });
    } else {
      if (typeof path[path.length - 1] === "number" && node.is !== "fixed") throw notATable(node.keys);
      removeNode(node);
      setAt(path, wanted);
    }
  };

  const replaceValue = (node: TomlValue, value: FormatJson): void => {
    changed = true;
    const raw = node.slot.value.is === "scalar" ? node.slot.value.raw : "";
    if (typeof value === "string") {
      const quote = /^(?:"""|'''|'|")/.exec(raw)?.[0] ?? '"';
      node.slot.value = { is: "scalar", raw: encodeTomlScalar(value, quote), at: node.at };
    } else if (
      typeof value === "number" &&
      Number.isInteger(value) &&
      /^[+-]?[\d_]+(?:\.|[eE])/.test(raw) &&
      Math.abs(value) <= Number.MAX_SAFE_INTEGER
    ) {
      // JSON does not tell 2 from 2.0, but a reader of TOML may refuse an integer where a float stood.
      node.slot.value = { is: "scalar", raw: `${value}.0`, at: node.at };
    } else replaceFlow(node.slot, value, style, tomlFlow, parseValue, "");
  };

  const appendTable = (tables: TomlTables, value: FormatJson): void => {
    if (!isMap(value)) throw notATable(tables.keys);
    const last = tables.items[tables.items.length - 1] as TomlTable;
    add(...separated(endUnder(last), newTables(tables.keys, [value], eol)));
  };

  return {
    root: () => tree,
    kind: kindOf,
    value: tomlJson,
    child(node, key) {
      if (node.is === "table") return node.children.get(key);
      if (node.is === "fixed") return isMap(node.value) ? fixedOf(own(node.value, key), node.at) : undefined;
      if (node.is !== "value" || node.slot.value.is !== "map") return undefined;
      const slot = slotByKey(node.slot.value, key);
      return slot === undefined ? fixedOf(dottedValue(node.slot.value, key), node.at) : { ...node, slot };
    },
    items(node) {
      if (node.is === "tables") return node.items;
      if (node.is === "fixed") return isList(node.value) ? node.value.flatMap((value) => fixedOf(value, node.at) ?? []) : [];
      return node.is === "value" && node.slot.value.is === "list" ? node.slot.value.slots.map((slot) => ({ ...node, slot })) : [];
    },
    admit: admitToml,
    replace(node, value) {
      if (node.is === "fixed") throw fixed(node.at);
      if (node.is === "value") replaceValue(node, value);
      else mergeTable(pathTo(tree, node) ?? [], value);
    },
    insert(node, key, value) {
      if (node.is === "table") return insertInTable(node, key, value);
      if (node.is !== "value" || node.slot.value.is !== "map") throw fixed(node.is === "fixed" ? node.at : 0);
      changed = true;
      insertFlow(node.slot.value, key, value, style, tomlFlow, parseValue);
    },
    append(node, value) {
      if (node.is === "tables") return appendTable(node, value);
      if (node.is !== "value" || node.slot.value.is !== "list") throw fixed(node.is === "fixed" ? node.at : 0);
      changed = true;
      insertFlow(node.slot.value, undefined, value, style, tomlFlow, parseValue);
    },
    remove(parent, _step, child) {
      if (parent.is === "value" && child.is === "value" && parent.slot.value.is !== "scalar") {
        changed = true;
        removeFlow(parent.slot.value, child.slot);
      } else removeNode(child);
    },
    place: (node) => placeOf(body, node.is === "value" || node.is === "fixed" ? node.at : 0),
    text() {
      if (!changed) return text;
      const result = lines.map(writeLine).join("");
      refuseInvalid(result, "the edit would not give valid TOML: ");
      return mark + result;
    },
  };
}

function notATable(keys: readonly string[]): FormatError {
  return new FormatError(
    `${formatKeyPath([...keys])}: an entry of [[${keys.join(".")}]] must be a map`,
    { line: 0, column: 0 },
    "Set a map.",
  );
}

function writeLine(line: TomlLine): string {
  if (line.is !== "pair") return line.raw + line.eol;
  return line.indent + line.rawKey + line.equals + writeFlow(line.slot.value) + line.rest + line.eol;
}

function kindOf(node: TomlNode): NodeKind {
  if (node.is === "table") return "map";
  if (node.is === "tables") return "list";
  if (node.is === "value") return node.slot.value.is;
  return isMap(node.value) ? "map" : isList(node.value) ? "list" : "scalar";
}

function fixedOf(value: FormatJson | undefined, at: number): TomlNode | undefined {
  return value === undefined ? undefined : { is: "fixed", value, at };
}

function admitToml(value: FormatJson, path: KeyPath): FormatJson {
  if (value === null) throw new FormatError(`${formatKeyPath(path)}: TOML has no null`, { line: 0, column: 0 }, "Unset the key instead.");
  if (typeof value === "string" && /\p{Surrogate}/u.test(value))
    throw new FormatError(`${formatKeyPath(path)}: the text has half a character`, { line: 0, column: 0 }, "Set well-formed text.");
  if (typeof value === "object") for (const inner of Object.values(value) as FormatJson[]) admitToml(inner, path);
  return value;
}

function isBlank(line: TomlLine | undefined): boolean {
  return line !== undefined && line.is === "trivia" && line.raw.trim() === "";
}

/** The index of a header, or of the first line of the comment that stands right above it. */
function aboveComments(lines: readonly TomlLine[], header: number): number {
  let at = header;
  while (at > 0 && lines[at - 1]?.is === "trivia" && !isBlank(lines[at - 1])) at -= 1;
  return at;
}

function beforeFirstHeader(lines: readonly TomlLine[]): number {
  const header = lines.findIndex((line) => line.is === "header");
  if (header === -1) return lines.length;
  const at = aboveComments(lines, header);
  // A comment that begins the text is more often about the text than about its first table.
  return at === 0 ? header : at;
}

/** New sections stand behind the table they belong to; those of the top stand at the end of the text. */
function sectionStart(lines: readonly TomlLine[], table: TomlTable, endUnder: (node: TomlNode) => number): number {
  return table.keys.length === 0 ? lines.length : endUnder(table);
}

function separated(at: number, added: readonly TomlLine[]): [number, readonly TomlLine[]] {
  return at === 0 ? [at, added] : [at, [{ is: "trivia", raw: "", eol: "" }, ...added]];
}

/** Whether a table already keeps maps as inline tables, as dependency lists do. */
function inlineSiblings(table: TomlTable): boolean {
  return (
    table.keys.length > 0 &&
    [...table.children.values()].some((child) => child.is === "value" && child.slot.value.is === "map" && child.slot.value.slots.length > 0)
  );
}

function pairsUnder(node: TomlNode): readonly FlowSlot[] {
  if (node.is === "value") return [node.slot];
  if (node.is === "tables") return node.items.flatMap(pairsUnder);
  return node.is === "table" ? [...node.children.values()].flatMap(pairsUnder) : [];
}

function nodeAt(root: TomlTable, path: readonly KeyStep[]): TomlNode | undefined {
  return path.reduce<TomlNode | undefined>(
    (node, step) => (node?.is === "table" ? node.children.get(String(step)) : node?.is === "tables" ? node.items[Number(step)] : undefined),
    root,
  );
}

function pathTo(from: TomlNode, wanted: TomlNode): readonly KeyStep[] | undefined {
  if (from === wanted) return [];
  const children: Iterable<readonly [KeyStep, TomlNode]> =
    from.is === "table" ? from.children : from.is === "tables" ? from.items.entries() : [];
  for (const [step, child] of children) {
    const path = pathTo(child, wanted);
    if (path !== undefined) return [step, ...path];
  }
  return undefined;
}

/** The indent of arrays that go over several lines. */
function unitOf(lines: readonly TomlLine[]): string {
  for (const line of lines) {
    if (line.is !== "pair" || line.slot.value.is === "scalar") continue;
    const unit = /\n([ \t]+)/.exec(line.slot.value.slots[0]?.lead ?? "")?.[1];
    if (unit !== undefined) return unit;
  }
  return "    ";
}

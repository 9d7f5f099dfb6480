import type { FlowBox, FlowSlot, FlowValue } from "../flow/flow.ts";
import type { FormatJson, FormatMap } from "../format.ts";
import { isMap, mapOf } from "../format-json.ts";
import type { TomlLine, TomlPair } from "./toml-lines.ts";
import { decodeTomlScalar, readTomlKey } from "./toml-scalar.ts";

/** Lines from a header to the next one; the first block of a text has no header. */
export interface TomlBlock {
  readonly keys: readonly string[];
  /** Index of the header line; -1 for the first block. */
  readonly header: number;
  /** Index of the last line that is a pair, or of the header where there is none. */
  last: number;
  readonly pairs: { readonly line: TomlPair; readonly index: number }[];
}

/**
 * A table, by the way it came to be.
 *
 * | block | dotted | written as |
 * | --- | --- | --- |
 * | set | empty | `[a.b]`, an item of `[[a.b]]`, or the top of the text |
 * | set | keys | `b.c = 1` in the block of another table; `dotted` is `["b"]` |
 * | undefined | empty | only as the beginning of longer headers |
 */
export interface TomlTable {
  readonly is: "table";
  readonly keys: readonly string[];
  block: TomlBlock | undefined;
  readonly dotted: readonly string[];
  readonly children: Map<string, TomlNode>;
}

/** `[[name]]`, all of them. */
export interface TomlTables {
  readonly is: "tables";
  readonly keys: readonly string[];
  readonly items: TomlTable[];
}

/** The value of a pair, or a value within an array or inline table. */
export interface TomlValue {
  readonly is: "value";
  readonly slot: FlowSlot;
  /** The line it stands in, for its place and, at the top of the line, for its removal. */
  readonly index: number;
  readonly at: number;
}

/** What dotted keys in an inline table make; it can be read, not edited. */
export interface TomlFixed {
  readonly is: "fixed";
  readonly value: FormatJson;
  readonly at: number;
}

export type TomlNode = TomlTable | TomlTables | TomlValue | TomlFixed;

/** The tables that lines mean. The text must have been found valid before: here nothing is checked twice. */
export function tomlTree(lines: readonly TomlLine[]): TomlTable {
  let block: TomlBlock = { keys: [], header: -1, last: -1, pairs: [] };
  const root: TomlTable = { is: "table", keys: [], block, dotted: [], children: new Map() };
  let current = root;
  lines.forEach((line, index) => {
    if (line.is === "header") {
      block = { keys: line.keys, header: index, last: index, pairs: [] };
      current = line.list ? newItem(root, line.keys, block) : tableAt(root, line.keys);
      current.block = block;
    } else if (line.is === "pair") {
      block.last = index;
      block.pairs.push({ line, index });
      addPair(current, block, line, index);
    }
  });
  return root;
}

function stepInto(table: TomlTable, key: string): TomlTable {
  const found = table.children.get(key);
  if (found?.is === "table") return found;
  if (found?.is === "tables") return found.items[found.items.length - 1] as TomlTable;
  const made: TomlTable = { is: "table", keys: [...table.keys, key], block: undefined, dotted: [], children: new Map() };
  table.children.set(key, made);
  return made;
}

function tableAt(root: TomlTable, keys: readonly string[]): TomlTable {
  return keys.reduce(stepInto, root);
}

function newItem(root: TomlTable, keys: readonly string[], block: TomlBlock): TomlTable {
  const parent = tableAt(root, keys.slice(0, -1));
  const key = keys[keys.length - 1] as string;
  const found = parent.children.get(key);
  const tables: TomlTables = found?.is === "tables" ? found : { is: "tables", keys, items: [] };
  parent.children.set(key, tables);
  const item: TomlTable = { is: "table", keys, block, dotted: [], children: new Map() };
  tables.items.push(item);
  return item;
}

function addPair(table: TomlTable, block: TomlBlock, line: TomlPair, index: number): void {
  let into = table;
  for (const key of line.keys.slice(0, -1)) {
    const found = into.children.get(key);
    if (found?.is === "table") into = found;
    else {
      const made: TomlTable = { is: "table", keys: [...into.keys, key], block, dotted: [...into.dotted, key], children: new Map() };
      into.children.set(key, made);
      into = made;
    }
  }
  into.children.set(line.keys[line.keys.length - 1] as string, { is: "value", slot: line.slot, index, at: line.at });
}

/** A node as JSON. */
export function tomlJson(node: TomlNode): FormatJson {
  if (node.is === "table") return mapOf([...node.children].map(([key, child]) => [key, tomlJson(child)]));
  if (node.is === "tables") return node.items.map(tomlJson);
  return node.is === "fixed" ? node.value : flowJson(node.slot.value);
}

function flowJson(value: FlowValue): FormatJson {
  if (value.is === "scalar") return decodeTomlScalar(value.raw);
  if (value.is === "list") return value.slots.map((slot) => flowJson(slot.value));
  return value.slots.reduce<FormatMap>((map, slot) => withKeys(map, keysOf(slot), flowJson(slot.value)), {});
}

function withKeys(map: FormatMap, keys: readonly string[], value: FormatJson): FormatMap {
  const [key = "", ...others] = keys;
  const found = Object.hasOwn(map, key) ? map[key] : undefined;
  const inner = others.length === 0 ? value : withKeys(isMap(found) ? found : {}, others, value);
  return mapOf([...Object.entries(map), [key, inner]]);
}

/** The parts of the key of an entry of an inline table. */
export function keysOf(slot: FlowSlot): readonly string[] {
  return readTomlKey(slot.rawKey, 0)?.keys ?? [slot.key];
}

/** The entries of an inline table whose keys are dotted and begin with a key, as one value; undefined where there are none. */
export function dottedValue(box: FlowBox, key: string): FormatJson | undefined {
  const slots = box.slots.filter((slot) => slot.rawKey.includes(".") && keysOf(slot).length > 1 && keysOf(slot)[0] === key);
  if (slots.length === 0) return undefined;
  return slots.reduce<FormatMap>((map, slot) => withKeys(map, keysOf(slot).slice(1), flowJson(slot.value)), {});
}

/** The blocks of a table and of all tables under it. */
export function blocksUnder(node: TomlNode): readonly TomlBlock[] {
  if (node.is === "tables") return node.items.flatMap(blocksUnder);
  if (node.is !== "table") return [];
  const own = node.block !== undefined && node.dotted.length === 0 ? [node.block] : [];
  return [...own, ...[...node.children.values()].flatMap(blocksUnder)];
}

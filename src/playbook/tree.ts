import type { Json } from "../core/index.ts";

/** A value of a YAML text that knows where it stands. Offsets count UTF-16 units of the text. */
export type Node = ScalarNode | MapNode | ListNode;

export interface ScalarNode {
  readonly is: "scalar";
  readonly value: null | boolean | number | string;
  readonly start: number;
  readonly end: number;
}

export interface MapNode {
  readonly is: "map";
  readonly entries: readonly Entry[];
  readonly start: number;
  readonly end: number;
}

/** A key and its value. `key` is a text: `1: x` has the key "1". */
export interface Entry {
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: Node;
}

export interface ListNode {
  readonly is: "list";
  readonly items: readonly Node[];
  readonly start: number;
  readonly end: number;
}

/** The entry of a key. */
export function entryOf(node: MapNode, key: string): Entry | undefined {
  return node.entries.find((entry) => entry.key === key);
}

/** The plain value of a node; expressions in it stay text. */
export function plain(node: Node): Json {
  if (node.is === "scalar") return node.value;
  if (node.is === "list") return node.items.map(plain);
  const map: { [key: string]: Json } = {};
  for (const entry of node.entries) setOwn(map, entry.key, plain(entry.value));
  return map;
}

/** Sets a key of a map; `__proto__` is a key like others. */
export function setOwn<T>(map: { [key: string]: T }, key: string, value: T): void {
  if (key === "__proto__") Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

/** How a node is called in a message. */
export function kindOf(node: Node): string {
  if (node.is !== "scalar") return node.is === "map" ? "a map" : "a list";
  if (node.value === null) return "empty";
  return typeof node.value === "string" ? "a text" : typeof node.value === "number" ? "a number" : String(node.value);
}

/** The node at a path, or the nearest that is there; with `key`, the place of the last step's key is meant. */
export function offsetAt(root: Node, path: readonly (string | number)[], key = false): number {
  let node = root;
  let at = root.start;
  for (const step of path) {
    if (node.is === "map") {
      const entry = entryOf(node, String(step));
      if (entry === undefined) return at;
      at =
        key && step === path.at(-1)
          ? entry.keyStart
          : entry.value.is === "scalar" && entry.value.value === null
            ? entry.keyStart
            : entry.value.start;
      node = entry.value;
    } else if (node.is === "list") {
      const item = node.items[Number(step)];
      if (item === undefined) return at;
      at = item.start;
      node = item;
    } else return at;
  }
  return at;
}

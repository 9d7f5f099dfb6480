import { type ConfigFormat, FormatError, type FormatJson, type KeyPath, type KeyStep } from "./format.ts";
import { isMap, mapOf, own, sameJson } from "./format-json.ts";
import { formatKeyPath } from "./key-path.ts";

/** What a node of a tree can be asked for. `nothing` is a place that a map or a list may still be put into. */
export type NodeKind = "map" | "list" | "scalar" | "nothing";

/**
 * A parsed text that is changed in place and written back without loss. One exists per call of `get` or `edit`.
 * A format implements it; how a path is walked, and what is refused, is the same for all formats and stands in `editTree`.
 */
export interface TreeDocument<N> {
  root(): N;
  /** What the node is for the next step; the same XML element can be the only entry of a list and a map. */
  kind(node: N, next: KeyStep): NodeKind;
  value(node: N): FormatJson;
  child(map: N, key: string): N | undefined;
  items(list: N): readonly N[];
  /** The text of a field that [key=value] compares, where it is more than the child of that key. */
  field?(item: N, key: string): string | undefined;
  /** The key that a new entry of a list keeps such a field under, where it is another than the one in [key=value]. */
  fieldKey?(list: N | undefined, key: string): string;
  /** The value as the format can hold it (text for formats without types); throws FormatError when it cannot. */
  admit(value: FormatJson, path: KeyPath): FormatJson;
  replace(node: N, value: FormatJson): void;
  /** Adds an entry that is not there yet; `map` may be `nothing`. */
  insert(map: N, key: string, value: FormatJson): void;
  /** Adds an item at the end; `list` may be `nothing`. */
  append(list: N, value: FormatJson): void;
  /** Removes the child that the step leads to. */
  remove(parent: N, step: KeyStep, child: N): void;
  place(node: N): { readonly line: number; readonly column: number };
  text(): string;
}

/** A format made from a parser to a tree. */
export function treeFormat<N>(about: {
  readonly name: string;
  readonly suffixes: readonly string[];
  readonly parse: (text: string) => TreeDocument<N>;
  readonly path?: (path: KeyPath) => KeyPath;
}): ConfigFormat {
  const { name, suffixes, parse, path: adapt = (path: KeyPath) => path } = about;
  return {
    name,
    suffixes,
    get(text, path) {
      const tree = parse(text);
      const node = find(tree, adapt(path));
      return node === undefined ? undefined : tree.value(node);
    },
    edit(text, edits) {
      if (edits.length === 0) return text;
      const tree = parse(text);
      for (const edit of edits) {
        if ("set" in edit) set(tree, adapt(edit.set), edit.value);
        else unset(tree, adapt(edit.unset));
      }
      return tree.text();
    },
  };
}

function find<N>(tree: TreeDocument<N>, path: KeyPath): N | undefined {
  let node: N | undefined = tree.root();
  for (const step of path) {
    if (node === undefined) return undefined;
    node = follow(tree, node, step);
  }
  return node;
}

function follow<N>(tree: TreeDocument<N>, node: N, step: KeyStep): N | undefined {
  const kind = tree.kind(node, step);
  if (typeof step === "string") return kind === "map" ? tree.child(node, step) : undefined;
  if (kind !== "list") return undefined;
  if (typeof step === "number") return tree.items(node)[step];
  return tree.items(node).find((item) => fieldIs(tree, item, step));
}

function fieldIs<N>(tree: TreeDocument<N>, item: N, step: { readonly key: string; readonly value: string }): boolean {
  if (tree.field !== undefined) return tree.field(item, step.key) === step.value;
  if (tree.kind(item, step.key) !== "map") return false;
  const field = tree.child(item, step.key);
  if (field === undefined) return false;
  const value = tree.value(field);
  return typeof value !== "object" && String(value) === step.value;
}

function set<N>(tree: TreeDocument<N>, path: KeyPath, wanted: FormatJson): void {
  refuseEmpty(path);
  const value = tree.admit(wanted, path);
  keepSelector(tree, path, value);
  let node = tree.root();
  for (const [i, step] of path.entries()) {
    const kind = tree.kind(node, step);
    const needs = typeof step === "string" ? "map" : "list";
    if (kind !== needs && kind !== "nothing") {
      throw new FormatError(
        `${formatKeyPath(path)}: there is a ${kind} at ${i === 0 ? "the top" : formatKeyPath(path.slice(0, i))}, and ${JSON.stringify(formatKeyPath([step]))} needs a ${needs}`,
        tree.place(node),
        "Correct the key path, or set the value above it as a whole.",
      );
    }
    const next = follow(tree, node, step);
    if (next === undefined) {
      add(tree, node, path, i, value);
      return;
    }
    node = next;
  }
  if (!sameJson(tree.value(node), value)) tree.replace(node, value);
}

function add<N>(tree: TreeDocument<N>, node: N, path: KeyPath, i: number, value: FormatJson): void {
  const step = path[i] as KeyStep;
  const nested = path.slice(i + 1).reduceRight<FormatJson>((inner, outer) => wrap(tree, outer, inner, path), value);
  if (typeof step === "string") {
    tree.insert(node, step, nested);
    return;
  }
  if (typeof step === "number") {
    const length = tree.kind(node, step) === "list" ? tree.items(node).length : 0;
    if (step > length) throw beyond(path, step, length);
    tree.append(node, nested);
    return;
  }
  tree.append(node, withField(step, tree.fieldKey?.(node, step.key) ?? step.key, nested, path));
}

function wrap<N>(tree: TreeDocument<N>, step: KeyStep, inner: FormatJson, path: KeyPath): FormatJson {
  if (typeof step === "string") return mapOf([[step, inner]]);
  if (typeof step === "number") {
    if (step > 0) throw beyond(path, step, 0);
    return [inner];
  }
  return [withField(step, tree.fieldKey?.(undefined, step.key) ?? step.key, inner, path)];
}

function withField(step: { readonly key: string; readonly value: string }, key: string, value: FormatJson, path: KeyPath): FormatJson {
  if (!isMap(value))
    throw new FormatError(
      `${formatKeyPath(path)}: an entry picked by ${formatKeyPath([step])} must be a map`,
      nowhere,
      "Set a map, or pick the entry by its index.",
    );
  return Object.hasOwn(value, key) || Object.hasOwn(value, step.key) ? value : mapOf([[key, step.value], ...Object.entries(value)]);
}

/** A value that takes away the field its own path picks it by could not be found by the next run. */
function keepSelector<N>(tree: TreeDocument<N>, path: KeyPath, value: FormatJson): void {
  const last = path[path.length - 1];
  const before = path[path.length - 2];
  const fits = (found: FormatJson | undefined, step: { readonly value: string }): boolean =>
    found !== undefined && typeof found !== "object" && String(found) === step.value;
  const keys = (step: { readonly key: string }): readonly string[] => [step.key, tree.fieldKey?.(undefined, step.key) ?? step.key];
  if (typeof last === "object" && isMap(value) && !keys(last).some((key) => fits(own(value, key), last))) throw lost(path, last);
  if (typeof before === "object" && typeof last === "string" && keys(before).includes(last) && !fits(value, before))
    throw lost(path, before);
}

function lost(path: KeyPath, step: { readonly key: string; readonly value: string }): FormatError {
  return new FormatError(
    `${formatKeyPath(path)}: with this value ${formatKeyPath([step])} would not find the entry again`,
    nowhere,
    `Let the value keep ${step.key} as ${JSON.stringify(step.value)}, or pick the entry otherwise.`,
  );
}

function unset<N>(tree: TreeDocument<N>, path: KeyPath): void {
  refuseEmpty(path);
  const last = path[path.length - 1] as KeyStep;
  const parent = find(tree, path.slice(0, -1));
  if (parent === undefined) return;
  const node = follow(tree, parent, last);
  if (node === undefined) return;
  if (typeof last === "number" && last < tree.items(parent).length - 1) {
    throw new FormatError(
      `${formatKeyPath(path)}: only the last entry of a list can be unset by its index, since the entries after it would move up and a second run would remove the next one`,
      tree.place(node),
      "Pick the entry by a field such as [name=web], or set the whole list.",
    );
  }
  tree.remove(parent, last, node);
}

const nowhere = { line: 0, column: 0 };

function refuseEmpty(path: KeyPath): void {
  if (path.length === 0) throw new FormatError("the key path is empty", nowhere, "Name at least one key.");
}

function beyond(path: KeyPath, index: number, length: number): FormatError {
  return new FormatError(
    `${formatKeyPath(path)}: the list has ${length} entries, so [${index}] would leave a hole`,
    nowhere,
    `Use [${length}] to add an entry at the end.`,
  );
}

/** The admit of the formats that hold any JSON but numbers that are not finite. Not for formats without types. */
export function admitFinite(value: FormatJson, path: KeyPath): FormatJson {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new FormatError(`${formatKeyPath(path)}: ${value} cannot be written as a number`, nowhere, "Set a finite number.");
  if (typeof value === "object" && value !== null) for (const inner of Object.values(value) as FormatJson[]) admitFinite(inner, path);
  return value;
}

/** A scalar as text, for formats without types; undefined for lists and maps and null. */
export function scalarText(value: FormatJson): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

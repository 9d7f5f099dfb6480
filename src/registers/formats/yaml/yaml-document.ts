import { isAlias, isCollection, isMap, isPair, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from "yaml";
import type { FormatError, FormatJson } from "../format.ts";
import { isList as isJsonList, isMap as isJsonMap, mapOf } from "../format-json.ts";
import { errorAt, placeOf, splitMark } from "../text.ts";
import type { NodeKind, TreeDocument } from "../tree.ts";
import {
  indentLines,
  type YamlQuoting,
  type YamlStyle,
  yamlEntry,
  yamlFlow,
  yamlItem,
  yamlKey,
  yamlLines,
  yamlValue,
} from "./yaml-scalar.ts";
import {
  columnOf,
  commentFollows,
  endOfNode,
  endOfPair,
  isEmptyNode,
  itemTokens,
  keyOf,
  lineEndOf,
  lineStartOf,
  markEnd,
  parseYamlSource,
  startOfPair,
  type YamlSource,
  yamlJson,
  yamlStyleOf,
} from "./yaml-source.ts";
import { linesBehind, type Splice, splice, withoutEntry } from "./yaml-splice.ts";

/** Where a value stands: behind the `:` or `-` at `head`, in a text whose entry begins at `column`. */
export interface YamlSpot {
  readonly node: Node | null;
  /** Behind the mark (and anchor) that the value follows; undefined at the top of the text. */
  readonly head: number | undefined;
  readonly column: number;
  readonly flow: boolean;
  readonly inList: boolean;
  /** The alias that the path went through, if any: what it names stands elsewhere, and others read it too. */
  readonly alias: Node | undefined;
  readonly pair: Pair | undefined;
}

/** A YAML text as a tree. Each edit is one splice of the text, which is then parsed anew, so that all offsets are fresh. */
export function parseYaml(text: string): TreeDocument<YamlSpot> {
  const { mark, body: first } = splitMark(text);
  let source = parseYamlSource(first);
  let style = yamlStyleOf(source);
  // Indexes of maps that were asked for: without them many reads of one large map are quadratic.
  let indexes = new WeakMap<YAMLMap, Map<string, Pair>>();

  const exchange = (change: Splice): void => {
    source = parseYamlSource(splice(source.body, change));
    style = { ...yamlStyleOf(source), eol: style.eol };
    indexes = new WeakMap();
  };

  const pairOf = (map: YAMLMap, key: string): Pair | undefined => {
    let index = indexes.get(map);
    if (index === undefined) {
      index = new Map(map.items.flatMap((pair) => (keyOf(pair) === undefined ? [] : [[keyOf(pair) as string, pair as Pair]])));
      indexes.set(map, index);
    }
    return index.get(key);
  };

  /** The node that a spot holds, and whether an alias led to it. */
  const resolved = (spot: YamlSpot): { node: Node | null; alias: Node | undefined } => {
    if (!isAlias(spot.node) || source.document === undefined) return spot;
    return { node: (spot.node.resolve(source.document) as Node | undefined) ?? null, alias: spot.alias ?? spot.node };
  };

  const editable = (spot: YamlSpot): void => {
    if (spot.alias !== undefined) {
      throw errorAt(
        source.body,
        spot.alias.range?.[0] ?? 0,
        "the path leads through an alias, and an edit there would change what the anchor means elsewhere",
        "Edit the place of the anchor, or replace the alias as a whole.",
      );
    }
  };

  return {
    root: () => ({ node: source.contents, head: undefined, column: 0, flow: false, inList: false, alias: undefined, pair: undefined }),
    kind: (spot) => kindOf(resolved(spot).node),
    value: (spot) => (spot.head === undefined && spot.alias === undefined && isEmptyNode(spot.node) ? {} : yamlJson(source, spot.node)),
    child(spot, key) {
      const { node, alias } = resolved(spot);
      const pair = pairOf(node as YAMLMap, key);
      return pair === undefined ? undefined : spotOfPair(source, node as YAMLMap, pair, spot.flow, alias);
    },
    items(spot) {
      const { node, alias } = resolved(spot);
      return spotsOfList(source, node as YAMLSeq, spot.flow, alias);
    },
    admit: (value) => value,
    replace(spot, value) {
      editable(spot);
      exchange(replaced(source, style, spot, value));
    },
    insert(spot, key, value) {
      editable(throughAlias(spot));
      const map = spot.node;
      if (!isMap(map) || map.items.length === 0) exchange(replaced(source, style, spot, mapOf([[key, value]])));
      else exchange(map.flow === true || spot.flow ? inFlow(source, style, map, value, key) : inBlock(source, style, map, value, key));
    },
    append(spot, value) {
      editable(throughAlias(spot));
      const list = spot.node;
      if (!isSeq(list) || list.items.length === 0) exchange(replaced(source, style, spot, [value]));
      else exchange(list.flow === true || spot.flow ? inFlow(source, style, list, value) : inBlock(source, style, list, value));
    },
    remove(spot, _step, child) {
      editable(throughAlias(spot));
      for (const change of removed(source, spot, child)) exchange(change);
    },
    place: (spot) => placeOf(source.body, spot.node?.range?.[0] ?? 0),
    text: () => mark + source.body,
  };
}

function throughAlias(spot: YamlSpot): YamlSpot {
  return isAlias(spot.node) ? { ...spot, alias: spot.node } : spot;
}

function kindOf(node: Node | null): NodeKind {
  if (isMap(node)) return "map";
  if (isSeq(node)) return "list";
  if (node === null || (isScalar(node) && node.value === null)) return "nothing";
  return "scalar";
}

function spotOfPair({ body }: YamlSource, map: YAMLMap, pair: Pair, inFlow: boolean, alias: Node | undefined): YamlSpot {
  const flow = inFlow || map.flow === true;
  const sep = pair.srcToken?.sep ?? [];
  const node = pair.value as Node | null;
  const colon = markEnd(sep, "map-value-ind");
  const key = (pair.key as Node | null)?.range?.[1] ?? 0;
  const head = Math.max(colon === 0 ? key : colon, markEnd(sep, "anchor"), markEnd(sep, "tag"));
  return { node, head, column: columnOf(body, startOfPair(pair)), flow, inList: false, alias, pair };
}

function spotsOfList({ body }: YamlSource, list: YAMLSeq, inFlow: boolean, alias: Node | undefined): readonly YamlSpot[] {
  const flow = inFlow || list.flow === true;
  const tokens = itemTokens(list);
  const column = columnOf(body, list.range?.[0] ?? 0);
  return list.items.map((item, i) => {
    const start = tokens[i]?.start ?? [];
    const head = Math.max(markEnd(start, "seq-item-ind"), markEnd(start, "anchor"), markEnd(start, "tag"));
    return {
      node: item as Node | null,
      head: flow ? ((item as Node | null)?.range?.[0] ?? 0) : head,
      column,
      flow,
      inList: true,
      alias,
      pair: undefined,
    };
  });
}

function quotingOf(node: unknown): YamlQuoting {
  if (!isScalar(node)) return "plain";
  return node.type === "QUOTE_SINGLE" ? "'" : node.type === "QUOTE_DOUBLE" ? '"' : "plain";
}

function replaced(source: YamlSource, found: YamlStyle, spot: YamlSpot, value: FormatJson): Splice {
  const { body } = source;
  const { node, head } = spot;
  refuseTagged(body, node);
  if (head === undefined) return atTop(source, found, value);
  const quoting = typeof value === "string" ? quotingOf(node) : "plain";
  const gap = (at: number): string => (/[\s[{,]/.test(body[at - 1] ?? " ") ? "" : " ");
  const range = isEmptyNode(node) ? undefined : node?.range;
  if (spot.flow) {
    const [start, end] = range ?? [head, head];
    return { start, end, text: gap(start) + yamlFlow(value, found, quoting, quotingOf(spot.pair?.key)) };
  }
  const flowOld = isCollection(node) && node.flow === true && node.items.length > 0 && isContainer(value);
  const old =
    node === null || range === undefined || range === null ? { start: head, end: head } : { start: range[0], end: endOfNode(body, node) };
  const oneLine = !body.slice(head, old.end).includes("\n");
  const style = besideComments(body, found, oneLine ? lineEndOf(body, old.end) : old.end, spot.column);
  const piece =
    spot.inList && isContainer(value) && !isEmpty(value)
      ? itemPiece(value, style)
      : flowOld
        ? { head: yamlFlow(value, style), lines: [] }
        : yamlValue(value, style, quoting);
  // The short way: a value of one line for a value of one line leaves all around it as it is.
  if (oneLine && piece.lines.length === 0) return { start: old.start, end: old.end, text: gap(old.start) + piece.head };
  const isBlockText = isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED");
  const rest = isBlockText ? "" : body.slice(oneLine ? old.end : head, lineEndOf(body, oneLine ? old.end : head)).trim();
  const comment = rest.startsWith("#") ? ` ${rest}` : "";
  const end = oneLine ? lineEndOf(body, old.end) : old.end;
  const lines = indentLines(piece.lines, spot.column);
  const text =
    spot.inList && piece.head !== "" && comment !== "" && isContainer(value)
      ? [comment, " ".repeat(spot.column + 2) + piece.head, ...lines]
      : [(piece.head === "" ? "" : ` ${piece.head}`) + comment, ...lines];
  return { start: head, end, text: text.join(style.eol) };
}

/** The style for a value that ends at `end`: without block texts where one would take a comment behind it for its own. */
function besideComments(body: string, style: YamlStyle, end: number, column: number): YamlStyle {
  return commentFollows(body, end, column) ? { ...style, blockTexts: false } : style;
}

function isContainer(value: FormatJson): boolean {
  return isJsonMap(value) || isJsonList(value);
}

function isEmpty(value: FormatJson): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function itemPiece(value: FormatJson, style: YamlStyle): { readonly head: string; readonly lines: readonly string[] } {
  const [first = "", ...lines] = yamlItem(value, style);
  return { head: first.slice(2), lines };
}

/** A tag such as `!vault` gives the value a meaning that a new value may not have. */
function refuseTagged(body: string, node: Node | null): void {
  const tag = node !== null && "tag" in node ? node.tag : undefined;
  const written =
    node !== null &&
    tag !== undefined &&
    node.srcToken !== undefined &&
    /![^\s]*[ \t]*(?:&\S+[ \t]*)?$/.test(body.slice(lineStartOf(body, node.range?.[0] ?? 0), node.range?.[0] ?? 0));
  if (written)
    throw errorAt(
      body,
      node.range?.[0] ?? 0,
      `the value has the tag ${String(tag)}, and what a new value means under it is not known`,
      "Take the tag away by hand, or edit the value by hand.",
    );
}

/** Puts a value at the top of a text that has none, or only `{}`, `[]` or `null`. */
function atTop({ body, contents }: YamlSource, found: YamlStyle, value: FormatJson): Splice {
  const style = besideComments(body, found, contents?.range?.[1] ?? body.length, 0);
  const text = yamlLines(value, style).join(style.eol);
  if (contents !== null && !isEmptyNode(contents)) return { start: contents.range?.[0] ?? 0, end: contents.range?.[1] ?? 0, text };
  return { start: body.length, end: body.length, text: `${body === "" || body.endsWith("\n") ? "" : style.eol}${text}${style.eol}` };
}

function inBlock({ body }: YamlSource, found: YamlStyle, box: YAMLMap | YAMLSeq, value: FormatJson, key?: string): Splice {
  const first = box.items[0];
  const column = columnOf(body, box.range?.[0] ?? 0);
  const style = besideComments(body, found, lineEndOf(body, endOfNode(body, box)), column);
  if (key === undefined) return linesBehind(body, endOfNode(body, box), indentLines(yamlItem(value, style), column), style.eol);
  const start = isPair(first) ? startOfPair(first) : 0;
  if (body[start] === "?") throw explicitKey(body, start);
  const lines = indentLines(yamlEntry(yamlKey(key, style, siblingKeys(box)), value, style), columnOf(body, start));
  return linesBehind(body, endOfNode(body, box), lines, style.eol);
}

function explicitKey(body: string, start: number): FormatError {
  return errorAt(body, start, "the map has keys written with `?`", "Write its keys as `key:` and run again.");
}

/** The quotes of the sibling keys, where all have the same; a map such as `{"a": 1}` wants its new key quoted. */
function siblingKeys(box: YAMLMap | YAMLSeq): YamlQuoting {
  const kinds = new Set(box.items.map((item) => (isPair(item) ? quotingOf(item.key) : "plain")));
  const [kind] = kinds;
  return kinds.size === 1 && kind !== undefined ? kind : "plain";
}

function inFlow({ body }: YamlSource, style: YamlStyle, box: YAMLMap | YAMLSeq, value: FormatJson, key?: string): Splice {
  const last = box.items[box.items.length - 1];
  const end = isPair(last) ? endOfPair(body, last) : endOfNode(body, last as Node);
  const start = isPair(last) ? startOfPair(last) : ((last as Node).range?.[0] ?? 0);
  const lineStart = lineStartOf(body, start);
  const ownLine = body.slice(lineStart, start).trim() === "";
  const lead = ownLine ? style.eol + body.slice(lineStart, start) : " ";
  const keys = siblingKeys(box);
  const entry =
    key === undefined ? yamlFlow(value, style, "plain", keys) : `${yamlKey(key, style, keys)}: ${yamlFlow(value, style, "plain", keys)}`;
  const comma = /^[ \t\r\n]*,/.exec(body.slice(end, box.range?.[1] ?? end))?.[0];
  if (comma !== undefined) return { start: end + comma.length, end: end + comma.length, text: `${lead}${entry},` };
  return { start: end, end, text: `,${lead}${entry}` };
}

function removed(source: YamlSource, spot: YamlSpot, child: YamlSpot): readonly Splice[] {
  const { body } = source;
  const box = spot.node as YAMLMap | YAMLSeq;
  const at = box.items.findIndex((item) => (child.pair === undefined ? item === child.node : item === child.pair));
  const bounds = box.items.map((item, i) => boundsOf(body, box, item, i));
  const [start = 0, end = 0] = bounds[at] ?? [];
  const next = bounds[at + 1]?.[0];
  const previous = bounds[at - 1]?.[1];
  if (child.flow) {
    if (next !== undefined) return [{ start, end: next, text: "" }];
    if (previous !== undefined) return [{ start: previous, end, text: "" }];
    const [open = 0, close = 0] = box.range ?? [];
    return [{ start: open + 1, end: close - 1, text: "" }];
  }
  if (box.items.length > 1) return [withoutEntry(body, start, end, next)];
  const empty = isMap(box) ? "{}" : "[]";
  if (spot.head === undefined) return [isMap(box) ? withoutEntry(body, start, end, undefined) : { start, end, text: empty }];
  // The last entry goes and the empty map takes the place behind the key; the lines of comments between them stay.
  if (body.slice(spot.head, start).trim() === "" && !body.slice(spot.head, start).includes("\n")) return [{ start, end, text: empty }];
  const gone = withoutEntry(body, start, end, undefined);
  const without = splice(body, gone);
  return [{ start: 0, end: body.length, text: splice(without, { start: spot.head, end: spot.head, text: ` ${empty}` }) }];
}

function boundsOf(body: string, box: YAMLMap | YAMLSeq, item: unknown, i: number): readonly [number, number] {
  if (isPair(item) && isMap(box)) return [startOfPair(item), endOfPair(body, item)];
  const node = (isPair(item) ? item.key : item) as Node | null;
  const marks = isSeq(box) ? itemTokens(box)[i]?.start : undefined;
  const dash = marks?.find(({ type }) => type === "seq-item-ind");
  const end = Math.max(
    isPair(item) ? endOfPair(body, item) : node === null || isEmptyNode(node) ? 0 : endOfNode(body, node),
    dash === undefined ? 0 : dash.offset + 1,
  );
  return [dash?.offset ?? (isPair(item) ? startOfPair(item) : (node?.range?.[0] ?? 0)), end];
}

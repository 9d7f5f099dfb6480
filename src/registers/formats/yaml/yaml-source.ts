import {
  type CST,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { FormatError, type FormatJson } from "../format.ts";
import { mapOf } from "../format-json.ts";
import { duplicateKey, endOfLine, errorAt } from "../text.ts";
import type { YamlStyle } from "./yaml-scalar.ts";

/** One parsed YAML text: its nodes carry offsets into `body`. */
export interface YamlSource {
  readonly body: string;
  readonly document: Document.Parsed | undefined;
  readonly contents: Node | null;
}

const mendText = "Mend the text.";

/** Parses one YAML document. Throws FormatError for a syntax error, a key that stands twice, and several documents. */
export function parseYamlSource(body: string): YamlSource {
  // The check of the library for equal keys compares each with each; below it is done with a set.
  const documents = parseAllDocuments(body, { keepSourceTokens: true, uniqueKeys: false, prettyErrors: true, logLevel: "silent" });
  if ("empty" in documents) return { body, document: undefined, contents: null };
  for (const document of documents) {
    const error = document.errors[0];
    if (error === undefined) continue;
    const place = error.linePos?.[0];
    if (place === undefined) throw errorAt(body, error.pos[0], error.message, mendText);
    throw new FormatError(
      `line ${place.line}: ${error.message.split(" at line ")[0] ?? error.message}`,
      { line: place.line, column: place.col },
      mendText,
    );
  }
  const [document, second] = documents;
  if (second !== undefined)
    throw errorAt(body, second.range[0], "a second YAML document begins here", "Only texts of one document can be edited: split the file.");
  if (document === undefined) return { body, document: undefined, contents: null };
  // An alias without its anchor is no error to the library before somebody reads it; anchors stand before their aliases.
  const anchors = new Set<string>();
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        if (!anchors.has(node.source))
          throw errorAt(
            body,
            node.range?.[0] ?? 0,
            `the alias *${node.source} has no anchor before it`,
            "Keep the anchor as long as an alias names it.",
          );
      } else if ("anchor" in node && node.anchor !== undefined) anchors.add(node.anchor as string);
      if (isMap(node)) refuseDuplicates(node);
    },
  });
  return { body, document: document as Document.Parsed, contents: document.contents };

  function refuseDuplicates(map: YAMLMap): void {
    const seen = new Set<string>();
    for (const pair of map.items) {
      const key = keyOf(pair);
      if (key === undefined) continue;
      if (seen.has(key)) throw duplicateKey(body, (pair.key as Node).range?.[0] ?? 0, key);
      seen.add(key);
    }
  }
}

/** The key of a pair as text; undefined for a key that is itself a map, a list or an alias. */
export function keyOf(pair: Pair): string | undefined {
  if (!isScalar(pair.key)) return undefined;
  return typeof pair.key.value === "string" ? pair.key.value : (pair.key.source ?? String(pair.key.value));
}

const mostValues = 1_000_000;

/** A node as JSON, aliases followed. Dates and other things that JSON has no word for are their source. */
export function yamlJson({ document, body }: YamlSource, node: Node | null): FormatJson {
  let count = 0;
  const read = (one: unknown, depth: number): FormatJson => {
    count += 1;
    // Aliases within aliases grow a short text without bound, and an alias to its own parent has no end.
    if (count > mostValues || depth > 500) throw errorAt(body, 0, "the aliases of the text grow beyond all measure", mendText);
    if (isAlias(one)) return read(document === undefined ? null : one.resolve(document), depth + 1);
    if (isMap(one)) return mapOf(one.items.map((pair) => [keyOf(pair) ?? String(pair.key), read(pair.value, depth + 1)]));
    if (isSeq(one))
      return one.items.map((item) =>
        isPair(item) ? mapOf([[keyOf(item) ?? String(item.key), read(item.value, depth + 1)]]) : read(item, depth + 1),
      );
    if (!isScalar(one)) return null;
    const { value } = one;
    if (value === null || value === undefined) return null;
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : (one.source ?? String(value));
  };
  return read(node, 0);
}

/** The offset of the line that an offset is in. */
export function lineStartOf(body: string, offset: number): number {
  return body.lastIndexOf("\n", offset - 1) + 1;
}

/** The offset of the end of the line that an offset is in, before its end of line. */
export function lineEndOf(body: string, offset: number): number {
  const newline = body.indexOf("\n", offset);
  if (newline === -1) return body.length;
  return newline > offset && body[newline - 1] === "\r" ? newline - 1 : newline;
}

/** How far an offset is from the start of its line. */
export function columnOf(body: string, offset: number): number {
  return offset - lineStartOf(body, offset);
}

/**
 * Whether a comment follows that a block text, ending at `offset` and of an entry that begins at `column`, would take in:
 * one on the same line, or the next below it that stands further right than the entry.
 */
export function commentFollows(body: string, offset: number, column: number): boolean {
  const blanks = /[ \t\r\n]*/y;
  blanks.lastIndex = offset;
  blanks.test(body);
  return body[blanks.lastIndex] === "#" && columnOf(body, blanks.lastIndex) > column;
}

/** The offset behind the last byte that belongs to a node; comments and blank lines behind it do not. */
export function endOfNode(body: string, node: Node): number {
  const range = node.range ?? [0, 0, 0];
  if (isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED")) {
    const source = body.slice(range[0], range[1]);
    const header = /^[|>][^\r\n]*/.exec(source)?.[0] ?? "";
    // With `+` the blank lines at the end are part of the value.
    const trimmed = /^[|>]\d?\+/.test(header) ? source.replace(/\r?\n$/, "") : source.trimEnd();
    return range[0] + Math.max(header.trimEnd().length, trimmed.length);
  }
  if (!isCollection(node) || node.flow === true) return range[1];
  const last = node.items[node.items.length - 1];
  if (isPair(last)) return endOfPair(body, last);
  const token = itemTokens(node as YAMLSeq)[node.items.length - 1];
  const end = last === undefined || last === null ? range[1] : endOfNode(body, last as Node);
  return Math.max(end, token === undefined ? 0 : markEnd(token.start, "seq-item-ind"));
}

/** The offset behind the last byte of a pair. */
export function endOfPair(body: string, pair: Pair): number {
  const value = pair.value as Node | null;
  const key = pair.key as Node | null;
  const end = value === null || isEmptyNode(value) ? 0 : endOfNode(body, value);
  const tokens = pair.srcToken?.sep ?? [];
  const marks = Math.max(
    0,
    ...tokens
      .filter(({ type }) => type !== "space" && type !== "newline" && type !== "comment")
      .map(({ offset, source }) => offset + source.length),
  );
  return Math.max(end, marks, key?.range?.[1] ?? 0);
}

/** Where a pair begins: at its key, or at an anchor, tag or `?` before it. */
export function startOfPair(pair: Pair): number {
  const mark = pair.srcToken?.start.find(({ type }) => type === "anchor" || type === "tag" || type === "explicit-key-ind");
  return mark?.offset ?? (pair.key as Node).range?.[0] ?? 0;
}

/** The tokens of a block list, one for each item. The library keeps a token more where only a comment follows. */
export function itemTokens(list: YAMLSeq): readonly CST.CollectionItem[] {
  const token = list.srcToken;
  return token?.type === "block-seq" ? token.items.filter((item) => item.start.some(({ type }) => type === "seq-item-ind")) : [];
}

/** The offset behind the last mark of a type among tokens; 0 where there is none. */
export function markEnd(tokens: readonly CST.SourceToken[], type: CST.SourceToken["type"]): number {
  const mark = tokens.findLast((token) => token.type === type);
  return mark === undefined ? 0 : mark.offset + mark.source.length;
}

/** Whether a node is a value that was left out, as in `key:`. */
export function isEmptyNode(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && (node.source ?? "") === "" && node.type === "PLAIN");
}

/** Reads the layout off the text; one that shows none gets two blanks, lists indented, double quotes. */
export function yamlStyleOf({ body, document }: YamlSource): YamlStyle {
  let unit: number | undefined;
  let listUnit: number | undefined;
  let quote: "'" | '"' | undefined;
  const lookAt = (map: YAMLMap): void => {
    for (const { key, value } of map.items) {
      const first = isCollection(value) && value.flow !== true ? value.items[0] : undefined;
      const column = columnOf(body, (key as Node).range?.[0] ?? 0);
      if (isPair(first) && unit === undefined) unit = columnOf(body, startOfPair(first)) - column;
      if (isSeq(value) && value.flow !== true && listUnit === undefined && value.items.length > 0)
        listUnit = columnOf(body, value.range?.[0] ?? 0) - column;
    }
  };
  if (document !== undefined)
    visit(document, {
      Map(_, map) {
        if (map.flow !== true) lookAt(map);
        return unit !== undefined && listUnit !== undefined && quote !== undefined ? visit.BREAK : undefined;
      },
      Scalar(_, scalar) {
        if (quote === undefined && scalar.type === "QUOTE_SINGLE") quote = "'";
        if (quote === undefined && scalar.type === "QUOTE_DOUBLE") quote = '"';
      },
    });
  const step = unit !== undefined && unit > 0 ? unit : 2;
  return {
    eol: endOfLine(body),
    unit: step,
    listUnit: listUnit !== undefined && listUnit >= 0 ? listUnit : step,
    quote: quote ?? '"',
    blockTexts: true,
  };
}

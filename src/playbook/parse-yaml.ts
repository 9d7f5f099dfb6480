import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type Node as YamlNode,
} from "yaml";
import { Reports, type Source } from "./source.ts";
import type { Entry, Node } from "./tree.ts";

/** How many nodes aliases may stand for in all, and how deep lists and maps may nest. */
const mostAliased = 10_000;
const deepest = 100;

/**
 * Reads one YAML 1.2 document as a tree with places. Every fault is reported; undefined where there is no tree to go on with.
 */
export function parseYaml(source: Source, reports: Reports): Node | undefined {
  let document: Document.Parsed;
  try {
    document = parseDocument(source.text, {
      version: "1.2",
      schema: "core",
      keepSourceTokens: false,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    });
  } catch (thrown) {
    reports.add(
      {
        code: "yaml-syntax",
        summary: "not YAML",
        detail: thrown instanceof RangeError ? "lists and maps are nested too deeply" : messageOf(thrown),
      },
      source,
    );
    return undefined;
  }
  const broken = new Set<number>();
  for (const fault of [...document.errors, ...document.warnings]) {
    const [offset] = fault.pos;
    if (fault.code === "MULTIPLE_DOCS") {
      const detail = "a file holds one YAML document: put what follows `---` into a file of its own";
      reports.add({ code: "several-documents", summary: "several documents", detail }, source, offset);
      continue;
    }
    const { line } = source.place(offset);
    // One fault in a line often makes more in it: only the first says something.
    if (!broken.has(line)) {
      const detail = `${fault.message.split("\n")[0]}${hintFor(fault.code, source.line(line))}`;
      reports.add({ code: "yaml-syntax", summary: "not YAML", detail }, source, offset);
    }
    if (fault.code !== "TAG_RESOLVE_FAILED") broken.add(line);
  }
  if (broken.size > 0) return undefined;
  if (document.contents === null) {
    reports.add({ code: "empty-document", summary: "nothing in it", detail: "the text holds no YAML value" }, source);
    return undefined;
  }
  return new Reader(source, reports).read(document.contents as YamlNode, 0);
}

/** Turns the library's nodes into ours; aliases are followed, and counted so that a small text cannot stand for a huge one. */
class Reader {
  readonly #source: Source;
  readonly #reports: Reports;
  readonly #anchors = new Map<string, { readonly node: Node; readonly size: number } | "open">();
  #size = 0;
  #aliased = 0;

  constructor(source: Source, reports: Reports) {
    this.#source = source;
    this.#reports = reports;
  }

  read(node: YamlNode | null, at: number, depth = 0): Node {
    this.#size += 1;
    if (node === null) return { is: "scalar", value: null, start: at, end: at };
    const [start, end] = node.range ?? [at, at];
    if (depth > deepest)
      return this.#refuse("nested-too-deeply", "nested too deeply", `lists and maps may nest ${deepest} levels deep`, start);
    if (isAlias(node)) return this.#follow(node, start);
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, "open");
    const before = this.#size;
    const made = this.#make(node, start, end, depth);
    if (anchor !== undefined) this.#anchors.set(anchor, { node: made, size: this.#size - before + 1 });
    return made;
  }

  #make(node: YamlNode, start: number, end: number, depth: number): Node {
    if (isScalar(node)) return this.#scalar(node, start, end);
    if (isSeq(node))
      return { is: "list", start, end, items: node.items.map((item) => this.read(item as YamlNode | null, start, depth + 1)) };
    if (isMap(node)) return { is: "map", start, end, entries: this.#entries(node, depth) };
    return { is: "scalar", value: null, start, end };
  }

  #entries(map: YAMLMap, depth: number): readonly Entry[] {
    const entries: Entry[] = [];
    const seen = new Map<string, number>();
    for (const pair of map.items) {
      const key = pair.key as YamlNode | null;
      const keyStart = key?.range?.[0] ?? map.range?.[0] ?? 0;
      const keyEnd = key?.range?.[1] ?? keyStart;
      const given = pair.value as YamlNode | null;
      // What is left out stands where its key ends.
      const value = this.read(
        isScalar(given) && given.value === null && !given.source && given.anchor === undefined ? null : given,
        keyEnd,
        depth + 1,
      );
      if (!isScalar(key) || key.value === null) {
        this.#refuse("wrong-key", "a key must be a text", "keys of a map are texts; quote this one", keyStart);
        continue;
      }
      const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
      const first = seen.get(name);
      if (first !== undefined)
        this.#refuse("duplicate-key", "duplicate key", `\`${name}\` already stands in line ${this.#source.place(first).line}`, keyStart);
      else {
        seen.set(name, keyStart);
        entries.push({ key: name, keyStart, keyEnd, value });
      }
    }
    return entries;
  }

  #scalar(node: Scalar, start: number, end: number): Node {
    const value = node.value;
    if (typeof value === "number") {
      if (!Number.isFinite(value))
        return this.#refuse(
          "wrong-number",
          "not a number that JSON has",
          `${node.source ?? value} cannot stand here; quote it to make it a text`,
          start,
        );
      if (Number.isInteger(value) && !Number.isSafeInteger(value) && !/[.eE]/.test(node.source ?? ""))
        return this.#refuse(
          "wrong-number",
          "not a number that JSON has",
          `${node.source ?? value} is too large to be exact; quote it to make it a text`,
          start,
        );
    }
    if (value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number")
      return { is: "scalar", value, start, end };
    return this.#refuse("yaml-syntax", "not YAML", "a value with this tag cannot stand here", start);
  }

  #follow(alias: Alias, start: number): Node {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) return this.#refuse("unknown-alias", "unknown alias", `no anchor &${alias.source} stands above`, start);
    if (target === "open")
      return this.#refuse("unknown-alias", "unknown alias", `*${alias.source} stands within its own anchor: it would never end`, start);
    this.#size += target.size;
    this.#aliased += target.size;
    if (this.#aliased > mostAliased)
      return this.#refuse("alias-bomb", "too many aliases", `aliases stand for more than ${mostAliased} values in all`, start);
    return target.node;
  }

  #refuse(code: string, summary: string, detail: string, offset: number): Node {
    this.#reports.add({ code, summary, detail }, this.#source, offset);
    return { is: "scalar", value: null, start: offset, end: offset };
  }
}

function hintFor(code: string, line: string): string {
  if (code === "TAB_AS_INDENT") return ": YAML indents with spaces, never with tabs";
  return /[[{,:] *\$\{\{/.test(line) && /[[{]/.test(line.split(`$${"{{"}`)[0] ?? "")
    ? "; within { } and [ ], put quotes around a value that holds an expression"
    : "";
}

/** A value from a text that stands alone, such as `--var list='[a, b]'`; undefined where it is no YAML. */
export function parseYamlValue(source: Source): Node | undefined {
  const reports = new Reports();
  const node = parseYaml(source, reports);
  return reports.failed ? undefined : node;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.message.split("\n")[0] ?? "") : String(thrown);
}

export { stringify } from "yaml";

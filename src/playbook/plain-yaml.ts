import { isKeyLetter, Keys, notPlain, resolve } from "./plain-scalar.ts";
import type { Entry, MapNode, Node } from "./tree.ts";

/**
 * Reads the plain part of YAML in which nearly all playbooks are written, several times as fast as the library and without
 * loading it: block maps and lists, one-line scalars (plain, quoted) and flow collections, `|` texts, comments. Undefined for all
 * else, also for every error: the library then reads the text and says what is wrong. What is accepted gives exactly the tree
 * that the library gives; a property test holds the two together.
 */
export function parsePlainYaml(text: string): Node | undefined {
  // Tabs, carriage returns, control characters and marks of byte order have rules of their own.
  if (/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]|^(?:\.\.\.|%)/m.test(text)) return undefined;
  try {
    return new PlainReader(text).whole();
  } catch (thrown) {
    if (thrown === notPlain) return undefined;
    throw thrown;
  }
}

const deepest = 40;

interface Line {
  readonly start: number;
  readonly end: number;
  /** Number of spaces in front. */
  readonly indent: number;
  /** Nothing but spaces. */
  readonly blank: boolean;
  readonly comment: boolean;
}

/** How a plain scalar may begin without being something else. */
const plainStart = /[A-Za-z0-9_/.$~+(=<^;\\\u00a0-\uffff]|-(?=[A-Za-z0-9_./-])/y;

class PlainReader {
  readonly #text: string;
  readonly #lines: Line[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    for (let start = 0; start <= text.length; ) {
      const newline = text.indexOf("\n", start);
      const end = newline < 0 ? text.length : newline;
      let first = start;
      while (first < end && text[first] === " ") first += 1;
      this.#lines.push({ start, end, indent: first - start, blank: first === end, comment: text[first] === "#" });
      start = end + 1;
    }
  }

  whole(): Node {
    let line = this.#skip();
    if (line !== undefined && this.#text.slice(line.start, line.end) === "---") {
      this.#at += 1;
      line = this.#skip();
    }
    if (line === undefined || /^---/m.test(this.#text.slice(line.start))) throw notPlain;
    const node = this.#block(line.indent);
    if (this.#skip() !== undefined || node.is === "scalar") throw notPlain;
    return node;
  }

  /** The next line with content, at which reading then stands. */
  #skip(): Line | undefined {
    for (;;) {
      const line = this.#lines[this.#at];
      if (line === undefined || !(line.blank || line.comment)) return line;
      this.#at += 1;
    }
  }

  #block(column: number): Node {
    if (++this.#depth > deepest) throw notPlain;
    const line = this.#lines[this.#at] as Line;
    const node = this.#isItem(line, column) ? this.#list(column) : this.#map(column);
    this.#depth -= 1;
    return node;
  }

  #isItem(line: Line, column: number): boolean {
    const at = line.start + column;
    return this.#text[at] === "-" && (at + 1 === line.end || this.#text[at + 1] === " ");
  }

  #list(column: number): Node {
    const items: Node[] = [];
    const start = (this.#lines[this.#at] as Line).start + column;
    let end = start;
    for (let line = this.#skip(); line !== undefined && line.indent >= column; line = this.#skip()) {
      // The first item of a list within another stands behind that one's dash.
      if (line.indent !== column || !this.#isItem(line, column)) {
        if (line.indent === column) break;
        throw notPlain;
      }
      const item = this.#item(line, column);
      items.push(item);
      end = item.end;
    }
    return { is: "list", items, start, end };
  }

  #item(line: Line, column: number): Node {
    let at = line.start + column + 1;
    while (at < line.end && this.#text[at] === " ") at += 1;
    if (at === line.end || this.#text[at] === "#") {
      this.#at += 1;
      const next = this.#skip();
      if (next === undefined || next.indent <= column) throw notPlain;
      return this.#block(next.indent);
    }
    const inner = at - line.start;
    if (this.#isItem(line, inner)) throw notPlain;
    if (this.#key(at, line) !== undefined) {
      if (++this.#depth > deepest) throw notPlain;
      const map = this.#map(inner);
      this.#depth -= 1;
      return map;
    }
    return this.#inline(at, line, column);
  }

  #map(column: number): MapNode {
    const entries: Entry[] = [];
    const seen = new Keys();
    const first = this.#lines[this.#at] as Line;
    let line: Line | undefined = first;
    let end = first.start;
    do {
      const key = this.#key(line.start + column, line);
      if (key === undefined || !seen.add(key.key)) throw notPlain;
      const value = this.#value(key.end + 1, line, column);
      entries.push({ key: key.key, keyStart: line.start + column, keyEnd: key.end, value });
      end = value.end;
      line = this.#skip();
    } while (line !== undefined && line.indent === column && !this.#isItem(line, column));
    // A list's dash at the indent of this map ends it only where the map stands behind another dash: then it is less indented.
    if (line !== undefined && line.indent >= column) throw notPlain;
    return { is: "map", entries, start: first.start + column, end };
  }

  #value(from: number, line: Line, column: number): Node {
    let at = from;
    while (at < line.end && this.#text[at] === " ") at += 1;
    if (at < line.end && this.#text[at] !== "#") return this.#inline(at, line, column);
    if (at < line.end && at === from) throw notPlain;
    this.#at += 1;
    const next = this.#skip();
    if (next !== undefined && (next.indent > column || (next.indent === column && this.#isItem(next, column))))
      return this.#block(next.indent);
    return { is: "scalar", value: null, start: from - 1, end: from - 1 };
  }

  /** A key at an offset: its text and where it ends, before the colon. */
  #key(at: number, line: Line): { readonly key: string; readonly end: number } | undefined {
    const quote = this.#text[at];
    if (quote === '"' || quote === "'") {
      const node = this.#quoted(at, line.end);
      const after = this.#text[node.end + 1];
      if (this.#text[node.end] !== ":" || !(after === " " || after === "\n" || after === undefined)) return undefined;
      return { key: node.value as string, end: node.end };
    }
    const key = this.#plainKey(at, line.end);
    return key === undefined ? undefined : { key, end: at + key.length };
  }

  /** A key without quotes: letters, digits, `_`, `.`, `/` and `-`, with a colon behind it. */
  #plainKey(at: number, lineEnd: number): string | undefined {
    let end = at;
    while (isKeyLetter(this.#text.charCodeAt(end), end === at)) end += 1;
    if (end === at || end >= lineEnd || this.#text[end] !== ":" || (end + 1 < lineEnd && this.#text[end + 1] !== " ")) return undefined;
    const key = this.#text.slice(at, end);
    if (typeof resolve(key) !== "string") throw notPlain;
    return key;
  }

  /** A value that begins in a line and, but for `|` texts, ends in it. */
  #inline(at: number, line: Line, column: number): Node {
    if (this.#text[at] === "|") return this.#literal(at, line, column);
    const first = this.#text[at];
    let node: Node;
    if (first === "[" || first === "{") node = this.#flow(at, line.end, 0);
    else if (first === '"' || first === "'") node = this.#quoted(at, line.end);
    else node = this.#plain(at, line.end);
    let rest = node.end;
    while (rest < line.end && this.#text[rest] === " ") rest += 1;
    if (rest < line.end && (this.#text[rest] !== "#" || rest === node.end)) throw notPlain;
    this.#at += 1;
    const next = this.#skip();
    if (next !== undefined && next.indent > column) throw notPlain;
    return node;
  }

  #plain(at: number, lineEnd: number): Node {
    plainStart.lastIndex = at;
    if (!plainStart.test(this.#text)) throw notPlain;
    let end = at;
    for (let next = at; next < lineEnd; next++) {
      const letter = this.#text[next];
      if (letter === "#" && this.#text[next - 1] === " ") break;
      if (letter === ":" && (next + 1 === lineEnd || this.#text[next + 1] === " ")) throw notPlain;
      if (letter !== " ") end = next + 1;
    }
    return { is: "scalar", value: resolve(this.#text.slice(at, end)), start: at, end };
  }

  #quoted(at: number, lineEnd: number): Node & { is: "scalar" } {
    const quote = this.#text[at] as string;
    let end = at + 1;
    let escaped = false;
    for (; ; end++) {
      if (end >= lineEnd) throw notPlain;
      const letter = this.#text[end];
      if (letter === "\\" && quote === '"') {
        // Only the escapes that JSON and YAML share.
        if (!/["\\/nt]/.test(this.#text[end + 1] ?? "")) throw notPlain;
        escaped = true;
        end += 1;
      } else if (letter === quote) {
        if (quote === '"' || this.#text[end + 1] !== quote) break;
        escaped = true;
        end += 1;
      }
    }
    const inside = this.#text.slice(at + 1, end);
    const value = !escaped ? inside : quote === "'" ? inside.replaceAll("''", "'") : (JSON.parse(`"${inside}"`) as string);
    return { is: "scalar", value, start: at, end: end + 1 };
  }

  #flow(at: number, lineEnd: number, depth: number): Node {
    const first = this.#text[at];
    if (depth > deepest) throw notPlain;
    if (first === '"' || first === "'") return this.#quoted(at, lineEnd);
    if (first !== "[" && first !== "{") return this.#flowPlain(at, lineEnd);
    const items: Node[] = [];
    const entries: Entry[] = [];
    let next = this.#blanks(at + 1, lineEnd);
    while (this.#text[next] !== (first === "[" ? "]" : "}")) {
      let value: Node;
      if (first === "[") {
        value = this.#flow(next, lineEnd, depth + 1);
        items.push(value);
      } else {
        const key = this.#flowKey(next, lineEnd);
        if (entries.some((entry) => entry.key === key.key)) throw notPlain;
        value = this.#flow(this.#blanks(key.end + 1, lineEnd), lineEnd, depth + 1);
        entries.push({ key: key.key, keyStart: next, keyEnd: key.end, value });
      }
      next = this.#blanks(value.end, lineEnd);
      if (this.#text[next] === ",") next = this.#blanks(next + 1, lineEnd);
      else if (this.#text[next] !== (first === "[" ? "]" : "}")) throw notPlain;
    }
    return first === "[" ? { is: "list", items, start: at, end: next + 1 } : { is: "map", entries, start: at, end: next + 1 };
  }

  #flowKey(at: number, lineEnd: number): { readonly key: string; readonly end: number } {
    const quote = this.#text[at];
    const key = quote === '"' || quote === "'" ? this.#quoted(at, lineEnd) : this.#plainKey(at, lineEnd);
    if (key === undefined) throw notPlain;
    const end = typeof key === "string" ? at + key.length : key.end;
    if (this.#text[end] !== ":" || this.#text[end + 1] !== " ") throw notPlain;
    return { key: typeof key === "string" ? key : (key.value as string), end };
  }

  #flowPlain(at: number, lineEnd: number): Node {
    plainStart.lastIndex = at;
    if (at >= lineEnd || !plainStart.test(this.#text)) throw notPlain;
    let end = at;
    for (let next = at; next < lineEnd && !",[]{}".includes(this.#text[next] as string); next++) {
      const letter = this.#text[next];
      if (letter === "#" && this.#text[next - 1] === " ") throw notPlain;
      if (letter === ":" && (next + 1 >= lineEnd || " ,[]{}".includes(this.#text[next + 1] as string))) throw notPlain;
      if (letter !== " ") end = next + 1;
    }
    return { is: "scalar", value: resolve(this.#text.slice(at, end)), start: at, end };
  }

  #blanks(at: number, lineEnd: number): number {
    let next = at;
    while (next < lineEnd && this.#text[next] === " ") next += 1;
    if (next >= lineEnd) throw notPlain;
    return next;
  }

  /** A `|` text, clipped or stripped at its end. */
  #literal(at: number, line: Line, column: number): Node {
    const header = /^\|(-?)(?: *| +#.*)$/.exec(this.#text.slice(at, line.end));
    const first = this.#lines[this.#at + 1];
    if (header === null || first === undefined || first.blank || first.indent <= column) throw notPlain;
    const parts: string[] = [];
    let last = this.#at;
    for (this.#at += 1; ; this.#at++) {
      const next = this.#lines[this.#at];
      if (next === undefined) break;
      if (next.blank) {
        if (next.indent > first.indent) throw notPlain;
        parts.push("");
      } else if (next.indent >= first.indent) {
        parts.push(this.#text.slice(next.start + first.indent, next.end));
        last = this.#at;
      } else if (next.indent > column) throw notPlain;
      else break;
    }
    const end = (this.#lines[last] as Line).end;
    // Whether a last line without its newline has one is the library's to say.
    if (end >= this.#text.length) throw notPlain;
    const whole = parts.join("\n").replace(/\n+$/, "");
    return { is: "scalar", value: header[1] === "-" ? whole : `${whole}\n`, start: at, end: end + 1 };
  }
}

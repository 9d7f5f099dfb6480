import type { Json } from "../core/index.ts";
import type { Expressions } from "./expression/expression.ts";
import { ExpressionFault, type Reference, unknown, type Value, type Values } from "./expression/reference.ts";
import { mayHoldExpression, type Part, scan } from "./expression/scan.ts";
import { Reports, type Source } from "./source.ts";
import { type MapNode, type Node, plain, type ScalarNode, setOwn } from "./tree.ts";

/** What an evaluation sees, and whom it tells what it is about to read. */
export interface Scope {
  readonly values: Values;
  before(reference: Reference): void;
}

/** Turns nodes into values: every fault is reported at its place, and what cannot be worked out is `unknown`. */
export class Evaluator {
  readonly #source: Source;
  readonly #reports: Reports;
  readonly #expressions: Expressions;
  readonly #plain = new WeakMap<Node, { readonly value: Json } | "has expressions">();
  readonly #parts = new WeakMap<ScalarNode, readonly Part[] | undefined>();

  constructor(source: Source, reports: Reports, expressions: Expressions) {
    this.#source = source;
    this.#reports = reports;
    this.#expressions = expressions;
  }

  /** The same, but it keeps its faults for itself. */
  quiet(): Evaluator {
    return new Evaluator(this.#source, new Reports(), this.#expressions);
  }

  /** The value of a node with its expressions evaluated. A text that is nothing but one expression keeps the value's type. */
  value(node: Node, scope: Scope): Value {
    const known = this.plain(node);
    if (known !== undefined) return known.value;
    if (node.is === "scalar") return this.#text(node, scope);
    if (node.is === "map") return this.#map(node, scope);
    const items = node.items.map((item) => this.value(item, scope));
    return items.includes(unknown) ? unknown : (items as Json[]);
  }

  /** The value of a node without expressions; undefined where it has some. */
  plain(node: Node): { readonly value: Json } | undefined {
    let known = this.#plain.get(node);
    if (known === undefined) {
      known = holdsExpression(node) ? "has expressions" : { value: plain(node) };
      this.#plain.set(node, known);
    }
    return known === "has expressions" ? undefined : known;
  }

  /** The value of a bare expression, as `when` has it; `${{ … }}` around the whole of it is allowed. */
  bare(node: ScalarNode & { readonly value: string }, scope: Scope): Value {
    if (mayHoldExpression(node.value)) return this.#text(node, scope);
    return this.#expression(node.value, 0, node, scope);
  }

  #map(node: MapNode, scope: Scope): Value {
    const map: { [key: string]: Json } = {};
    let open = false;
    for (const entry of node.entries) {
      const value = this.value(entry.value, scope);
      const key = mayHoldExpression(entry.key)
        ? this.#text({ is: "scalar", value: entry.key, start: entry.keyStart, end: entry.keyEnd }, scope)
        : entry.key;
      if (value === unknown || key === unknown) open = true;
      else if (typeof key === "object")
        this.#fault("wrong-key", "a key must be a text", "the expression must give a text, a number or a boolean", entry.keyStart);
      else if (Object.hasOwn(map, String(key))) {
        open = true;
        this.#fault("duplicate-key", "duplicate key", `\`${String(key)}\` stands here twice, once made by an expression`, entry.keyStart);
      } else setOwn(map, String(key), value);
    }
    return open ? unknown : map;
  }

  #text(node: ScalarNode, scope: Scope): Value {
    const text = node.value as string;
    const parts = this.#split(node, text);
    if (parts === undefined) return unknown;
    const [only] = parts;
    if (parts.length === 1 && only !== undefined)
      return "literal" in only ? only.literal : this.#expression(only.expression, only.offset, node, scope);
    let whole = "";
    let open = false;
    for (const part of parts) {
      if ("literal" in part) whole += part.literal;
      else {
        const value = this.#expression(part.expression, part.offset, node, scope);
        if (value === unknown) open = true;
        else if (typeof value === "object") {
          open = true;
          const what = value === null ? "null" : Array.isArray(value) ? "a list" : "a map";
          this.#fault(
            "wrong-type",
            "wrong type",
            `${what} cannot stand within a text; a value that is nothing but one expression keeps its type`,
            this.#offset(node, part.offset - 3),
          );
        } else whole += String(value);
      }
    }
    return open ? unknown : whole;
  }

  #split(node: ScalarNode, text: string): readonly Part[] | undefined {
    if (this.#parts.has(node)) return this.#parts.get(node);
    const scanned = scan(text);
    if (!scanned.ok)
      this.#fault(
        "expression-syntax",
        "not an expression",
        `this \${{ has no }} (write $\${{ for a literal \${{)`,
        this.#offset(node, scanned.offset),
      );
    const parts = scanned.ok ? scanned.parts : undefined;
    this.#parts.set(node, parts);
    return parts;
  }

  #expression(text: string, offset: number, node: ScalarNode, scope: Scope): Value {
    try {
      return this.#expressions.evaluate(text, scope.values, (reference) => scope.before(reference));
    } catch (thrown) {
      if (!(thrown instanceof ExpressionFault)) throw thrown;
      this.#fault(thrown.code, thrown.summary, thrown.message, this.#offset(node, offset + thrown.offset));
      return unknown;
    }
  }

  /**
   * The offset in the source of an offset in a scalar's value. Quotes, escapes and folded lines come between the two: as `${{`
   * is spelled the same everywhere, the one that stands before the offset is counted and looked for, then the rest is added
   * as far as the source reads the same.
   */
  #offset(node: ScalarNode, within: number): number {
    const value = node.value as string;
    const source = this.#source.text;
    const opening = value.lastIndexOf("${{", within);
    if (opening < 0) {
      const quote = /['"]/.test(source[node.start] ?? "") ? 1 : 0;
      return source.startsWith(value.slice(0, within), node.start + quote) ? node.start + quote + within : node.start;
    }
    let count = 0;
    for (let at = value.indexOf("${{"); at >= 0 && at < opening; at = value.indexOf("${{", at + 3)) count += 1;
    let found = source.indexOf("${{", node.start);
    while (count > 0 && found >= 0) {
      found = source.indexOf("${{", found + 3);
      count -= 1;
    }
    if (found < 0 || found >= node.end) return node.start;
    return source.startsWith(value.slice(opening, within), found) ? found + within - opening : found;
  }

  #fault(code: string, summary: string, detail: string, offset: number): void {
    this.#reports.add({ code, summary, detail }, this.#source, offset);
  }
}

function holdsExpression(node: Node): boolean {
  if (node.is === "scalar") return typeof node.value === "string" && mayHoldExpression(node.value);
  if (node.is === "list") return node.items.some(holdsExpression);
  return node.entries.some((entry) => mayHoldExpression(entry.key) || holdsExpression(entry.value));
}

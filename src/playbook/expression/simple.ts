import { isObject, type Json, sameJson } from "../../core/index.ts";
import type { Expression, Reference, Values } from "./reference.ts";
import { follow } from "./reference.ts";

/** Where an expression leaves what is done here; CEL itself is asked. */
export class AskCel extends Error {}

type Term =
  | { readonly do: "path"; readonly reference: Reference }
  | { readonly do: "literal"; readonly value: Json }
  | { readonly do: "not"; readonly of: Term }
  | { readonly do: "and" | "or" | "==" | "!=" | "in"; readonly left: Term; readonly right: Term };

/**
 * Most expressions are a dotted path or a comparison of one with a literal: these are evaluated here, without loading CEL.
 * Only what surely means the same in CEL is taken; whatever else comes up while evaluating (a missing key, an operand of
 * another type) throws AskCel. Undefined where the expression is not of this form.
 */
export function simpleExpression(text: string): Expression | undefined {
  const parser = new Parser(text);
  const term = parser.whole();
  if (term === undefined) return undefined;
  return { references: parser.references, ...(term.do === "path" && { path: term.reference }), run: (values) => evaluate(term, values) };
}

function evaluate(term: Term, values: Values): Json {
  switch (term.do) {
    case "literal":
      return term.value;
    case "path": {
      const root = values[term.reference.root];
      const found = root === undefined ? undefined : follow(root, term.reference.path);
      if (found === undefined || !("value" in found) || typeof found.value === "symbol") throw new AskCel();
      return found.value;
    }
    case "not":
      return !truth(evaluate(term.of, values));
    case "and":
      return truth(evaluate(term.left, values)) && truth(evaluate(term.right, values));
    case "or":
      return truth(evaluate(term.left, values)) || truth(evaluate(term.right, values));
    case "==":
      return sameJson(evaluate(term.left, values), evaluate(term.right, values));
    case "!=":
      return !sameJson(evaluate(term.left, values), evaluate(term.right, values));
    case "in": {
      const item = evaluate(term.left, values);
      const within = evaluate(term.right, values);
      if (Array.isArray(within)) return within.some((one: Json) => sameJson(one, item));
      if (isObject(within) && typeof item === "string") return Object.hasOwn(within, item);
      throw new AskCel();
    }
  }
}

function truth(value: Json): boolean {
  if (typeof value !== "boolean") throw new AskCel();
  return value;
}

/** A literal that is neither true nor false is refused as a condition before evaluation. */
function isNoCondition(term: Term): boolean {
  return term.do === "literal" && typeof term.value !== "boolean";
}

function joined(operator: "and" | "or", left: Term, right: Term | undefined): Term | undefined {
  return right === undefined || isNoCondition(left) || isNoCondition(right) ? undefined : { do: operator, left, right };
}

const reserved = new Set([
  "in",
  "true",
  "false",
  "null",
  "as",
  "break",
  "const",
  "continue",
  "else",
  "for",
  "function",
  "if",
  "import",
  "let",
  "loop",
  "package",
  "namespace",
  "return",
  "var",
  "void",
  "while",
]);
const token = /\s*(?:([A-Za-z_]\w*)|(\d+)(?![\w.])|'([^'\\\n]*)'|"([^"\\\n]*)"|(&&|\|\||==|!=|[!.()[\],]))/y;

type Token = { readonly is: "name" | "number" | "string" | "sign"; readonly text: string; readonly at: number };

class Parser {
  readonly references: Reference[] = [];
  readonly #tokens: Token[] = [];
  #next = 0;
  #good = true;

  constructor(text: string) {
    token.lastIndex = 0;
    const end = text.trimEnd().length;
    while (token.lastIndex < end) {
      const from = token.lastIndex;
      const match = token.exec(text);
      if (match === null) {
        this.#good = false;
        token.lastIndex = 0;
        return;
      }
      const [whole, name, number, single, double, sign] = match;
      const at = from + whole.length - whole.trimStart().length;
      if (name !== undefined) this.#tokens.push({ is: "name", text: name, at });
      else if (number !== undefined) this.#tokens.push({ is: "number", text: number, at });
      else if (sign !== undefined) this.#tokens.push({ is: "sign", text: sign, at });
      // Three quotes begin another kind of text: the empty one followed by a quote is not ours.
      else if (/^\s*(''|"")/.test(whole) && /^['"]/.test(text.slice(token.lastIndex))) this.#good = false;
      else this.#tokens.push({ is: "string", text: single ?? double ?? "", at });
    }
    token.lastIndex = 0;
  }

  whole(): Term | undefined {
    if (!this.#good || this.#tokens.length === 0) return undefined;
    const term = this.#or(0);
    return this.#next === this.#tokens.length ? term : undefined;
  }

  #sign(text: string): boolean {
    const next = this.#tokens[this.#next];
    if (next?.is !== "sign" || next.text !== text) return false;
    this.#next += 1;
    return true;
  }

  #or(depth: number): Term | undefined {
    let left = this.#and(depth);
    while (left !== undefined && this.#sign("||")) {
      const right = this.#and(depth);
      left = joined("or", left, right);
    }
    return left;
  }

  #and(depth: number): Term | undefined {
    let left = this.#relation(depth);
    while (left !== undefined && this.#sign("&&")) {
      const right = this.#relation(depth);
      left = joined("and", left, right);
    }
    return left;
  }

  #relation(depth: number): Term | undefined {
    const left = this.#unary(depth);
    const next = this.#tokens[this.#next];
    const operator = next?.text;
    if (left === undefined || next === undefined || (operator !== "==" && operator !== "!=" && operator !== "in") || next.is === "string")
      return left;
    this.#next += 1;
    const right = operator === "in" && this.#tokens[this.#next]?.text === "[" ? this.#list() : this.#unary(depth);
    // What can be told from the types of literals alone is an error before evaluation: CEL's business.
    if (right === undefined || (left.do !== "path" && right.do !== "path")) return undefined;
    if (operator === "in" && right.do === "literal" && !Array.isArray(right.value)) return undefined;
    if (operator === "in" && right.do !== "path" && right.do !== "literal") return undefined;
    return { do: operator, left, right };
  }

  #list(): Term | undefined {
    if (!this.#sign("[")) return undefined;
    const items: Json[] = [];
    while (!this.#sign("]")) {
      const item = this.#literal();
      if (item === undefined || (!this.#sign(",") && this.#tokens[this.#next]?.text !== "]")) return undefined;
      items.push(item.value);
    }
    return { do: "literal", value: items };
  }

  #unary(depth: number): Term | undefined {
    if (this.#sign("!")) {
      const of = this.#tokens[this.#next]?.text === "!" ? undefined : this.#unary(depth);
      return of && !isNoCondition(of) ? { do: "not", of } : undefined;
    }
    if (this.#sign("(")) {
      const inner = depth < 20 ? this.#or(depth + 1) : undefined;
      return this.#sign(")") ? inner : undefined;
    }
    const literal = this.#literal();
    return literal === undefined ? this.#path() : { do: "literal", value: literal.value };
  }

  #literal(): { readonly value: Json } | undefined {
    const next = this.#tokens[this.#next];
    if (next === undefined) return undefined;
    if (next.is === "string") {
      this.#next += 1;
      return { value: next.text };
    }
    if (next.is === "number" && (next.text === "0" || /^[1-9]\d{0,14}$/.test(next.text))) {
      this.#next += 1;
      return { value: Number(next.text) };
    }
    if (next.is === "name" && (next.text === "true" || next.text === "false" || next.text === "null")) {
      this.#next += 1;
      return { value: next.text === "null" ? null : next.text === "true" };
    }
    return undefined;
  }

  #path(): Term | undefined {
    const root = this.#tokens[this.#next];
    // CEL keeps `let` for itself, but here it is a variable.
    if (root?.is !== "name" || (reserved.has(root.text) && root.text !== "let")) return undefined;
    this.#next += 1;
    const path: (string | number)[] = [];
    const steps: number[] = [];
    for (;;) {
      if (this.#sign(".")) {
        const step = this.#tokens[this.#next++];
        if (step?.is !== "name" || reserved.has(step.text)) return undefined;
        path.push(step.text);
        steps.push(step.at);
      } else if (this.#sign("[")) {
        const step = this.#tokens[this.#next];
        const value = this.#literal()?.value;
        if ((typeof value !== "string" && typeof value !== "number") || step === undefined || !this.#sign("]")) return undefined;
        path.push(value);
        steps.push(step.at);
      } else break;
    }
    if (this.#tokens[this.#next]?.text === "(" && this.#tokens[this.#next]?.is === "sign") return undefined;
    const reference: Reference = { root: root.text, path, offset: root.at, steps, optional: false };
    this.references.push(reference);
    return { do: "path", reference };
  }
}

import { isObject, nearest } from "../../core/index.ts";
import { type Libraries, need } from "../libraries.ts";
import { type Expression, ExpressionFault, type Found, follow, type Reference, unknown, type Value, type Values } from "./reference.ts";
import { resultExpression } from "./result.ts";
import { AskCel, simpleExpression } from "./simple.ts";

/** Compiles expressions, each text once. */
export class Expressions {
  readonly #libraries: Libraries;
  readonly #compiled = new Map<string, Expression | ExpressionFault>();

  constructor(libraries: Libraries) {
    this.#libraries = libraries;
  }

  /** The value of an expression; `unknown` where something that it reads is. Throws ExpressionFault and NotLoaded. */
  evaluate(text: string, values: Values, before: (reference: Reference) => void): Value {
    const result = text.includes("result") ? resultExpression(text) : undefined;
    if (result !== undefined) return result;
    const expression = this.#compile(text);
    let open = false;
    for (const reference of expression.references) {
      before(reference);
      open = isOpen(reference, values) || open;
    }
    if (open) return unknown;
    try {
      return expression.run(values);
    } catch (thrown) {
      if (!(thrown instanceof AskCel)) throw described(thrown);
      const { path } = expression;
      const found = path && follow(values[path.root] ?? null, path.path);
      if (path !== undefined && found !== undefined && "missing" in found) throw missing(path, found);
      try {
        return need(this.#libraries, "cel").compile(text).run(values);
      } catch (fault) {
        throw described(fault);
      }
    }
  }

  #compile(text: string): Expression {
    const known = this.#compiled.get(text);
    if (known instanceof ExpressionFault) throw known;
    if (known !== undefined) return known;
    try {
      if (text.trim() === "")
        throw new ExpressionFault("expression-syntax", "not an expression", `there is nothing between \${{ and }}`, 0);
      const made = simpleExpression(text) ?? need(this.#libraries, "cel").compile(text);
      this.#compiled.set(text, made);
      return made;
    } catch (thrown) {
      if (thrown instanceof ExpressionFault) this.#compiled.set(text, thrown);
      throw thrown;
    }
  }
}

/** Whether what is read is not known; throws where its first name, an input's or a var's name is none. */
function isOpen(reference: Reference, values: Values): boolean {
  const root = values[reference.root];
  if (root === undefined) {
    const roots = Object.keys(values).filter((name) => values[name] !== undefined);
    throw new ExpressionFault(
      "unknown-name",
      "unknown name",
      `there is no \`${reference.root}\` here${hint(reference.root, roots, "names are")}`,
      reference.offset,
    );
  }
  if (root === unknown) return true;
  if (reference.path.length === 0) return isObject(root) && Object.values(root as { [name: string]: Value }).includes(unknown);
  const found = follow(root, reference.path);
  if ("value" in found) return found.value === unknown;
  if ((reference.root === "inputs" || reference.root === "vars") && found.missing === 0 && found.why === "key" && !reference.optional)
    throw missing(reference, found);
  return false;
}

/** The fault of a path that leads nowhere, with the nearest name. */
function missing(reference: Reference, found: Exclude<Found, { value: Value }>): ExpressionFault {
  const step = reference.path[found.missing] ?? "";
  const path = spell(reference.root, reference.path.slice(0, found.missing));
  const detail =
    found.why === "index"
      ? `\`${path}\` has no item ${step}`
      : found.why === "not a map"
        ? `\`${path}\` is no map, so there is no \`${step}\` in it`
        : `there is no \`${step}\` in \`${path}\`${hint(String(step), found.among, "it has")}`;
  return new ExpressionFault("unknown-name", "unknown name", detail, reference.steps[found.missing] ?? reference.offset);
}

function described(thrown: unknown): unknown {
  if (!(thrown instanceof ExpressionFault)) return thrown;
  const { reference, found } = thrown as { reference?: Reference; found?: Exclude<Found, { value: Value }> };
  return reference !== undefined && found !== undefined ? missing(reference, found) : thrown;
}

function hint(name: string, among: readonly string[], otherwise: string): string {
  const near = nearest(name, among);
  if (near !== undefined) return `; did you mean \`${near}\`?`;
  if (among.length === 0) return "";
  return `; ${otherwise} ${among.slice(0, 12).join(", ")}${among.length > 12 ? ", …" : ""}`;
}

function spell(root: string, path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => (typeof step === "number" ? `${text}[${step}]` : `${text}.${step}`), root);
}

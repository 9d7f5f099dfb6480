import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { type CelValue, expressionFunctions, fromCel, type Helpers, toCel } from "../functions.ts";
import { type Libraries, need } from "../libraries.ts";
import type { CelEngine } from "./engine.ts";
import { type Expression, ExpressionFault, follow, type Reference, unknown, type Value, type Values } from "./reference.ts";

/** Same length as `matches`, so that offsets stay: CEL's own one backtracks and can take minutes. */
const linearMatches = "matchez";
/** Stands for `let`, which CEL keeps for itself; same length, and no name that anyone would give. */
const letName = "_lE";
const macros = new Set(["all", "exists", "exists_one", "map", "filter"]);
const neededBy = new Map(
  expressionFunctions.flatMap((one) => one.forms.map((form): [string, keyof Helpers | undefined] => [nameOf(form), one.needs])),
);

/** The CEL of playbooks: optional access, mixed lists, our functions, linear-time patterns, and no clock. */
export function createCel(libraries: Libraries): CelEngine {
  const helpers: Helpers = {
    linearTest: (pattern, text) => need(libraries, "linear").linearTest(pattern, text),
    toYaml: (value) => need(libraries, "yaml").stringify(value),
  };
  const environment = new Environment({
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits: { maxAstNodes: 10_000, maxDepth: 100 },
  });
  for (const one of expressionFunctions) {
    for (const form of one.forms) environment.registerFunction(form, (...values: CelValue[]) => one.run(helpers, ...values));
  }
  environment.registerFunction(`string.${linearMatches}(string): bool`, (text: string, pattern: string) =>
    helpers.linearTest(pattern, text),
  );

  return {
    compile(text) {
      let source = withoutLet(text);
      let parsed = parse(environment, source);
      const found = walk(parsed.ast);
      for (const name of found.calls) {
        const needed = name === "matches" ? "linearTest" : neededBy.get(name);
        if (needed !== undefined) need(libraries, needed === "toYaml" ? "yaml" : "linear");
      }
      for (const at of found.matches) {
        const from = source.indexOf("matches", at);
        source = source.slice(0, from) + linearMatches + source.slice(from + linearMatches.length);
      }
      if (found.matches.length > 0) parsed = parse(environment, source);
      const checked = parsed.check();
      if (!checked.valid) throw fault(checked.error, "expression-types", "an expression that cannot be evaluated");
      return { references: found.references, run: (values) => run(parsed, values, found.references) };
    },
  };
}

type Parsed = ReturnType<Environment["parse"]>;

function parse(environment: Environment, text: string): Parsed {
  try {
    return environment.parse(text);
  } catch (thrown) {
    throw fault(thrown, "expression-syntax", "not an expression");
  }
}

function run(parsed: Parsed, values: Values, references: readonly Reference[]): ReturnType<Expression["run"]> {
  const context: Record<string, unknown> = {};
  for (const { root } of references) {
    const value = values[root];
    const name = root === "let" ? letName : root;
    if (value !== undefined && !Object.hasOwn(context, name)) context[name] = converted(value);
  }
  try {
    return fromCel(parsed(context));
  } catch (thrown) {
    throw missingKey(thrown, values, references) ?? fault(thrown, "expression-failed", "an expression that cannot be evaluated");
  }
}

/** Values in CEL's form by the frozen maps that they come from: facts and vars are converted once. */
const conversions = new WeakMap<object, unknown>();

function converted(value: Value | { readonly [name: string]: Value }): unknown {
  if (typeof value !== "object" || value === null) return value === unknown ? null : toCel(value as string | number | boolean | null);
  const known = conversions.get(value);
  if (known !== undefined) return known;
  const made = Array.isArray(value)
    ? value.map((item) => toCel(item))
    : Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (one === unknown ? [] : [[key, converted(one as Value)]])));
  if (Object.isFrozen(value)) conversions.set(value, made);
  return made;
}

/** A missing key as the fault that also knows what stands there instead. */
function missingKey(thrown: unknown, values: Values, references: readonly Reference[]): ExpressionFault | undefined {
  const code = (thrown as { code?: unknown }).code;
  if (code !== "no_such_key" && code !== "index_out_of_bounds") return undefined;
  for (const reference of references) {
    const root = values[reference.root];
    if (reference.optional || root === undefined) continue;
    const found = follow(root, reference.path);
    if ("missing" in found) return new MissingKey(reference, found);
  }
  return undefined;
}

/** A path of an expression that leads nowhere. */
export class MissingKey extends ExpressionFault {
  readonly reference: Reference;
  readonly found: Exclude<ReturnType<typeof follow>, { value: Value }>;
  constructor(reference: Reference, found: Exclude<ReturnType<typeof follow>, { value: Value }>) {
    super("unknown-name", "unknown name", "", reference.steps[found.missing] ?? reference.offset);
    this.reference = reference;
    this.found = found;
  }
}

function fault(thrown: unknown, code: string, summary: string): ExpressionFault {
  const error = thrown as { summary?: string; message?: string; range?: { start: number } };
  const said = (error.summary ?? error.message ?? String(thrown)).split("\n")[0] ?? "";
  return new ExpressionFault(code, summary, explained(said), error.range?.start ?? 0);
}

function explained(said: string): string {
  if (/Cannot index type 'undefined'/.test(said))
    return "what may be absent has no keys: end it with .orValue(…) first, or go on with .?key";
  if (/'default\(/.test(said)) return `${said}; write x.?key.orValue(y) for a value that may be absent`;
  if (/no such overload: .*(int|double).*[-+*/].*(int|double)/.test(said) && /double/.test(said))
    return `${said}; whole and fractional numbers do not mix: convert with int(…) or double(…)`;
  if (/no such overload: .*string.* \+ |\+ .*string/.test(said)) return `${said}; make a text of the number with string(…)`;
  return said;
}

interface Walked {
  readonly references: readonly Reference[];
  readonly calls: ReadonlySet<string>;
  /** Where `matches` is to be looked for, for each x.matches(p). */
  readonly matches: readonly number[];
}

/** What an expression reads and calls. Names bound by macros are no references. */
function walk(root: ASTNode): Walked {
  const references: Reference[] = [];
  const calls = new Set<string>();
  const matches: number[] = [];

  const chain = (
    node: ASTNode,
  ):
    | {
        readonly root: string;
        readonly offset: number;
        readonly path: (string | number)[];
        readonly steps: number[];
        readonly optional: boolean;
      }
    | undefined => {
    if (node.op === "id")
      return { root: node.args === letName ? "let" : node.args, offset: node.start, path: [], steps: [], optional: false };
    if (node.op !== "." && node.op !== ".?" && node.op !== "[]" && node.op !== "[?]") return undefined;
    const inner = chain(node.args[0]);
    if (inner === undefined) return undefined;
    const key = node.args[1];
    const step =
      typeof key === "string" ? key : key.op === "value" ? (typeof key.args === "bigint" ? Number(key.args) : key.args) : undefined;
    if (typeof step !== "string" && typeof step !== "number") return undefined;
    const offset = typeof key === "string" ? node.end - key.length : key.start;
    return {
      ...inner,
      path: [...inner.path, step],
      steps: [...inner.steps, offset],
      optional: inner.optional || node.op === ".?" || node.op === "[?]",
    };
  };

  const visit = (node: ASTNode, bound: ReadonlySet<string>, optional: boolean): void => {
    const whole = chain(node);
    if (whole !== undefined) {
      if (!bound.has(whole.root)) references.push({ ...whole, optional: optional || whole.optional });
      return;
    }
    switch (node.op) {
      case "value":
      case "id":
        return;
      case ".":
      case ".?":
        visit(node.args[0], bound, optional);
        return;
      case "call": {
        const [name, args] = node.args;
        calls.add(name);
        for (const one of args) visit(one, bound, optional || name === "has");
        return;
      }
      case "rcall": {
        const [name, receiver, args] = node.args;
        calls.add(name);
        const [first, ...rest] = args;
        if (name === "bind" && receiver.op === "id" && receiver.args === "cel" && first?.op === "id") {
          const [value, inside] = rest;
          if (value) visit(value, bound, optional);
          if (inside) visit(inside, new Set([...bound, first.args]), optional);
          return;
        }
        if (name === "matches") matches.push(receiver.end);
        if (receiver.op !== "id" || receiver.args !== "optional") visit(receiver, bound, optional);
        if (macros.has(name) && first?.op === "id") {
          const within = new Set([...bound, first.args]);
          for (const one of rest) visit(one, within, optional);
        } else for (const one of args) visit(one, bound, optional);
        return;
      }
      case "map":
        for (const [key, value] of node.args) {
          visit(key, bound, optional);
          visit(value, bound, optional);
        }
        return;
      case "!_":
      case "-_":
        visit(node.args, bound, optional);
        return;
      default:
        for (const one of node.args) visit(one, bound, optional);
    }
  };
  visit(root, new Set(), false);
  return { references, calls, matches };
}

/** The text with the variable `let` under a name that CEL takes; texts in quotes stay as they are. */
function withoutLet(text: string): string {
  return text.replace(/"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?<![.\w])let(?=\s*[.[?])/g, (found) =>
    found === "let" ? letName : found,
  );
}

function nameOf(form: string): string {
  return /(\w+)\(/.exec(form)?.[1] ?? form;
}

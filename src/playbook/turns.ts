import { holdsResult, isObject, type Json } from "../core/index.ts";
import type { Evaluator, Scope } from "./evaluator.ts";
import { unknown, type Value, type Values } from "./expression/reference.ts";
import { type Entry, kindOf, type MapNode, type Node, setOwn } from "./tree.ts";

/** Tells of something wrong; the code is made from the summary. */
export type Report = (summary: string, detail: string, offset: number) => void;

/** One turn of a for_each. */
export interface Turn {
  readonly key: Value;
  readonly value: Value;
  readonly index: Value;
}

const unknownTurn: Turn = { key: unknown, value: unknown, index: unknown };

/** The turns of a for_each; one whose item is not known where the list is not. */
export function turnsOf(entry: Entry, scope: Scope, evaluator: Evaluator, report: Report): readonly Turn[] {
  const value = evaluator.value(entry.value, scope);
  if (value === unknown) return [unknownTurn];
  if (holdsResult(value)) {
    report(
      "a result that is needed too early",
      "which resources there are cannot depend on what another gives when it runs",
      entry.value.start,
    );
    return [unknownTurn];
  }
  if (Array.isArray(value)) return value.map((item: Json, index) => ({ key: index, value: item, index }));
  if (isObject(value)) return Object.entries(value).map(([key, item], index) => ({ key, value: item, index }));
  report("wrong type", "`for_each` must be a list, a map or an expression that gives one", entry.value.start);
  return [unknownTurn];
}

/** A scope with `each`. */
export function withTurn(scope: Scope, turn: Turn): Scope {
  return { ...scope, values: { ...scope.values, each: Object.freeze({ ...turn }) } };
}

/** A scope with the names of `let`, each worked out in sight of those before it. */
export function withLet(lets: MapNode, base: Scope, evaluator: Evaluator, report: Report): Scope {
  const names: { [name: string]: Value } = {};
  let scope = base;
  for (const entry of lets.entries) {
    if (!/^[A-Za-z_]\w*$/.test(entry.key) || ["inputs", "vars", "facts", "each", "let"].includes(entry.key)) {
      const detail = `a name of \`let\` is letters, digits and _ and none of inputs, vars, facts, each, let; not \`${entry.key}\``;
      report("wrong name", detail, entry.keyStart);
      continue;
    }
    setOwn(names, entry.key, evaluator.value(entry.value, scope));
    scope = { ...base, values: { ...base.values, ...names, let: Object.freeze({ ...names }) } as Values };
  }
  return scope;
}

/** Whether all conditions of a `when` hold; `unknown` where that cannot be told. */
export function holds(entry: Entry, scope: Scope, evaluator: Evaluator, report: Report): boolean | typeof unknown {
  let all: boolean | typeof unknown = true;
  for (const node of entry.value.is === "list" ? entry.value.items : [entry.value]) {
    const one = condition(node, scope, evaluator, report);
    if (one === false) return false;
    if (one === unknown) all = unknown;
  }
  return all;
}

function condition(node: Node, scope: Scope, evaluator: Evaluator, report: Report): boolean | typeof unknown {
  if (node.is === "scalar" && typeof node.value === "boolean") return node.value;
  if (node.is !== "scalar" || typeof node.value !== "string") {
    report("wrong type", `\`when\` must be an expression, true or false, or a list of them, not ${kindOf(node)}`, node.start);
    return unknown;
  }
  const value = evaluator.bare({ ...node, value: node.value }, scope);
  if (value === unknown || typeof value === "boolean") return value;
  if (holdsResult(value)) {
    report(
      "a result that is needed too early",
      "`when` decides before anything runs, and what another resource gives is known only then",
      node.start,
    );
    return unknown;
  }
  report("wrong type", "the expression of `when` must give true or false", node.start);
  return unknown;
}

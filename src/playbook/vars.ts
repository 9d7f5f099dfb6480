import type { Evaluator, Scope } from "./evaluator.ts";
import { type Reference, unknown, type Value } from "./expression/reference.ts";
import type { Reports, Source } from "./source.ts";
import { type Entry, kindOf, type Node, setOwn } from "./tree.ts";

/** What vars may read besides each other. */
export interface VarsContext {
  readonly inputs: { readonly [name: string]: Value };
  readonly facts: Value;
  /** Told of each reading of an input or fact. */
  before(reference: Reference): void;
}

/** Evaluates the `vars` section. Vars may read each other in any order; a circle is an error that shows it. */
export function evaluateVars(
  section: Node | undefined,
  source: Source,
  reports: Reports,
  evaluator: Evaluator,
  context: VarsContext,
): { readonly [name: string]: Value } {
  const values: { [name: string]: Value } = {};
  if (section === undefined || (section.is === "scalar" && section.value === null)) return Object.freeze(values);
  if (section.is !== "map") {
    reports.add(
      { code: "wrong-type", summary: "wrong type", detail: `\`vars\` must be a map of names, not ${kindOf(section)}` },
      source,
      section.start,
    );
    return Object.freeze(values);
  }
  const entries = new Map<string, Entry>();
  for (const entry of section.entries) {
    entries.set(entry.key, entry);
    // All names are known from the start, so that an unknown one is told from one not yet evaluated.
    setOwn<Value>(values, entry.key, unknown);
    if (!/^[A-Za-z_]\w*$/.test(entry.key))
      reports.add(
        { code: "wrong-name", summary: "wrong name", detail: `a var's name is letters, digits and _, not \`${entry.key}\`` },
        source,
        entry.keyStart,
      );
  }
  const done = new Set<string>();
  const open: string[] = [];

  const evaluate = (name: string): void => {
    const entry = entries.get(name);
    if (entry === undefined || done.has(name)) return;
    const since = open.indexOf(name);
    if (since >= 0) {
      const circle = [...open.slice(since), name];
      reports.add(
        { code: "circular-vars", summary: "vars in a circle", detail: `${circle.join(" → ")}: none of them can be worked out first` },
        source,
        entries.get(circle[0] ?? name)?.keyStart ?? entry.keyStart,
      );
      for (const one of circle) done.add(one);
      return;
    }
    open.push(name);
    const value = evaluator.value(entry.value, scope);
    open.pop();
    if (!done.has(name)) setOwn(values, name, value);
    done.add(name);
  };
  const scope: Scope = {
    values: { inputs: context.inputs, vars: values, facts: context.facts },
    before(reference) {
      context.before(reference);
      if (reference.root !== "vars") return;
      const [name] = reference.path;
      if (typeof name === "string") evaluate(name);
      else for (const one of entries.keys()) if (!open.includes(one)) evaluate(one);
    },
  };
  for (const name of entries.keys()) evaluate(name);
  return Object.freeze(values);
}

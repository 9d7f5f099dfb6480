import { isObject, type Json, type JsonObject, nearest, ok, type Problem, problems, type Result } from "../core/index.ts";
import type { LiquidEngine } from "./liquid.ts";
import { Source } from "./source.ts";

/** Renders a template; `engine` may be left out only for texts without `{{` and `{%`. */
export function renderTemplate(
  template: string,
  scope: JsonObject,
  file: string,
  engine: LiquidEngine | undefined,
  readFact: (path: readonly string[]) => void,
): Result<string> {
  if (!isTemplate(template)) return ok(template);
  if (engine === undefined)
    return problems(
      problemAt("template-failed", "a template that cannot be rendered", "templates are not available here", new Source(file, template), 0),
    );
  const tracked = isObject(scope.facts) ? { ...scope, facts: watched(scope.facts, [], readFact) } : scope;
  const outcome = engine.render(template, tracked);
  if ("text" in outcome) return ok(outcome.text);
  const source = new Source(file, template);
  const { fault } = outcome;
  if (fault.undefined !== undefined)
    return problems(problemAt("unknown-name", "unknown name", undefinedDetail(fault.undefined, scope), source, fault.offset));
  return problems(problemAt("template-failed", "a template that cannot be rendered", fault.message, source, fault.offset));
}

/** Whether a text holds anything that Liquid would do. */
export function isTemplate(text: string): boolean {
  return text.includes("{{") || text.includes("{%");
}

function undefinedDetail(variable: string, scope: JsonObject): string {
  const path = variable.split(/[.[\]"']+/).filter((part) => part !== "");
  let value: Json = scope;
  for (const [index, step] of path.entries()) {
    const next: Json | undefined =
      isObject(value) && Object.hasOwn(value, step)
        ? value[step]
        : Array.isArray(value)
          ? (value[Number(step)] as Json | undefined)
          : undefined;
    if (next === undefined) {
      const among = isObject(value) ? Object.keys(value) : [];
      const near = nearest(step, among);
      const within = index === 0 ? "" : ` in \`${path.slice(0, index).join(".")}\``;
      const hint =
        near !== undefined
          ? `; did you mean \`${near}\`?`
          : among.length === 0
            ? ""
            : `; there ${among.length === 1 ? "is" : "are"} ${among.slice(0, 12).join(", ")}`;
      return `there is no \`${step}\`${within}${hint}`;
    }
    value = next;
  }
  return `\`${variable}\` is not defined`;
}

function problemAt(code: string, summary: string, detail: string, source: Source, offset: number): Problem {
  const at = source.place(offset);
  return { code, severity: "error", summary, detail, at, excerpt: source.line(at.line) };
}

/** The facts as a map that tells what is read of it; lists and plain values end the path. */
function watched(facts: JsonObject, path: readonly string[], read: (path: readonly string[]) => void): JsonObject {
  // A copy, as a proxy of a frozen map may not answer with a proxy.
  return new Proxy(
    { ...facts },
    {
      get(target, key) {
        const value = Reflect.get(target, key) as Json | undefined;
        if (typeof key !== "string" || !Object.hasOwn(target, key) || value === undefined) return value;
        const here = [...path, key];
        if (isObject(value)) return watched(value, here, read);
        read(here);
        return value;
      },
    },
  );
}

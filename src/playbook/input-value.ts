import { isObject, type Json } from "../core/index.ts";
import { type Libraries, need } from "./libraries.ts";
import { Source } from "./source.ts";
import { plain } from "./tree.ts";

export const inputTypes = ["string", "integer", "number", "boolean", "list", "map"] as const;
export type InputType = (typeof inputTypes)[number];

/** What an input asks of its value. */
export interface InputRule {
  readonly type: InputType;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly Json[];
}

/** A value, or what is wrong with the one given; `detail` shows nothing of it when it is secret. */
export type Judged = { readonly value: Json } | { readonly detail: string };

/** A text from the command line, the environment, a file or a command as a value of the declared type. */
export function fromText(text: string, type: InputType, shown: string, libraries: Libraries): Judged {
  switch (type) {
    case "string":
      return { value: text };
    case "integer":
      return /^\s*-?\d+\s*$/.test(text) && Number.isSafeInteger(Number(text))
        ? { value: Number(text) }
        : { detail: `must be a whole number, not ${shown}` };
    case "number":
      return /^\s*-?\d+(\.\d+)?([eE][-+]?\d+)?\s*$/.test(text) && Number.isFinite(Number(text))
        ? { value: Number(text) }
        : { detail: `must be a number, not ${shown}` };
    case "boolean":
      return /^\s*(true|false)\s*$/.test(text) ? { value: text.trim() === "true" } : { detail: `must be true or false, not ${shown}` };
    default: {
      const value = structured(text, libraries);
      const fits = type === "list" ? Array.isArray(value) : isObject(value);
      return fits && value !== undefined
        ? { value }
        : { detail: `must be a ${type} in JSON or YAML, such as ${type === "list" ? "[a, b]" : "{a: 1}"}` };
    }
  }
}

function structured(text: string, libraries: Libraries): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Not JSON; YAML is asked next.
  }
  const node = need(libraries, "yaml").parseYamlValue(new Source("", text));
  return node && plain(node);
}

/** Judges a value by its rule. */
export function judge(value: Json, rule: InputRule, shown: string, libraries: Libraries): Judged {
  const fits: { readonly [type in InputType]: boolean } = {
    string: typeof value === "string",
    integer: typeof value === "number" && Number.isSafeInteger(value),
    number: typeof value === "number",
    boolean: typeof value === "boolean",
    list: Array.isArray(value),
    map: isObject(value),
  };
  if (!fits[rule.type]) {
    const quote = rule.type === "string" && (typeof value === "number" || typeof value === "boolean") ? "; quote it" : "";
    return {
      detail: `must be ${{ string: "a text", integer: "a whole number", number: "a number", boolean: "true or false", list: "a list", map: "a map" }[rule.type]}, not ${shown}${quote}`,
    };
  }
  if (typeof value === "number") {
    if (rule.minimum !== undefined && value < rule.minimum) return { detail: `must be at least ${rule.minimum}, not ${shown}` };
    if (rule.maximum !== undefined && value > rule.maximum) return { detail: `must be at most ${rule.maximum}, not ${shown}` };
  }
  if (rule.enum !== undefined && !rule.enum.some((one) => JSON.stringify(one) === JSON.stringify(value))) {
    return {
      detail: `must be one of ${rule.enum.map((one) => String(typeof one === "object" ? JSON.stringify(one) : one)).join(", ")}, not ${shown}`,
    };
  }
  if (rule.pattern !== undefined && typeof value === "string" && !patternTest(rule.pattern, value, libraries)) {
    return { detail: `must match ${rule.pattern}, not be ${shown}` };
  }
  return { value };
}

/** Whether a text holds a match. Patterns that can only take linear or quadratic time run here, all others in RE2. */
export function patternTest(pattern: string, text: string, libraries: Libraries): boolean {
  if (isHarmless(pattern)) return new RegExp(pattern, "u").test(text);
  return need(libraries, "linear").linearTest(pattern, text);
}

/** Why a text is no pattern; undefined where it is one. */
export function patternFault(pattern: string, libraries: Libraries): string | undefined {
  try {
    patternTest(pattern, "", libraries);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Error && thrown.constructor.name !== "NotLoaded") return thrown.message.split("\n")[0];
    throw thrown;
  }
}

/** No group, so that nothing repeated is repeated again, and at most two open repetitions: these cannot run away. */
function isHarmless(pattern: string): boolean {
  const bare = pattern.replace(/\\[^pPkux0-9]/g, "x").replace(/\[[^\]]*\]/g, "x");
  if (/[()|\\{]/.test(bare) || (bare.match(/[*+]/g)?.length ?? 0) > 2) return false;
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

import { Liquid, type LiquidError } from "liquidjs";
import type { Json, JsonObject } from "../core/index.ts";

export interface LiquidFault {
  readonly message: string;
  readonly offset: number;
  /** The variable that is not there, where that is the fault. */
  readonly undefined?: string;
}

export interface LiquidEngine {
  render(template: string, scope: JsonObject): { readonly text: string } | { readonly fault: LiquidFault };
}

/** Filters that give another answer each time: a plan must be the same twice. */
const chance = ["sample", "shuffle"];
const clockWords = new Set(["now", "today"]);

/** Liquid without files, clock and chance, strict about names, with limits. */
export function createLiquid(): LiquidEngine {
  const liquid = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    dynamicPartials: false,
    templates: {},
    timezoneOffset: 0,
    locale: "en-US",
    parseLimit: 10_000_000,
    renderLimit: 10_000,
    memoryLimit: 20_000_000,
    outputEscape: shown,
  });
  const date = liquid.filters.date as (this: unknown, value: unknown, ...rest: unknown[]) => unknown;
  liquid.registerFilter("date", function (this: unknown, value: unknown, ...rest: unknown[]) {
    if (typeof value === "string" && clockWords.has(value.trim().toLowerCase()))
      throw new Error("templates have no clock: the result would differ each time");
    return date.call(this, value, ...rest);
  });
  for (const name of chance) {
    liquid.registerFilter(name, () => {
      throw new Error(`templates have no chance: \`${name}\` would give another result each time`);
    });
  }
  return {
    render(template, scope) {
      try {
        return { text: String(liquid.parseAndRenderSync(template, scope)) };
      } catch (thrown) {
        return { fault: faultOf(thrown as LiquidError & { token?: { begin?: number; line?: number } }, template) };
      }
    },
  };
}

/** What `{{ x }}` puts out; a map or list there would be `[object Object]`. */
function shown(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object")
    throw new Error(`${Array.isArray(value) ? "a list" : "a map"} cannot be put out; use a loop, or the filter json`);
  return String(value);
}

function faultOf(
  error: { name?: string; message?: string; originalError?: Error; token?: { begin?: number } },
  template: string,
): LiquidFault {
  const offset = Math.min(error.token?.begin ?? 0, template.length);
  const message = (error.message ?? "").split("\n")[0]?.replace(/, line:\d+, col:\d+$/, "") ?? "";
  const name = /^undefined variable: (.*)$/.exec(message)?.[1];
  if (name !== undefined) return { message, offset, undefined: name };
  if (/ENOENT|lookup/.test(message)) return { message: "a template cannot take in other files", offset };
  return { message, offset };
}

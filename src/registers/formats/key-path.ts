import { type Edit, FormatError, type FormatJson, type FormatMap, type KeyPath, type KeyStep } from "./format.ts";
import { isMap } from "./format-json.ts";

const plainKey = /^[^.[\]"\s]+$/;
const plainWord = /^[^[\]"=\s](?:[^[\]"=]*[^[\]"=\s])?$/;

/** Reads a key path: `a.b`, `"dotted.key".b`, `list[2]`, `list[name=web].image`. Throws FormatError with the column. */
export function parseKeyPath(text: string): KeyPath {
  const steps: KeyStep[] = [];
  let at = 0;
  const fail = (message: string): FormatError =>
    new FormatError(
      `key path ${JSON.stringify(text)}, column ${at + 1}: ${message}`,
      { line: 1, column: at + 1 },
      'Write steps as `a.b`, `"dotted.key"`, `list[2]` or `list[name=web]`.',
    );
  const quoted = (): string => {
    const found = /^"(?:[^"\\]|\\.)*"/s.exec(text.slice(at))?.[0];
    if (found === undefined) throw fail("the quote is not closed");
    at += found.length;
    return found.slice(1, -1).replace(/\\(.)/gs, "$1");
  };
  while (at < text.length) {
    if (text[at] === "[") {
      steps.push(bracket());
    } else {
      if (steps.length > 0) {
        if (text[at] !== ".") throw fail("a dot or a bracket is missing here");
        at += 1;
      }
      steps.push(word());
    }
  }
  if (steps.length === 0) throw fail("it is empty");
  return steps;

  function word(): string {
    if (text[at] === '"') return quoted();
    const found = /^[^.[\]"]+/.exec(text.slice(at))?.[0];
    if (found === undefined) throw fail("a key is missing here");
    at += found.length;
    return found;
  }

  function bracket(): KeyStep {
    at += 1;
    const index = /^(\d+)\]/.exec(text.slice(at));
    if (index !== null) {
      at += index[0].length;
      return Number(index[1]);
    }
    const key = part(/^[^\]="[]+/);
    if (text[at] !== "=") throw fail("`]` or `=` is missing here");
    at += 1;
    const value = part(/^[^\]"]*/);
    if (text[at] !== "]") throw fail("`]` is missing here");
    at += 1;
    return { key, value };
  }

  function part(plain: RegExp): string {
    if (text[at] === '"') return quoted();
    const found = plain.exec(text.slice(at))?.[0];
    if (found === undefined) throw fail("a list index or `name=value` is missing here");
    at += found.length;
    return found;
  }
}

/** Writes a key path as `parseKeyPath` reads it. */
export function formatKeyPath(path: KeyPath): string {
  const quote = (part: string): string => `"${part.replace(/["\\]/g, "\\$&")}"`;
  return path
    .map((step, i) => {
      if (typeof step === "number") return `[${step}]`;
      if (typeof step === "string") return (i === 0 ? "" : ".") + (plainKey.test(step) ? step : quote(step));
      const [key, value] = [step.key, step.value].map((part) => (plainWord.test(part) ? part : quote(part)));
      return `[${key}=${value}]`;
    })
    .join("");
}

/**
 * The edits that a `set` map asks for. Each key of it, also of a nested map, is a key path.
 * A map with entries is descended into and so merged with what the text has; a list, a scalar and an empty map are the value.
 */
export function flattenSet(nested: FormatMap): Edit[] {
  const edits: Edit[] = [];
  const visit = (under: KeyPath, map: FormatMap): void => {
    for (const [key, value] of Object.entries(map) as [string, FormatJson][]) {
      const path = [...under, ...parseKeyPath(key)];
      if (isMap(value) && Object.keys(value).length > 0) visit(path, value);
      else edits.push({ set: path, value });
    }
  };
  visit([], nested);
  return edits;
}

import { type FlowStyle, hasLines, insertFlow, padOf, removeFlow, replaceFlow } from "./flow/edit-flow.ts";
import { type FlowDialect, type FlowSlot, type FlowValue, slotByKey, slotOf, writeFlow } from "./flow/flow.ts";
import { parseFlow } from "./flow/parse-flow.ts";
import type { ConfigFormat, FormatJson } from "./format.ts";
import { mapOf } from "./format-json.ts";
import { formatSuffixes } from "./format-names.ts";
import { duplicateKey, endOfLine, errorAt, placeOf, splitMark } from "./text.ts";
import { admitFinite, type TreeDocument, treeFormat } from "./tree.ts";

const stringLiteral = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const otherLiteral = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const plainTrivia = /[ \t\r\n]*/y;
const commentedTrivia = /(?:[ \t\r\n]+|\/\/[^\n]*|\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\/)*/y;

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function dialectOf(comments: boolean): FlowDialect {
  const mend = comments
    ? "Mend the text."
    : "Mend the text, or declare `format: jsonc` for JSON with comments and commas behind the last entry.";
  const fail = (text: string, at: number, message: string): Error => errorAt(text, at, message, mend);
  const literal = (text: string, at: number): number => {
    const end = text[at] === '"' ? matchEnd(stringLiteral, text, at) : matchEnd(otherLiteral, text, at);
    if (end === undefined)
      throw fail(text, at, at >= text.length ? "the text ends where a value should stand" : "here stands no JSON value");
    return end;
  };
  return {
    separator: ":",
    trivia: (text, at) => matchEnd(comments ? commentedTrivia : plainTrivia, text, at) ?? at,
    commentsOfLine: /^(?:[ \t]*\/\*(?:[^*\r\n]|\*(?!\/))*\*\/)*[ \t]*(?:\/\/[^\r\n]*)?(?=\r?\n)/,
    lineComment: /\/\//,
    scalar: literal,
    key(text, at) {
      if (text[at] !== '"') throw fail(text, at, "a key in double quotes is missing here");
      const end = literal(text, at);
      return { end, key: decode(text.slice(at, end)) as string };
    },
    writeKey: (key) => JSON.stringify(key),
    writeScalar: (value) => JSON.stringify(value),
    trailingComma: () => comments,
    fail,
    duplicate: duplicateKey,
  };
}

function decode(raw: string): FormatJson {
  return JSON.parse(raw) as FormatJson;
}

/** Both kinds of JSON text: strict, and with comments and commas behind the last entry. */
function parseJson(text: string, dialect: FlowDialect): TreeDocument<FlowSlot> {
  const { mark, body } = splitMark(text);
  const start = dialect.trivia(body, 0);
  const root = slotOf({ is: "map", slots: [], index: undefined, tail: "", indent: "", at: start });
  root.lead = body.slice(0, start);
  const given = start < body.length;
  if (given) {
    const { value, end } = parseFlow(body, start, dialect);
    root.value = value;
    const last = dialect.trivia(body, end);
    if (last < body.length) throw dialect.fail(body, last, "the text goes on behind its value");
    root.after = body.slice(end);
  }
  const style = styleOf(root.value, body, given);
  let touched = given;
  const parse = (raw: string): FlowValue => parseFlow(raw, 0, dialect).value;
  const parents = new Map<FlowSlot, string>();
  const boxOf = (slot: FlowSlot, is: "map" | "list"): FlowValue & { is: "map" | "list" } => {
    if (slot.value.is !== is) throw new Error(`a ${is} was to be here`);
    return slot.value;
  };

  return {
    root: () => root,
    kind: (slot) => slot.value.is,
    value: (slot) => jsonOf(slot.value),
    child: (slot, key) => {
      const box = boxOf(slot, "map");
      const found = slotByKey(box, key);
      if (found !== undefined) parents.set(found, box.indent);
      return found;
    },
    items: (slot) => {
      const box = boxOf(slot, "list");
      for (const item of box.slots) parents.set(item, box.indent);
      return box.slots;
    },
    admit: admitFinite,
    replace(slot, value) {
      const newline = slot.lead.lastIndexOf("\n");
      const indent = newline === -1 ? (parents.get(slot) ?? "") : slot.lead.slice(newline + 1);
      replaceFlow(slot, value, style, dialect, parse, indent);
    },
    insert(slot, key, value) {
      touched = true;
      insertFlow(boxOf(slot, "map"), key, value, style, dialect, parse);
    },
    append: (slot, value) => insertFlow(boxOf(slot, "list"), undefined, value, style, dialect, parse),
    remove: (slot, _step, child) => removeFlow(slot.value as FlowValue & { is: "map" | "list" }, child),
    place: (slot) => placeOf(body, slot.value.at),
    text: () => {
      if (!touched) return text;
      const lead = given || root.lead === "" || root.lead.endsWith("\n") ? root.lead : root.lead + style.eol;
      return mark + lead + writeFlow(root.value) + (given ? root.after : style.eol);
    },
  };
}

function jsonOf(value: FlowValue): FormatJson {
  if (value.is === "scalar") return decode(value.raw);
  if (value.is === "list") return value.slots.map((slot) => jsonOf(slot.value));
  return mapOf(value.slots.map((slot) => [slot.key, jsonOf(slot.value)]));
}

/** Reads the layout off the first boxes that show it; a text that shows nothing gets two blanks and a line for each entry. */
function styleOf(root: FlowValue, body: string, given: boolean): FlowStyle {
  const boxes = [...walkBoxes(root, 200)];
  const indented = boxes.find((box) => box.slots[0]?.lead.includes("\n"));
  const first = indented?.slots[0]?.lead ?? "";
  const inner = first.slice(first.lastIndexOf("\n") + 1);
  const unit =
    indented !== undefined && inner.startsWith(indented.indent) && inner !== indented.indent ? inner.slice(indented.indent.length) : "  ";
  const colon = boxes.flatMap((box) => box.slots).find((slot) => slot.colon !== "" && !/[\r\n/]/.test(slot.colon))?.colon ?? ": ";
  const empty = boxes.every((box) => box.slots.length === 0);
  const last = boxes.filter(hasLines).map((box) => box.slots[box.slots.length - 1]?.comma ?? false);
  return {
    eol: endOfLine(body),
    unit,
    colon,
    lines: !given || empty || indented !== undefined,
    pad: boxes.map(padOf).find((pad) => pad !== undefined) ?? "",
    lastComma: last.length > 0 && last.every((comma) => comma),
  };
}

function* walkBoxes(value: FlowValue, atMost: number): Generator<FlowValue & { is: "map" | "list" }> {
  const queue: FlowValue[] = [value];
  for (let seen = 0; seen < queue.length && seen < atMost; seen += 1) {
    const one = queue[seen] as FlowValue;
    if (one.is === "scalar") continue;
    yield one;
    for (const slot of one.slots.slice(0, atMost)) queue.push(slot.value);
  }
}

/** Strict JSON. */
export const json: ConfigFormat = treeFormat({
  name: "json",
  suffixes: formatSuffixes.json,
  parse: (text) => parseJson(text, dialectOf(false)),
});

/** JSON with comments and with commas behind the last entry, as editors and compilers keep it. */
export const jsonc: ConfigFormat = treeFormat({
  name: "jsonc",
  suffixes: formatSuffixes.jsonc,
  parse: (text) => parseJson(text, dialectOf(true)),
});

import type { FormatJson } from "../format.ts";
import { isList, isMap } from "../format-json.ts";
import { type FlowBox, type FlowDialect, type FlowSlot, type FlowValue, slotByKey, slotOf } from "./flow.ts";

/** How new text is laid out, where no sibling shows it. */
export interface FlowStyle {
  readonly eol: string;
  /** One step of indent. */
  readonly unit: string;
  /** Between key and value, such as `: `. */
  readonly colon: string;
  /** Whether a new box takes a line for each entry. */
  readonly lines: boolean;
  /** Blanks inside the braces of a map on one line. */
  readonly pad: string;
  /** Whether a new list or map that takes lines ends with a comma. */
  readonly lastComma: boolean;
}

/** The text of a new value. */
export function renderFlow(value: FormatJson, indent: string, style: FlowStyle, dialect: FlowDialect): string {
  const list = isList(value);
  if (!list && !isMap(value)) return dialect.writeScalar(value);
  const [open, close] = list ? "[]" : "{}";
  const inner = style.lines ? indent + style.unit : indent;
  const entries = list
    ? value.map((item) => renderFlow(item, inner, style, dialect))
    : Object.entries(value).map(([key, item]) => dialect.writeKey(key) + style.colon + renderFlow(item, inner, style, dialect));
  if (entries.length === 0) return `${open}${close}`;
  if (!style.lines) {
    const pad = list ? "" : style.pad;
    return `${open}${pad}${entries.join(style.colon.endsWith(" ") ? ", " : ",")}${pad}${close}`;
  }
  const last = style.lastComma ? "," : "";
  return `${open}${style.eol}${entries.map((entry) => inner + entry).join(`,${style.eol}`)}${last}${style.eol}${indent}${close}`;
}

/** Puts another value into a slot; a box that stood on one line stays on one line. */
export function replaceFlow(
  slot: FlowSlot,
  value: FormatJson,
  style: FlowStyle,
  dialect: FlowDialect,
  parse: (raw: string) => FlowValue,
  indent: string,
): void {
  const old = slot.value;
  const oneLine = old.is !== "scalar" && old.slots.length > 0 && !hasLines(old);
  const lines = old.is !== "scalar" && hasLines(old) ? true : oneLine ? false : style.lines;
  slot.value = reindent(parse(renderFlow(value, indent, { ...style, lines }, dialect)), indent);
}

/** Adds an entry behind the last one, laid out as its siblings are. */
export function insertFlow(
  box: FlowBox,
  key: string | undefined,
  value: FormatJson,
  style: FlowStyle,
  dialect: FlowDialect,
  parse: (raw: string) => FlowValue,
): void {
  const previous = box.slots[box.slots.length - 1];
  const placed = previous === undefined ? placeFirst(box, style, dialect) : placeNext(box, previous, style, dialect);
  const inner = placed.lead.includes("\n") ? placed.lead.slice(placed.lead.lastIndexOf("\n") + 1) : box.indent;
  const lines = style.lines && placed.lead.includes("\n");
  const rendered = reindent(parse(renderFlow(value, inner, { ...style, colon: placed.colon, lines }, dialect)), inner);
  const slot: FlowSlot = { ...slotOf(rendered), lead: placed.lead, comma: placed.comma };
  if (key !== undefined) {
    slot.rawKey = dialect.writeKey(key);
    slot.key = key;
    slot.colon = placed.colon;
    slotByKey(box, key);
    box.index?.set(key, slot);
  }
  box.slots.push(slot);
}

function placeFirst(box: FlowBox, style: FlowStyle, dialect: FlowDialect): { lead: string; colon: string; comma: boolean } {
  const blank = box.tail.trim() === "";
  if (blank && box.tail === "" && !style.lines) {
    box.tail = box.is === "map" ? style.pad : "";
    return { lead: box.tail, colon: style.colon, comma: false };
  }
  if (blank && box.tail !== "" && !box.tail.includes("\n")) return { lead: box.tail, colon: style.colon, comma: false };
  const end = blank ? "" : (/[ \t\r\n]*$/.exec(box.tail)?.[0] ?? "");
  const kept = blank ? "" : box.tail.slice(0, box.tail.length - end.length);
  box.tail = end.includes("\n") ? end : style.eol + box.indent;
  return { lead: kept + style.eol + box.indent + style.unit, colon: style.colon, comma: style.lastComma && dialect.trailingComma(box.is) };
}

function placeNext(
  box: FlowBox,
  previous: FlowSlot,
  style: FlowStyle,
  dialect: FlowDialect,
): { lead: string; colon: string; comma: boolean } {
  const comma = previous.comma;
  previous.comma = true;
  const colon = previous.colon === "" || /[\r\n#/]/.test(previous.colon) ? style.colon : previous.colon;
  const newline = previous.lead.lastIndexOf("\n");
  let lead: string;
  if (newline !== -1) lead = style.eol + (/^[ \t]*/.exec(previous.lead.slice(newline + 1))?.[0] ?? "");
  else if (box.slots.length > 1) lead = /[ \t]*$/.exec(previous.lead)?.[0] ?? "";
  else lead = colon === "" || colon.endsWith(" ") ? " " : "";
  // A comment to the end of the line would swallow whatever follows it on that line.
  if (newline === -1 && dialect.lineComment.test(previous.after)) lead = style.eol + box.indent + style.unit;
  return { lead, colon, comma };
}

/** Takes an entry out. Comments on lines of their own stay; the comment behind the entry goes with it. */
export function removeFlow(box: FlowBox, slot: FlowSlot): void {
  const at = box.slots.indexOf(slot);
  const blanks = /[ \t\r\n]*$/.exec(slot.lead)?.[0] ?? "";
  const kept = slot.lead.slice(0, slot.lead.length - blanks.length);
  const next = box.slots[at + 1];
  box.slots.splice(at, 1);
  box.index?.delete(slot.key);
  if (next !== undefined) {
    const asFirst = at === 0 && kept === "" && next.lead.trim() === "";
    next.lead = asFirst ? slot.lead : kept + next.lead;
    return;
  }
  const previous = box.slots[at - 1];
  if (previous !== undefined && !slot.comma) previous.comma = false;
  if (previous === undefined && kept === "" && box.tail.trim() === "")
    box.tail = slot.lead.includes("\n") || box.tail.includes("\n") ? "" : slot.lead;
  else box.tail = kept + box.tail;
}

/** Whether any entry of a box begins on a line of its own. */
export function hasLines(box: FlowBox): boolean {
  return box.slots.some((slot) => slot.lead.includes("\n")) || box.tail.includes("\n");
}

/** A value parsed from new text knows its indent only from its second line on; its first line stands in another text. */
function reindent(value: FlowValue, indent: string): FlowValue {
  return value.is === "scalar" ? value : { ...value, indent };
}

/** The text of a box on one line, to find out how its neighbours look. */
export function padOf(box: FlowBox): string | undefined {
  return box.is === "map" && box.slots.length > 0 && !hasLines(box) ? (/^[ \t]*$/.exec(box.slots[0]?.lead ?? "")?.[0] ?? "") : undefined;
}

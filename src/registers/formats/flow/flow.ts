/**
 * Bracketed values without loss: the lists and maps of JSON, and the arrays and inline tables of TOML.
 * Each byte of the text stands in exactly one field, so writing is joining, and an edit changes only the fields it means.
 *
 *     lead key colon value gap comma after   lead key …   tail }
 */
export interface FlowSlot {
  /** Blanks and comments before the entry. */
  lead: string;
  /** The key as written; empty in a list. */
  rawKey: string;
  key: string;
  /** What stands between key and value, the separator included; empty in a list. */
  colon: string;
  value: FlowValue;
  /** Blanks and comments between value and comma. */
  gap: string;
  comma: boolean;
  /** A comment behind the entry on its own line. */
  after: string;
}

export interface FlowScalar {
  readonly is: "scalar";
  readonly raw: string;
  readonly at: number;
}

export interface FlowBox {
  readonly is: "map" | "list";
  readonly slots: FlowSlot[];
  /** By key; built when first asked for, kept up to date by the edits. */
  index: Map<string, FlowSlot> | undefined;
  /** Blanks and comments before the closing bracket. */
  tail: string;
  /** Indent of the line that the box opens on. */
  readonly indent: string;
  readonly at: number;
}

export type FlowValue = FlowScalar | FlowBox;

/** What differs between the texts that have bracketed values. Offsets are into `text`; the functions throw FormatError. */
export interface FlowDialect {
  readonly separator: ":" | "=";
  /** The offset behind blanks and comments. */
  trivia(text: string, at: number): number;
  /** The comments that end a line, and nothing else; sticky not, anchored at the start of what it is given. */
  readonly commentsOfLine: RegExp;
  readonly lineComment: RegExp;
  scalar(text: string, at: number): number;
  key(text: string, at: number): { readonly end: number; readonly key: string };
  writeKey(key: string): string;
  writeScalar(value: null | boolean | number | string): string;
  /** Whether a comma may stand behind the last entry of such a box. */
  trailingComma(is: "map" | "list"): boolean;
  fail(text: string, at: number, message: string): Error;
  duplicate(text: string, at: number, key: string): Error;
}

/** A slot for a value alone, such as the top of a JSON text or the value of a TOML pair. */
export function slotOf(value: FlowValue): FlowSlot {
  return { lead: "", rawKey: "", key: "", colon: "", value, gap: "", comma: false, after: "" };
}

/** The entry of a map by its key. */
export function slotByKey(box: FlowBox, key: string): FlowSlot | undefined {
  box.index ??= new Map(box.slots.map((slot) => [slot.key, slot]));
  return box.index.get(key);
}

/** The text of a value, as it was and with the edits in it. */
export function writeFlow(value: FlowValue): string {
  if (value.is === "scalar") return value.raw;
  // Joined as it goes: a list of all the pieces of a large text costs more than the text.
  let text = value.is === "map" ? "{" : "[";
  for (const slot of value.slots) {
    text += slot.lead + slot.rawKey + slot.colon + writeFlow(slot.value) + slot.gap;
    if (slot.comma) text += ",";
    text += slot.after;
  }
  return text + value.tail + (value.is === "map" ? "}" : "]");
}

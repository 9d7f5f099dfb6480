import { indentOf } from "../text.ts";
import type { FlowBox, FlowDialect, FlowSlot, FlowValue } from "./flow.ts";

/** Deeper texts would exhaust the stack of the parsers that read them after us, too. */
const deepest = 500;

/** Reads one bracketed or scalar value at an offset. Throws the dialect's FormatError, also for a key that stands twice. */
export function parseFlow(text: string, at: number, dialect: FlowDialect): { readonly value: FlowValue; readonly end: number } {
  let position = at;
  let lineStart = text.lastIndexOf("\n", at - 1) + 1;
  let newline = text.indexOf("\n", at);

  const value = read(0);
  return { value, end: position };

  /** Keeps the start of the current line, so that a box knows its indent without a search backwards. */
  function indentHere(): string {
    while (newline !== -1 && newline < position) {
      lineStart = newline + 1;
      newline = text.indexOf("\n", lineStart);
    }
    return indentOf(text.slice(lineStart, Math.min(position, lineStart + 400)));
  }

  function trivia(): string {
    const start = position;
    position = dialect.trivia(text, position);
    return text.slice(start, position);
  }

  function read(depth: number): FlowValue {
    if (depth > deepest) throw dialect.fail(text, position, `values are nested more than ${deepest} deep`);
    const char = text[position];
    if (char === "{" || char === "[") return readBox(char === "{" ? "map" : "list", depth);
    const start = position;
    position = dialect.scalar(text, position);
    return { is: "scalar", raw: text.slice(start, position), at: start };
  }

  function readBox(is: "map" | "list", depth: number): FlowBox {
    const close = is === "map" ? "}" : "]";
    const slots: FlowSlot[] = [];
    const box: FlowBox = { is, slots, index: is === "map" ? new Map() : undefined, tail: "", indent: indentHere(), at: position };
    position += 1;
    let lead = trivia();
    while (text[position] !== close) {
      const slot = readSlot(box, lead, depth);
      const between = trivia();
      if (text[position] === ",") {
        slot.gap = between;
        slot.comma = true;
        position += 1;
        lead = splitComment(slot, trivia());
        if (text[position] === close && !dialect.trailingComma(is))
          throw dialect.fail(text, position, "a comma stands behind the last entry");
      } else if (text[position] === close) {
        lead = splitComment(slot, between);
      } else {
        throw dialect.fail(
          text,
          position,
          position >= text.length ? `a "${close}" is missing at the end` : `a comma or "${close}" is missing`,
        );
      }
    }
    position += 1;
    box.tail = lead;
    return box;
  }

  function readSlot(box: FlowBox, lead: string, depth: number): FlowSlot {
    if (position >= text.length) throw dialect.fail(text, position, "a bracket is not closed");
    let key = "";
    let rawKey = "";
    let colon = "";
    if (box.is === "map") {
      const start = position;
      const found = dialect.key(text, position);
      key = found.key;
      if (box.index?.has(key)) throw dialect.duplicate(text, start, key);
      rawKey = text.slice(start, found.end);
      position = found.end;
      trivia();
      if (text[position] !== dialect.separator) throw dialect.fail(text, position, `a "${dialect.separator}" is missing behind the key`);
      position += 1;
      trivia();
      colon = text.slice(found.end, position);
    }
    const slot: FlowSlot = { lead, rawKey, key, colon, value: read(depth + 1), gap: "", comma: false, after: "" };
    box.slots.push(slot);
    box.index?.set(key, slot);
    return slot;
  }

  /** A comment that ends the line of an entry belongs to that entry, not to the next one. */
  function splitComment(slot: FlowSlot, between: string): string {
    if (!dialect.lineComment.test(between) && !between.includes("/*")) return between;
    const found = dialect.commentsOfLine.exec(between)?.[0] ?? "";
    if (found.trim() === "") return between;
    slot.after = found;
    return between.slice(found.length);
  }
}

/** A part of a text: literal, or the inside of `${{ … }}` with its offset in the text. */
export type Part = { readonly literal: string } | { readonly expression: string; readonly offset: number };

export type Scanned = { readonly ok: true; readonly parts: readonly Part[] } | { readonly ok: false; readonly offset: number };

/** Whether a text may hold an expression or an escaped one. */
export function mayHoldExpression(text: string): boolean {
  return text.includes("${{");
}

/** Splits a text at its expressions. `$${{` is a literal `${{`. Fails at a `${{` that does not end. */
export function scan(text: string): Scanned {
  const parts: Part[] = [];
  let literal = "";
  let at = 0;
  for (;;) {
    const start = text.indexOf("${{", at);
    if (start < 0) break;
    if (start > at && text[start - 1] === "$") {
      literal += `${text.slice(at, start - 1)}\${{`;
      at = start + 3;
      continue;
    }
    const end = endOfExpression(text, start + 3);
    if (end < 0) return { ok: false, offset: start };
    literal += text.slice(at, start);
    if (literal !== "") parts.push({ literal });
    literal = "";
    parts.push({ expression: text.slice(start + 3, end), offset: start + 3 });
    at = end + 2;
  }
  literal += text.slice(at);
  if (literal !== "" || parts.length === 0) parts.push({ literal });
  return { ok: true, parts };
}

/** The offset of the `}}` that ends an expression: not one within quotes, nor of a map within the expression. */
function endOfExpression(text: string, from: number): number {
  let braces = 0;
  for (let at = from; at < text.length; at++) {
    const letter = text[at];
    if (letter === "'" || letter === '"') {
      at = endOfQuote(text, at);
      if (at < 0) return -1;
    } else if (letter === "{") braces += 1;
    else if (letter === "}") {
      if (braces > 0) braces -= 1;
      else return text[at + 1] === "}" ? at : -1;
    }
  }
  return -1;
}

function endOfQuote(text: string, from: number): number {
  const quote = text[from] ?? "";
  const triple = text.startsWith(quote.repeat(3), from);
  const end = triple ? quote.repeat(3) : quote;
  for (let at = from + end.length; at < text.length; at++) {
    if (text[at] === "\\") at += 1;
    else if (text.startsWith(end, at)) return at + end.length - 1;
  }
  return -1;
}

import type { FormatJson } from "../format.ts";

const simpleEscapes: Readonly<Record<string, string>> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\u001b", '"': '"', "\\": "\\" };

/** The text that a quoted TOML string stands for. The raw string must be well formed. */
export function decodeTomlString(raw: string): string {
  const long = raw.startsWith('"""') || raw.startsWith("'''");
  const inner = long ? raw.slice(3, -3).replace(/^\r?\n/, "") : raw.slice(1, -1);
  if (raw.startsWith("'")) return inner;
  return inner.replace(/\\(?:[ \t]*\r?\n[ \t\r\n]*|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)/gs, (sequence) => {
    const code = sequence[1] ?? "";
    if (sequence.length > 3 && "uUx".includes(code)) return String.fromCodePoint(Number.parseInt(sequence.slice(2), 16));
    return simpleEscapes[code] ?? "";
  });
}

/** A scalar as JSON. Dates and times are their text. */
export function decodeTomlScalar(raw: string): FormatJson {
  if (raw.startsWith('"') || raw.startsWith("'")) return decodeTomlString(raw);
  if (raw === "true") return true;
  if (raw === "false") return false;
  const plain = raw.replaceAll("_", "");
  if (/^0[xob]/.test(plain)) return Number(plain);
  if (/^[+-]?\d+$/.test(plain) || /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(plain)) return Number(plain);
  if (/^[+-]?inf$/.test(plain)) return plain.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/.test(plain)) return Number.NaN;
  return raw;
}

/** A scalar as TOML; `quote` is how the string before it stood. TOML has no null. */
export function encodeTomlScalar(value: boolean | number | string, quote: string = '"'): string {
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    // Beyond 64 bits an integer is no TOML integer, a float is.
    if (Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER) return value.toExponential();
    return String(value);
  }
  if (quote.startsWith("'") && !/['\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) return `'${value}'`;
  if (quote.length === 3 && value.includes("\n") && !/[\u0000-\u0009\u000b-\u001f\u007f]/.test(value)) {
    return `"""\n${value.replaceAll("\\", "\\\\").replaceAll('"""', '""\\"').replace(/"$/, '\\"')}"""`;
  }
  return JSON.stringify(value).replace(/\u007f/g, "\\u007f");
}

/** A key as TOML: bare where it can be. */
export function encodeTomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key).replace(/\u007f/g, "\\u007f");
}

/** The parts of a dotted key at an offset, and the offset behind it; undefined where no key stands. */
export function readTomlKey(text: string, at: number): { readonly end: number; readonly keys: readonly string[] } | undefined {
  const part = /"(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*'|[A-Za-z0-9_-]+/y;
  const dot = /[ \t]*\.[ \t]*/y;
  const keys: string[] = [];
  let end = at;
  for (;;) {
    part.lastIndex = end;
    const raw = part.exec(text)?.[0];
    if (raw === undefined) return undefined;
    keys.push(raw.startsWith('"') || raw.startsWith("'") ? decodeTomlString(raw) : raw);
    end = part.lastIndex;
    dot.lastIndex = end;
    if (!dot.test(text)) return { end, keys };
    end = dot.lastIndex;
  }
}

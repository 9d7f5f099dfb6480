/** Thrown where a text leaves what is read here. */
export const notPlain = new Error("not plain YAML");
/** The keys of one map: few are looked through, many are hashed. */
export class Keys {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** False where the key was there. */
  add(key: string): boolean {
    if (this.#many === undefined) {
      if (this.#few.includes(key)) return false;
      this.#few.push(key);
      if (this.#few.length > 12) this.#many = new Set(this.#few);
      return true;
    }
    if (this.#many.has(key)) return false;
    this.#many.add(key);
    return true;
  }
}

/** Letters and `_`; further on also digits, `-`, `.` and `/`. */
export function isKeyLetter(code: number, first: boolean): boolean {
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95) return true;
  return !first && code >= 45 && code <= 57;
}

/** A plain scalar's value by the core schema of YAML 1.2. */
export function resolve(text: string): null | boolean | number | string {
  if (text.length > 5 && !/^[-+.0-9]/.test(text)) return text;
  switch (text) {
    case "~":
    case "null":
    case "Null":
    case "NULL":
      return null;
    case "true":
    case "True":
    case "TRUE":
      return true;
    case "false":
    case "False":
    case "FALSE":
      return false;
  }
  if (!/^[-+.0-9]/.test(text)) return text;
  if (/^-?(?:\d{1,15}|\d{1,9}\.\d{1,6})$/.test(text)) return Number(text);
  // Octal, hexadecimal, exponents, infinities and long numbers are rare: the library reads them.
  if (/^[-+]?(?:\.?\d[\d.eE+-]*|0[xo][\da-fA-F]*|\.(?:inf|nan|Inf|NaN|INF|NAN))$/.test(text) && !/^\d+(?:\.\d+){2,}$/.test(text))
    throw notPlain;
  return text;
}

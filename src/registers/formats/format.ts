/** A value as the formats give and take it: plain JSON, read-only. */
export type FormatJson = null | boolean | number | string | readonly FormatJson[] | FormatMap;

/** A map of a format; keys such as `__proto__` are plain data in it. */
export type FormatMap = { readonly [key: string]: FormatJson };

/** One step of a key path: a map key, a list index, or the list entry whose field `key` equals `value` ([name=web]). */
export type KeyStep = string | number | { readonly key: string; readonly value: string };

/** The way from the top of a text to one value; empty for the whole. */
export type KeyPath = readonly KeyStep[];

/** One wish: a value at a path, or nothing at a path. */
export type Edit = { readonly set: KeyPath; readonly value: FormatJson } | { readonly unset: KeyPath };

/** A text cannot be parsed, or an edit cannot be made in it. `mend` says what the user can do. */
export class FormatError extends Error {
  override readonly name = "FormatError";
  /** Counted from 1; 0 where the error has no place in the text. */
  readonly line: number;
  /** Counted from 1; 0 where the error has no place in the text. */
  readonly column: number;
  readonly mend: string;

  constructor(message: string, at: { readonly line: number; readonly column: number }, mend: string) {
    super(message);
    this.line = at.line;
    this.column = at.column;
    this.mend = mend;
  }
}

/**
 * Reads and edits one textual format, text to text.
 *
 * Formats without types (ini, env, properties, xml) hold text: a number or boolean that is set reads back as its text.
 */
export interface ConfigFormat {
  readonly name: string;
  readonly suffixes: readonly string[];
  /** The value at the path as JSON, undefined when absent; throws FormatError when the text does not parse. */
  get(text: string, path: KeyPath): FormatJson | undefined;
  /**
   * The text with the edits made; every other byte stays as it was, and an edit already satisfied changes nothing.
   * Throws FormatError when the text does not parse or an edit is impossible.
   */
  edit(text: string, edits: readonly Edit[]): string;
}

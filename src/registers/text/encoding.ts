import { isUtf8 } from "node:buffer";
import { refused, type TextProblem } from "./text-result.ts";

/** How the bytes of a file spell its text. */
export type Encoding = "utf8" | "utf16le" | "utf16be" | "latin1";

/**
 * The text of a file, with all that is needed to write it back in the same encoding.
 *
 * | encoding | when | `bom` |
 * | --- | --- | --- |
 * | utf8 | the bytes are valid UTF-8 | whether EF BB BF came first; it is not in `text` |
 * | utf16le, utf16be | a byte order mark and an even length | always true; it is not in `text` |
 * | latin1 | all else: one character a byte, so that no byte is lost | false |
 *
 * `binary` says that the text holds a NUL: no line of it should be edited.
 */
export type TextFile = {
  readonly text: string;
  readonly encoding: Encoding;
  readonly bom: boolean;
  readonly binary: boolean;
};

/** Reads bytes as text. Never fails, and `encode(decode(bytes))` gives the same bytes for every input. */
export function decode(bytes: Uint8Array): TextFile {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = decodeUtf16(buffer);
  if (wide !== undefined) return wide;
  if (!isUtf8(buffer)) return found(buffer.toString("latin1"), "latin1", false);
  const bom = buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf;
  return found(buffer.toString("utf8", bom ? 3 : 0), "utf8", bom);
}

/** Spells text in its own encoding. What `encodingProblem` complains about would be lost: ask it first. */
export function encode(file: TextFile): Buffer {
  switch (file.encoding) {
    case "utf8":
      return Buffer.from(file.bom ? `\ufeff${file.text}` : file.text, "utf8");
    case "utf16le":
      return Buffer.from(`\ufeff${file.text}`, "utf16le");
    case "utf16be":
      return Buffer.from(`\ufeff${file.text}`, "utf16le").swap16();
    case "latin1":
      return Buffer.from(file.text, "latin1");
  }
}

/** Says which character of an edited text has no place in the file's encoding; undefined when all have. */
export function encodingProblem(file: TextFile): TextProblem | undefined {
  const foreign = file.encoding === "latin1" ? /[\u{100}-\u{10ffff}]/u : file.encoding === "utf8" ? /\p{Surrogate}/u : undefined;
  const at = foreign === undefined ? -1 : file.text.search(foreign);
  if (at === -1) return undefined;
  const point = file.text.codePointAt(at) ?? 0;
  const line = file.text.slice(0, at).split("\n").length;
  return refused(
    "a character has no place in the file's encoding",
    `Line ${line} would hold ${file.encoding === "latin1" ? `"${String.fromCodePoint(point)}" ` : ""}(U+${point.toString(16).toUpperCase().padStart(4, "0")}), ` +
      (file.encoding === "latin1"
        ? "but the file is not UTF-8 and is kept as Latin-1. Convert the file to UTF-8, or write that text with other characters."
        : "which is half of a character. Write the whole character."),
  );
}

function found(text: string, encoding: Encoding, bom: boolean): TextFile {
  return { text, encoding, bom, binary: text.includes("\0") };
}

function decodeUtf16(buffer: Buffer): TextFile | undefined {
  if (buffer.length < 2 || buffer.length % 2 !== 0) return undefined;
  const mark = buffer.readUInt16BE(0);
  if (mark !== 0xfffe && mark !== 0xfeff) return undefined;
  const text = mark === 0xfffe ? buffer.toString("utf16le", 2) : Buffer.from(buffer).swap16().toString("utf16le", 2);
  // FF FE 00 00 begins UTF-32, and a NUL in UTF-16 is no text either: both are left to the bytes.
  return text.includes("\0") ? undefined : found(text, mark === 0xfffe ? "utf16le" : "utf16be", true);
}

/**
 * Names of files are bytes. Where they are no UTF-8 each wrong byte stands in our strings as U+DC80 to U+DCFF, as
 * Python's PEP 383 does, so that any name has one string and comes back as the same bytes.
 */
const LONE = /[\udc80-\udcff]/;

/** The form that a system call takes. */
export function toNative(path: string): string | Buffer {
  if (!LONE.test(path)) return path;
  const parts: Buffer[] = [];
  let start = 0;
  for (let index = 0; index < path.length; index++) {
    const unit = path.charCodeAt(index);
    if (unit < 0xdc80 || unit > 0xdcff) continue;
    // The low half of a real pair is in the same range and belongs to the character before it.
    const before = index > 0 ? path.charCodeAt(index - 1) : 0;
    if (before >= 0xd800 && before <= 0xdbff) continue;
    parts.push(Buffer.from(path.slice(start, index)), Buffer.from([unit - 0xdc00]));
    start = index + 1;
  }
  parts.push(Buffer.from(path.slice(start)));
  return Buffer.concat(parts);
}

/** Our string for the bytes of a name. */
export function fromNative(bytes: Buffer): string {
  const plain = bytes.toString("utf8");
  if (!plain.includes("\ufffd")) return plain;
  let text = "";
  let index = 0;
  while (index < bytes.length) {
    const length = characterLength(bytes, index);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[index] as number));
      index += 1;
    } else {
      text += bytes.toString("utf8", index, index + length);
      index += length;
    }
  }
  return text;
}

/** How many bytes the well-formed UTF-8 character at a place has; 0 where none is well-formed there. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  const length =
    first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (length <= 1) return length;
  const slice = bytes.subarray(at, at + length);
  if (slice.length < length) return 0;
  return Buffer.from(slice.toString("utf8"), "utf8").equals(slice) ? length : 0;
}

import { type Change, type Digest, isKeyed, type State, SystemFault } from "../core/index.ts";
import { type Differ, type DiffLine, linesOf, unifiedDiff, wholeText } from "./line-diff.ts";
import type { Look } from "./style.ts";
import { bytes, count } from "./words.ts";

/** What a change does to a content: words for a line of its own, and lines of a diff. Lines are raw and not folded. */
export interface ContentChange {
  readonly words?: string;
  readonly lines: readonly DiffLine[];
}

/** A content above this is not decoded for a diff. */
const tooLarge = 4 * 1024 * 1024;

type Seen =
  | { readonly is: "text"; readonly text: string; readonly size: number }
  | { readonly is: "binary" | "large"; readonly size: number }
  | { readonly is: "gone" };

/** The digest that a state names as its content. */
export function contentOf(state: State): Digest | undefined {
  return typeof state.content === "string" && /^(?:[0-9a-f]{64}$|keyed:)/.test(state.content) ? (state.content as Digest) : undefined;
}

/**
 * Whether a change's content must not be shown: declared, known to hold a secret, or in a file that others may not read,
 * which `sensitive: false` lifts.
 */
export function isSensitive(change: Change, look: Look): boolean {
  if (change.manner?.sensitive === true) return true;
  const states = [change.before, change.after];
  for (const state of states) {
    const digest = contentOf(state);
    if (digest !== undefined && (isKeyed(digest) || look.sensitive(digest))) return true;
  }
  if (change.manner?.sensitive === false) return false;
  return states.some((state) => state.is === "file" && typeof state.mode === "number" && (state.mode & 0o004) === 0);
}

/** Whether both ends have a content and they differ, so that a diff is worth loading the library. */
export function needsDiffer(change: Change): boolean {
  const before = contentOf(change.before);
  const after = contentOf(change.after);
  return before !== undefined && after !== undefined && before !== after;
}

/** What becomes of the content; undefined where it stays or there is none. Reads contents, so not for folded changes. */
export function contentChange(change: Change, look: Look, differ: Differ | undefined): ContentChange | undefined {
  const before = contentOf(change.before);
  const after = contentOf(change.after);
  if (before === after) return undefined;
  // Left out is free: the state that should be does not say a content, so it is kept.
  if (after === undefined && change.after.is === change.before.is) return undefined;
  if (isSensitive(change, look)) {
    return {
      words:
        before === undefined
          ? "content set (sensitive)"
          : after === undefined
            ? "content removed (sensitive)"
            : "content changed (sensitive)",
      lines: [],
    };
  }
  if (before === undefined && after !== undefined) return wholeChange(see(look, after), "add");
  if (after === undefined && before !== undefined) return wholeChange(see(look, before), "drop");
  if (before === undefined || after === undefined) return undefined;
  const left = see(look, before);
  const right = see(look, after);
  if (left.is === "text" && right.is === "text" && differ) return { lines: unifiedDiff(left.text, right.text, differ) };
  if (left.is === "gone" || right.is === "gone") return { words: "content changed (it cannot be read any more to be shown)", lines: [] };
  const kind =
    left.is === right.is ? (left.is === "binary" ? "binary content" : "content") : `content (${left.is} before, ${right.is} after)`;
  return { words: `${kind} changed, ${bytes(left.size)} before, ${bytes(right.size)} after`, lines: [] };
}

function wholeChange(seen: Seen, is: "add" | "drop"): ContentChange {
  switch (seen.is) {
    case "gone":
      return { words: "content (it cannot be read any more to be shown)", lines: [] };
    case "binary":
      return { words: `binary content, ${bytes(seen.size)}`, lines: [] };
    case "large":
      return { words: `content, ${bytes(seen.size)}`, lines: [] };
    case "text":
      if (seen.size === 0) return { words: "empty", lines: [] };
      return { words: `content, ${count(linesOf(seen.text).length, "line")}, ${bytes(seen.size)}`, lines: wholeText(seen.text, is) };
  }
}

function see(look: Look, digest: Digest): Seen {
  try {
    const size = look.contents.size(digest);
    if (size !== undefined && size > tooLarge) return { is: "large", size };
    const found = look.contents.bytes(digest);
    if (found.length > tooLarge) return { is: "large", size: found.length };
    if (found.subarray(0, 8192).includes(0)) return { is: "binary", size: found.length };
    return { is: "text", text: decode(found), size: found.length };
  } catch (thrown) {
    if (thrown instanceof SystemFault) return { is: "gone" };
    throw thrown;
  }
}

/** UTF-8; bytes of another encoding become U+DC80 to U+DCFF, which are shown as \xNN. */
function decode(found: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(found);
  } catch {
    // Not UTF-8: an old encoding, of which only ASCII is certain.
    return found.toString("latin1").replace(/[\x80-\xff]/g, (character) => String.fromCharCode(0xdc00 + character.charCodeAt(0)));
  }
}

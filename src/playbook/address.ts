import { type Address, namedResults, sha256 } from "../core/index.ts";

/** `type:name`, or with an id `type:id`; a key of a for_each stands behind it, else the tag that tells it from others. */
export function addressOf(
  type: string,
  parts: { readonly name: string; readonly id?: string; readonly key?: string; readonly tag?: string },
): Address {
  const name = oneLine(parts.name);
  if (parts.id !== undefined) return `${type}:${parts.id}${parts.key === undefined ? "" : `[${parts.key}]`}` as Address;
  return `${type}:${name}${parts.tag === undefined || parts.tag === "" ? "" : `#${shortTag(parts.tag)}`}` as Address;
}

/** A tag of at most 40 characters: a longer one is cut and told from others by its digest. */
export function shortTag(tag: string): string {
  const line = oneLine(namedResults(tag));
  const letters = [...line];
  return letters.length <= 40 ? line : `${letters.slice(0, 33).join("")}~${sha256(tag).slice(0, 6)}`;
}

/** An address stands in tables and logs, so that it has no line ends. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}

/** Whether an address text is a pattern. */
export function isGlob(pattern: string): boolean {
  return pattern.includes("*");
}

/**
 * Whether an address is meant by a text: the address itself; `type:name` or `type:id` alone for all with a tag or key behind it;
 * or a glob, in which `*` stands for anything but `/`, and `**` (or a `*` that is the whole name, or the whole text) for anything.
 */
export function addressMatcher(pattern: string): (address: string) => boolean {
  if (!isGlob(pattern))
    return (address) => address === pattern || (address.startsWith(pattern) && /^(#|\[[^\]]*\]$)/.test(address.slice(pattern.length)));
  const source = pattern
    .replace(/^(|[^:*]+:)\*$/, "$1**")
    .split(/(\*+)/)
    .map((part) => (/^\*\*/.test(part) ? "[^]*" : part === "*" ? "[^/]*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")))
    .join("");
  const whole = new RegExp(`^${source}(?:#[^]*|\\[[^\\]]*\\])?$`);
  return (address) => whole.test(address);
}

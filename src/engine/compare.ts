import { type Digest, isKeyed, type Json, type State, sameJson } from "../core/index.ts";

/** The fingerprint of a content that is known by its plain digest; needs its bytes. */
export type Fingerprint = (digest: Digest) => Digest;

/** Fields that are for people: how many names a file has changes with every other name of it. */
const TOLD: ReadonlySet<string> = new Set(["links"]);

/** What begins with it only helps to set a register. */
const HINT = "~";

/**
 * Whether a state found is the one expected. Left out is free: what `expected` does not say is not compared. A content
 * that stands as a fingerprint is compared with the fingerprint of what was found.
 */
export function matches(found: State, expected: State, fingerprint: Fingerprint): boolean {
  if (found === expected) return true;
  for (const key of Object.keys(expected)) {
    const wanted = expected[key];
    const actual = found[key];
    if (wanted === actual || wanted === undefined || TOLD.has(key) || key.startsWith(HINT)) continue;
    if (!sameValue(actual, wanted, fingerprint)) return false;
  }
  return true;
}

function sameValue(actual: Json | undefined, wanted: Json, fingerprint: Fingerprint): boolean {
  if (typeof actual === "string" && typeof wanted === "string") {
    if (isKeyed(wanted) && /^[0-9a-f]{64}$/.test(actual)) return fingerprint(actual as Digest) === wanted;
    if (isKeyed(actual) && /^[0-9a-f]{64}$/.test(wanted)) return fingerprint(wanted as Digest) === actual;
    return false;
  }
  return sameJson(actual, wanted);
}

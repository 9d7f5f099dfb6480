import { hash } from "node:crypto";
import type { Digest } from "./names.ts";

/** sha256 of bytes or of a text's UTF-8, as 64 hex digits. */
export function sha256(bytes: Uint8Array | string): Digest {
  return hash("sha256", bytes, "hex") as Digest;
}

/** Whether a digest is a fingerprint under the state directory's key, and so says nothing about the content. */
export function isKeyed(digest: string): boolean {
  return digest.startsWith("keyed:");
}

/** The digest of the empty content. */
export const emptyDigest = sha256("");

import { createHash } from "node:crypto";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * An effect's idempotency key (reliability.md §8): from what is declared, never from the run or the clock, so that a resume,
 * and an apply next week, send the same. `generation`: how often it was compensated to the end.
 */
export function effectKey(stack: string, address: string, occurrence: string, generation: number, undo = false): string {
  const parts = ["setpoint/effect/1", stack, address, occurrence, String(generation), ...(undo ? ["/undo"] : [])];
  const hash = createHash("sha256");
  // Each with its length, so that no two lists of parts have one text.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return `sp1_${base32(hash.digest()).slice(0, 32)}`;
}

/**
 * The key of a participant of a two-phase transaction that takes idempotency keys: from its name and how often it was tried, as one
 * that was cancelled is known under its key for good.
 */
export function participantKey(gid: string, attempt: number): string {
  return effectKey("setpoint/participant/1", gid, String(attempt), 0);
}

/** RFC 4648 §6, in lower case and without padding. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
      value &= (1 << bits) - 1;
    }
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

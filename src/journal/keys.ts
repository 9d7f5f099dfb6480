import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto";
import type { Digest } from "../core/index.ts";

/** What is derived from a state directory's 32 secret bytes. */
export interface Keys {
  /** The fingerprint of a sensitive content: its plain digest could be guessed from a short secret. */
  fingerprint(bytes: Uint8Array | string): Digest;
  /** AES-256-GCM: 12 bytes of nonce, the text, 16 bytes of tag. The same for the same text. */
  seal(bytes: Uint8Array): Buffer;
  /** Throws where the bytes were not sealed with this key or are damaged. */
  open(sealed: Uint8Array): Buffer;
  /** The beginning of the names of a run's temp files, unguessable to others. */
  tempPrefix(run: string): string;
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(value >> bits) & 31];
    }
  }
  return text;
}

export function keysFrom(secret: Uint8Array): Keys {
  const derive = (name: string) => Buffer.from(hkdfSync("sha256", secret, "", `setpoint/1/${name}`, 32));
  const digestKey = derive("digest");
  const blobKey = derive("blob");
  const nonceKey = derive("nonce");
  const tempKey = derive("temp");
  return {
    fingerprint: (bytes) => `keyed:${createHmac("sha256", digestKey).update(bytes).digest("hex")}` as Digest,
    seal(bytes) {
      // Worked out from the text, so that the same plan has the same bytes; two texts never share one.
      const nonce = createHmac("sha256", nonceKey).update(bytes).digest().subarray(0, 12);
      const cipher = createCipheriv("aes-256-gcm", blobKey, nonce);
      return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed) {
      const decipher = createDecipheriv("aes-256-gcm", blobKey, sealed.subarray(0, 12));
      decipher.setAuthTag(sealed.subarray(sealed.length - 16));
      return Buffer.concat([decipher.update(sealed.subarray(12, sealed.length - 16)), decipher.final()]);
    },
    tempPrefix: (run) => `.${base32(createHmac("sha256", tempKey).update(run).digest()).slice(0, 16)}`,
  };
}

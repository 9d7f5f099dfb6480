import type { Digest } from "./names.ts";

/** Contents by digest. */
export interface Contents {
  /** Decoded text; throws SystemFault when the bytes cannot be had (its file moved since it was read). */
  text(digest: Digest): string;
  /** Throws like `text`. */
  bytes(digest: Digest): Buffer;
  put(bytes: Uint8Array | string): Digest;
  /** The length in bytes, where it is known without reading. */
  size(digest: Digest): number | undefined;
}

/** What stands at a path, as a reading gives it. */
export type PathSight =
  | { readonly is: "absent" }
  | FileSight
  | { readonly is: "directory"; readonly mode: number; readonly owner: string; readonly group: string }
  | { readonly is: "symlink"; readonly to: string; readonly owner?: string; readonly group?: string }
  | { readonly is: "other"; readonly what: "fifo" | "socket" | "block device" | "character device" };

export interface FileSight {
  readonly is: "file";
  readonly content: Digest;
  readonly size: number;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  /** Number of names of the file, where it is more than one. */
  readonly links?: number;
}

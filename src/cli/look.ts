import type { Digest } from "../core/index.ts";
import type { Vault } from "../engine/index.ts";
import type { Look } from "../report/index.ts";
import type { ContentStore } from "../system/index.ts";

/** What reports may see of contents: all but what is hidden. */
export function lookOf(contents: ContentStore, vault: Vault): Look {
  return { contents, sensitive: (digest) => vault.isHidden(digest as Digest) };
}

import { canonicalJson, type Digest, isKeyed, type Json, SystemFault, sha256 } from "../core/index.ts";
import { PACK_LIMIT } from "../journal/index.ts";
import { readWhole } from "../system/index.ts";
import type { Work } from "./work.ts";

/** Keeps contents that the run sets: small ones in the pack, large or sensitive ones as blobs. Durable with the pack's next flush. */
export function keepAfter(work: Pick<Work, "tools" | "folder">, digests: readonly Digest[]): void {
  const { contents, vault, state } = work.tools;
  for (const digest of digests) {
    if (isKeyed(digest)) {
      // A saved plan has it sealed in itself; whoever resumes the run has only the state directory.
      if (!state.blobs.hasDurably(digest)) state.blobs.put(digest, contents.bytes(digest));
      continue;
    }
    const name = vault.nameOf(digest);
    const path = contents.pathOf(digest);
    const size = contents.size(digest) ?? 0;
    if (isKeyed(name)) state.blobs.put(name, contents.bytes(digest));
    else if (size < PACK_LIMIT) work.folder.after.add(digest, contents.bytes(digest));
    else if (path !== undefined) state.blobs.keepFile(digest, path, size);
    else state.blobs.put(digest, contents.bytes(digest));
  }
}

/** Keeps what stands at a path and is about to go. */
export function keepBefore(work: Work, digest: Digest, path: string, size: number): void {
  const { contents, vault, state, system } = work.tools;
  const name = vault.nameOf(digest);
  if (isKeyed(name)) {
    if (!state.blobs.hasDurably(name)) state.blobs.put(name, contents.bytes(digest));
    return;
  }
  if (work.folder.before.has(digest) || work.folder.after.has(digest)) return;
  if (size >= PACK_LIMIT) {
    state.blobs.keepFile(digest, path, size);
    return;
  }
  const bytes = readWhole(system.files, path);
  if (bytes === undefined || sha256(bytes) !== digest) throw new SystemFault("moved", `${path} was changed by somebody else just now`);
  work.folder.before.add(digest, bytes);
}

/** Keeps what another machine holds and is about to go. */
export function keepRemote(work: Work, digest: Digest): void {
  const { contents, vault, state } = work.tools;
  const name = vault.nameOf(digest);
  if (isKeyed(name) ? state.blobs.hasDurably(name) : work.folder.before.has(digest) || work.folder.after.has(digest)) return;
  const bytes = contents.bytes(digest);
  if (isKeyed(name) || bytes.length >= PACK_LIMIT) state.blobs.put(name, bytes);
  else work.folder.before.add(digest, bytes);
}

/** Keeps what another machine answered, as a blob that nobody can read without the state directory's key: it may hold anything. */
export function keepAnswer(work: Work, answer: Json): Digest {
  const { contents, vault, state } = work.tools;
  const digest = contents.put(canonicalJson(answer));
  vault.hide(digest);
  const name = vault.nameOf(digest);
  state.blobs.put(name, contents.bytes(digest));
  return name;
}

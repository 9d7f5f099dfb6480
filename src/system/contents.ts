import { type Contents, type Digest, SystemFault, sha256 } from "../core/index.ts";

/** Bytes kept in memory before contents are read again from where they came. */
const KEPT_LIMIT = 64 << 20;

/**
 * Contents by digest: in memory while they are few, else by their origin, whose bytes must still have the digest.
 */
export class ContentStore implements Contents {
  private readonly kept = new Map<string, Buffer>();
  private readonly paths = new Map<string, string>();
  /** Further files that held the same content: the first may be written to while another is still needed. */
  private readonly others = new Map<string, Set<string>>();
  private readonly sizes = new Map<string, number>();
  private readonly sources: ((digest: Digest) => Buffer | undefined)[] = [];
  private readonly places: ((digest: Digest) => string | undefined)[] = [];
  private room = KEPT_LIMIT;
  private readonly readFile: (path: string) => Buffer | undefined;

  /** `readFile` gives a file's bytes, or undefined where it is gone. */
  constructor(readFile: (path: string) => Buffer | undefined) {
    this.readFile = readFile;
  }

  /** Asks a pack or blob store for what is not known here. */
  addSource(source: (digest: Digest) => Buffer | undefined): void {
    this.sources.push(source);
  }

  /** Asks for the file of a blob store that holds a content as it is, so that a large one can be copied piece by piece. */
  addPlace(place: (digest: Digest) => string | undefined): void {
    this.places.push(place);
  }

  /** A file to copy a content from, where it is not kept in memory. */
  fileOf(digest: Digest): string | undefined {
    if (this.kept.has(digest)) return undefined;
    for (const place of this.places) {
      const path = place(digest);
      if (path !== undefined) return path;
    }
    return this.paths.get(digest);
  }

  put(bytes: Uint8Array | string): Digest {
    const digest = sha256(bytes);
    if (this.kept.has(digest)) return digest;
    const copy = Buffer.from(bytes as Uint8Array);
    // What was made here has no other origin: it is kept whatever the room.
    this.kept.set(digest, copy);
    this.room -= copy.length;
    return digest;
  }

  /** Remembers that a file held this content; keeps a copy of small ones while there is room. */
  learn(digest: Digest, path: string, bytes: Buffer | undefined, size: number): void {
    if (this.kept.has(digest)) return;
    if (bytes !== undefined && bytes.length <= this.room && bytes.length <= 1 << 20) {
      this.kept.set(digest, Buffer.from(bytes));
      this.room -= bytes.length;
    } else {
      this.note(digest, path, size);
    }
  }

  /** Remembers where a content can be had, without reading it. */
  note(digest: Digest, path: string, size: number): void {
    if (this.kept.has(digest)) return;
    const known = this.paths.get(digest);
    if (known === undefined) {
      this.paths.set(digest, path);
      this.sizes.set(digest, size);
    } else if (known !== path) {
      const others = this.others.get(digest);
      if (others) others.add(path);
      else this.others.set(digest, new Set([path]));
    }
  }

  /** The file that held a content when it was read, where that is how it is known. */
  pathOf(digest: Digest): string | undefined {
    return this.kept.has(digest) ? undefined : this.paths.get(digest);
  }

  size(digest: Digest): number | undefined {
    return this.kept.get(digest)?.length ?? this.sizes.get(digest);
  }

  bytes(digest: Digest): Buffer {
    const kept = this.kept.get(digest);
    if (kept) return kept;
    const path = this.paths.get(digest);
    for (const one of path === undefined ? [] : [path, ...(this.others.get(digest) ?? [])]) {
      const bytes = this.readQuietly(one);
      if (bytes && sha256(bytes) === digest) return bytes;
    }
    for (const source of this.sources) {
      const bytes = source(digest);
      if (bytes) return bytes;
    }
    throw new SystemFault(
      "content-moved",
      path === undefined ? `the content ${digest} is nowhere to be had` : `${path} changed while it was read`,
    );
  }

  /** Where something else stands at the path by now, its content is looked for elsewhere. */
  private readQuietly(path: string): Buffer | undefined {
    try {
      return this.readFile(path);
    } catch (thrown) {
      if (!(thrown instanceof SystemFault)) throw thrown;
      return undefined;
    }
  }

  text(digest: Digest): string {
    return this.bytes(digest).toString("utf8");
  }
}

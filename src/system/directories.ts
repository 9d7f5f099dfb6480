import { errnoOf, type Files, type System, SystemFault } from "../core/index.ts";
import { fault } from "./read-file.ts";

/** Open directories kept from one group to the next. */
const KEPT = 256;

/**
 * Directories held open, so that no part of a path can be swapped for a symlink between a check and a change. Each is
 * reached from `/` one name at a time without following links; what is done in it goes through `/proc/self/fd`.
 */
export class Directories {
  private readonly files: Files;
  private readonly open = new Map<string, number>();
  private readonly pinning: boolean;

  constructor(system: System) {
    this.files = system.files;
    this.pinning = system.host.platform === "linux";
  }

  /** A path for the last name of `path` that goes through its pinned parent. Throws SystemFault that names the bad part. */
  leaf(path: string): string {
    const cut = path.lastIndexOf("/");
    if (!this.pinning) return path;
    return `/proc/self/fd/${this.descriptor(path.slice(0, cut) || "/")}/${path.slice(cut + 1)}`;
  }

  /** The descriptor of an existing directory. */
  descriptor(path: string): number {
    const known = this.open.get(path);
    if (known !== undefined) return known;
    const fd = this.walk(path);
    this.open.set(path, fd);
    return fd;
  }

  private walk(path: string): number {
    if (path === "/" || !this.pinning) return this.enter(path, path);
    const cut = path.lastIndexOf("/");
    const parent = this.descriptor(path.slice(0, cut) || "/");
    return this.enter(`/proc/self/fd/${parent}/${path.slice(cut + 1)}`, path);
  }

  private enter(through: string, path: string): number {
    try {
      return this.files.openDirectory(through);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "ELOOP" || code === "ENOTDIR")
        throw new SystemFault("moved", `${path} is no directory any more, but a link or a file: it was replaced since the plan was made`);
      throw fault(thrown, `entering ${path}`);
    }
  }

  /** Forgets a directory that is removed. */
  forget(path: string): void {
    const fd = this.open.get(path);
    if (fd === undefined) return;
    this.open.delete(path);
    this.files.close(fd);
  }

  /** Between groups, when no path through a descriptor is in use: closes the longest held ones over the limit. */
  trim(keep = KEPT): void {
    for (const [path, fd] of this.open) {
      if (this.open.size <= keep) return;
      this.open.delete(path);
      this.files.close(fd);
    }
  }
}

import type { Disk, Inode } from "../../src/system/simulated/index.ts";

/** What a power cut at this moment would leave at a path for certain; undefined where something of the way there is not durable. */
export function durableAt(disk: Disk, path: string): Inode | undefined {
  let inode = disk.root;
  for (const name of path.split("/")) {
    if (name === "") continue;
    const next = inode.durableEntries.get(name);
    const found = next === undefined ? undefined : disk.inodes.get(next);
    if (found === undefined) return undefined;
    inode = found;
  }
  return inode;
}

/** How many durable names an inode has. */
export function durableNames(disk: Disk, ino: number): number {
  let count = 0;
  for (const inode of disk.inodes.values()) for (const to of inode.durableEntries.values()) if (to === ino) count += 1;
  return count;
}

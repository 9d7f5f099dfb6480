import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { run } from "./machine.ts";

/** Everything that stands below a folder, by relative path, and the dumps of its extended attributes and ACLs. */
export interface Tree {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly xattrs: string;
  readonly acls: string;
}

export interface Entry {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  /** Digest of a file, target of a link. */
  readonly content: string;
  readonly names: number;
  readonly inode: bigint;
  readonly changed: bigint;
}

export function treeOf(root: string): Tree {
  const entries = new Map<string, Entry>();
  const visit = (relative: string): void => {
    const path = relative === "" ? root : `${root}/${relative}`;
    const stat = lstatSync(path, { bigint: true });
    const type = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "symlink" : "other";
    const content =
      type === "file" ? createHash("sha256").update(readFileSync(path)).digest("hex") : type === "symlink" ? readlinkSync(path) : "";
    entries.set(relative, {
      type,
      mode: (Number(stat.mode) & 0o7777).toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      content,
      names: type === "directory" ? 0 : Number(stat.nlink),
      inode: stat.ino,
      changed: stat.mtimeNs,
    });
    if (type === "directory") for (const name of readdirSync(path).sort()) visit(relative === "" ? name : `${relative}/${name}`);
  };
  visit("");
  return {
    entries,
    xattrs: sorted(run(["getfattr", "-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."], { cwd: root }).out),
    acls: sorted(run(["getfacl", "-R", "-P", "-n", "-p", "."], { cwd: root }).out),
  };
}

/** The dump of a folder in the order of names, as readdir's own changes with every rename. */
function sorted(dump: string): string {
  return dump.split("\n\n").sort().join("\n\n");
}

/** What differs between two looks at one tree, a line each. Times and inodes are compared of what `untouched` says was left alone. */
export function differences(before: Tree, after: Tree, untouched: (path: string) => boolean = () => false): readonly string[] {
  const found: string[] = [];
  for (const path of new Set([...before.entries.keys(), ...after.entries.keys()])) {
    const one = before.entries.get(path);
    const other = after.entries.get(path);
    if (one === undefined || other === undefined) {
      found.push(`${path}: ${one === undefined ? "new" : "gone"}`);
      continue;
    }
    for (const field of ["type", "mode", "owner", "content", "names"] as const)
      if (one[field] !== other[field]) found.push(`${path}: ${field} ${one[field]} became ${other[field]}`);
    if (untouched(path) && one.inode !== other.inode) found.push(`${path}: another inode`);
    if (untouched(path) && one.changed !== other.changed) found.push(`${path}: another time`);
  }
  if (before.xattrs !== after.xattrs) found.push(`extended attributes:\n${before.xattrs}\nbecame\n${after.xattrs}`);
  if (before.acls !== after.acls) found.push("ACLs");
  return found;
}

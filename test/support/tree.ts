import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { sha256 } from "../../src/core/index.ts";

/** Everything below a folder by relative path: type, mode, content; what a revert must give back. */
export function snapshot(root: string, skip: ReadonlySet<string> = new Set()): { readonly [path: string]: string } {
  const found: Record<string, string> = {};
  const visit = (folder: string, below: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const relative = below === "" ? name : `${below}/${name}`;
      if (skip.has(relative)) continue;
      const path = `${folder}/${name}`;
      const stat = lstatSync(path);
      const mode = (stat.mode & 0o7777).toString(8);
      const owner = `${stat.uid}:${stat.gid}`;
      if (stat.isDirectory()) {
        found[relative] = `directory ${mode} ${owner}`;
        visit(path, relative);
      } else if (stat.isSymbolicLink()) found[relative] = `link ${readlinkSync(path)}`;
      else found[relative] = `file ${mode} ${owner} ${stat.size} ${sha256(readFileSync(path)).slice(0, 16)}`;
    }
  };
  visit(root, "");
  return found;
}

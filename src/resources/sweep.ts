import { dirname } from "node:path";
import type { Manner, Setting, World } from "../core/index.ts";
import type { SweptWant } from "../registers/index.ts";
import { gone, pathSetting, protectedPath } from "./paths.ts";

/** A glob or a set of names, asked with the absolute path and that below the folder. */
export type Spared = (path: string, relative: string) => boolean;

/** Absence of a folder and of all that is in it, the folder itself first. */
export function removedTree(key: string, anything: boolean, world: World, more: { readonly manner?: Manner }): readonly Setting[] {
  const why = protectedPath(key, world);
  if (why !== undefined) {
    world.report({
      code: "protected-path",
      summary: "a folder that is never removed",
      detail: `${key} is not removed: ${why}. Name what in it should go`,
    });
    return [];
  }
  const settings = [gone(key, anything ? {} : { only: "directory" }, more)];
  const device = world.reader.device(key);
  const visit = (folder: string): void => {
    for (const { name, type } of world.reader.list(folder) ?? []) {
      const path = `${folder}/${name}`;
      if (type === "directory" && world.reader.device(path) !== device) {
        world.report({
          code: "mount-inside",
          summary: "another file system is mounted inside",
          detail: `${path} is a mount point, so ${key} is not removed: unmount it first`,
        });
        continue;
      }
      settings.push(gone(path, {}));
      if (type === "directory") visit(path);
    }
  };
  visit(key);
  return settings;
}

/**
 * Absence of all that is in a folder and neither named nor excluded. What is kept keeps the folders above it; a mount
 * point is kept.
 */
export function swept(root: string, excluded: (relative: string) => boolean, named: ReadonlySet<string>, world: World): readonly Setting[] {
  const above = foldersAbove(root, named);
  const device = world.reader.device(root);
  const settings: Setting[] = [];
  /** Whether all in the folder goes. */
  const clear = (folder: string, below: string): boolean => {
    let all = true;
    for (const entry of world.reader.list(folder) ?? []) {
      const path = joined(folder, entry.name);
      const relative = below === "" ? entry.name : `${below}/${entry.name}`;
      // A named folder is another resource's, and so is what is in it, but for what this folder's own names lead through.
      const kept = named.has(path) || excluded(relative);
      const mounted = entry.type === "directory" && world.reader.device(path) !== device;
      const enters = entry.type === "directory" && !mounted && !excluded(relative);
      const emptied = enters ? clear(path, relative) : true;
      if (kept || mounted || above.has(path) || !emptied) all = false;
      else settings.push(gone(path, {}));
    }
    return all;
  };
  clear(root, "");
  return settings;
}

/** Attributes of all that is in a folder and not spared, on its own file system and through no symbolic link. */
export function recursed(root: string, want: SweptWant, spared: Spared, world: World): readonly Setting[] {
  const device = world.reader.device(root);
  const settings: Setting[] = [];
  const visit = (folder: string, below: string): void => {
    for (const { name, type } of world.reader.list(folder) ?? []) {
      if (type !== "file" && type !== "directory") continue;
      const path = joined(folder, name);
      const relative = below === "" ? name : `${below}/${name}`;
      if (type === "directory" && world.reader.device(path) !== device) continue;
      if (!spared(path, relative)) settings.push(pathSetting(path, "swept-attributes", want, []));
      if (type === "directory") visit(path, relative);
    }
  };
  visit(root, "");
  return settings;
}

/** The folders below `root` that lead to a named path. */
function foldersAbove(root: string, named: ReadonlySet<string>): ReadonlySet<string> {
  const above = new Set<string>();
  const prefix = root === "/" ? "/" : `${root}/`;
  for (const path of named) {
    if (!path.startsWith(prefix)) continue;
    for (let folder = dirname(path); folder.length >= prefix.length && !above.has(folder); folder = dirname(folder)) above.add(folder);
  }
  return above;
}

function joined(folder: string, name: string): string {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

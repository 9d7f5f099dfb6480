import { dirname, resolve } from "node:path";
import type { Manner, Setting, World } from "../core/index.ts";
import { type AbsentWant, pathRegister } from "../registers/index.ts";

/** A setting on a path. */
export function pathSetting(
  key: string,
  goal: string,
  want: Setting["want"],
  aspects: readonly string[],
  more: { readonly manner?: Manner } = {},
): Setting {
  return { register: pathRegister(key), goal, want, aspects, ...more };
}

/** A setting that takes away what stands at a path; it owns nothing, as there is nothing left to own. */
export function gone(key: string, want: AbsentWant, more: { readonly manner?: Manner } = {}): Setting {
  return pathSetting(key, "absent", want, [], more);
}

/** The path that a target stands for; with `follow` that of the file to which symbolic links at it lead. */
export function targetOf(path: string, follow: boolean, world: World): string {
  let key = world.target(path);
  // As many links as the kernel follows.
  for (let hops = 0; follow && hops < 40; hops += 1) {
    const entry = world.reader.list(dirname(key))?.find(({ name }) => `${dirname(key) === "/" ? "" : dirname(key)}/${name}` === key);
    if (entry?.type !== "symlink") return key;
    const [sight] = world.reader.lookAt([key]);
    if (sight?.is !== "symlink") return key;
    key = world.reader.resolve(resolve(dirname(key), sight.to));
  }
  if (follow)
    world.report({
      code: "link-loop",
      summary: "symbolic links lead in a circle",
      detail: `${path} leads to itself over symbolic links`,
      field: ["follow"],
    });
  return key;
}

/** Implied settings for the parents that are not there yet, outermost first. */
export function missingParents(key: string, world: World): readonly Setting[] {
  const settings: Setting[] = [];
  for (let parent = dirname(key); parent !== "/"; parent = dirname(parent)) {
    const [sight] = world.reader.lookAt([parent]);
    // A file in the way is the goal's to complain about.
    if (sight?.is === "directory" || sight?.is === "symlink") break;
    settings.unshift({ ...pathSetting(parent, "ancestor", {}, []), implied: true });
    if (sight?.is !== "absent") break;
  }
  return settings;
}

/** Whether removing a whole tree there could only be a mistake; says why. */
export function protectedPath(key: string, world: World): string | undefined {
  const root = world.target("/");
  if (key === "/" || key === root) return "it is the root of the file system";
  // Under --root the folders of that system count, too.
  if (systemFolders.has(key) || (key.startsWith(`${root}/`) && systemFolders.has(key.slice(root.length))))
    return "it is a folder of the system itself";
  const contains = (inner: string): boolean => inner === key || inner.startsWith(`${key}/`);
  if (contains(world.target("~/").replace(/\/+$/, ""))) return "it is or contains the home folder of the user";
  if (contains(world.target("."))) return "it is or contains the working folder";
  return undefined;
}

const systemFolders: ReadonlySet<string> = new Set(
  "/bin /boot /dev /etc /home /lib /lib32 /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/lib /usr/local /usr/sbin /usr/share /var /var/lib /var/log /Applications /Library /System /Users /private".split(
    " ",
  ),
);

import { type System, SystemFault } from "../core/index.ts";
import { Directories } from "./directories.ts";
import { fault } from "./read-file.ts";

/** As many links as Linux follows in one path (path_resolution(7)). */
const MOST = 40;

/**
 * The path of an existing folder without symlinks. A link is followed only where nobody else can have put it there: it belongs
 * to root or to us, and stands in a directory that only root or we can write to (or that is sticky). It is judged and read
 * through its held parent, so that what is followed is what was judged, whatever others rename meanwhile.
 *
 * @param path absolute
 * @throws {SystemFault} `untrusted-link` names the link that is not followed; `moved`, `ELOOP` and the codes of reading
 */
export function followLinks(system: System, path: string): string {
  const held = new Directories(system);
  try {
    return walk(system, held, path);
  } finally {
    held.trim(0);
  }
}

function walk({ files, host }: System, held: Directories, path: string): string {
  const ours = (uid: number) => uid === 0 || uid === host.uid;
  const names = namesOf(path);
  let real = "";
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "..") {
      real = real.slice(0, Math.max(0, real.lastIndexOf("/")));
      continue;
    }
    const here = `${real}/${name}`;
    const through = held.leaf(here);
    const stat = reading(here, () => files.lstat(through));
    // Gone since it was looked for: its name is as good as one that was never there.
    if (stat === undefined) return [here, ...names].join("/");
    if (stat.type !== "symlink") {
      real = here;
      continue;
    }
    const above = files.fstat(held.descriptor(real || "/"));
    const sticky = (above.mode & 0o1000) !== 0;
    if (!ours(stat.uid) || !(sticky || (ours(above.uid) && (above.mode & 0o022) === 0)))
      throw new SystemFault(
        "untrusted-link",
        `${here} is a symlink that another account could have put there; name the real path, or correct the owner and mode of ${real || "/"}`,
      );
    links += 1;
    if (links > MOST) throw new SystemFault("ELOOP", `${path} leads through more than ${MOST} symlinks`);
    const to = reading(here, () => files.readLink(through));
    if (to.startsWith("/")) real = "";
    names.unshift(...namesOf(to));
  }
  return real || "/";
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw fault(thrown, `reading ${path}`);
  }
}

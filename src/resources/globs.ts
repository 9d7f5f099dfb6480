import { Bug } from "../core/index.ts";

type Picomatch = typeof import("picomatch");

let picomatch: Picomatch | undefined;

/** Loads what globs need, where there are any. */
export async function loadGlobs(...lists: readonly (readonly string[])[]): Promise<void> {
  if (picomatch === undefined && lists.some((globs) => globs.length > 0)) picomatch = (await import("picomatch")).default;
}

/**
 * Whether a relative path fits one of the globs. A glob without a slash fits the last part at any depth, as in a .gitignore;
 * names with a leading dot are names like all others. `loadGlobs` must have been awaited.
 */
export function globMatcher(globs: readonly string[]): (relative: string) => boolean {
  if (globs.length === 0) return () => false;
  if (picomatch === undefined) throw new Bug("globs are used before they are loaded");
  const deep = globs
    .map((glob) => glob.replace(/^\.?\/+/, "").replace(/\/+$/, ""))
    .map((glob) => (glob.includes("/") ? glob : `**/${glob}`));
  return picomatch(deep, { dot: true });
}

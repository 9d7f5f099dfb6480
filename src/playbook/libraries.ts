import type { CelEngine } from "./expression/engine.ts";

/** What is only loaded when a text needs it, as loading costs more than most playbooks take. */
export interface Libraries {
  cel?: CelEngine;
  linear?: typeof import("./expression/linear-regex.ts");
  yaml?: typeof import("./parse-yaml.ts");
}

/** Thrown where a library is needed that is not there yet; `withLibraries` loads it and begins again. */
export class NotLoaded extends Error {
  readonly library: keyof Libraries;
  constructor(library: keyof Libraries) {
    super(`${library} is not loaded`);
    this.library = library;
  }
}

/** The library, or NotLoaded. */
export function need<K extends keyof Libraries>(libraries: Libraries, library: K): NonNullable<Libraries[K]> {
  const found = libraries[library];
  if (found === undefined) throw new NotLoaded(library);
  return found as NonNullable<Libraries[K]>;
}

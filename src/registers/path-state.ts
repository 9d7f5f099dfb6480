import type { Digest } from "../core/index.ts";

/**
 * What stands at a path. A field that a desired state leaves out is not compared.
 *
 * | field | in a reading | in a desired state |
 * | --- | --- | --- |
 * | mode | four octal digits | always, where the thing is made |
 * | owner, group | by name, by number where the system knows none | where declared, or kept from what stands there; of a symlink never |
 * | links | the number of names, where it is more than one | never set, only kept |
 * | hardLinkOf | only of a register whose `about` says so: that path, or `none` | that path |
 * | xattrs | never; `enrich` adds it to a `before` that would else lose it | never |
 */
export type PathState = AbsentState | FileState | DirectoryState | SymlinkState | OtherState;

export type AbsentState = { readonly is: "absent" };

export type FileState = {
  readonly is: "file";
  /** Left out only of a desired hard link, whose content is that of its other name. */
  readonly content?: Digest;
  readonly mode?: string;
  readonly owner?: string;
  readonly group?: string;
  readonly links?: number;
  readonly hardLinkOf?: string;
  readonly xattrs?: Xattrs;
};

export type DirectoryState = {
  readonly is: "directory";
  readonly mode?: string;
  readonly owner?: string;
  readonly group?: string;
  readonly xattrs?: Xattrs;
};

export type SymlinkState = { readonly is: "symlink"; readonly to: string; readonly owner?: string; readonly group?: string };

/** A fifo, socket or device: never touched. */
export type OtherState = { readonly is: "other"; readonly what: string };

/** Extended attributes by name, values in hex. */
export type Xattrs = { readonly [name: string]: string };

export const absent: AbsentState = { is: "absent" };

/** A kind of thing with its article, for messages. */
export function nounOf(state: PathState): string {
  switch (state.is) {
    case "absent":
      return "nothing";
    case "file":
      return "a file";
    case "directory":
      return "a directory";
    case "symlink":
      return `a symbolic link to ${state.to}`;
    case "other":
      return `a ${state.what}`;
  }
}

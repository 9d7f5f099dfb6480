import { dirname, resolve } from "node:path";
import {
  type Attributes,
  formatMode,
  type Manner,
  type Operation,
  type PathSight,
  type Reader,
  type Register,
  type RegisterKind,
  type Standing,
  sameJson,
  unreachable,
} from "../core/index.ts";
import { type DirectoryState, type FileState, nounOf, type PathState, type Xattrs } from "./path-state.ts";

/** Paths of the file system: files, directories, symbolic links, and second names of files. */
export const path: RegisterKind<PathState> = {
  kind: "path",

  read(registers, reader) {
    const sights = reader.lookAt(registers.map(({ key }) => key));
    return registers.map((register, index) => {
      const state = stateOf(sights[index] as PathSight);
      const other = hardLinkOf(register);
      if (other === undefined || state.is !== "file") return state;
      return { ...state, hardLinkOf: reader.sameFile(register.key, other) ? other : "none" };
    });
  },

  transition: ({ key }, from, to, manner) => operationsOf(key, from, to, manner),
  // A folder is there as soon as it is made, and its temp files need one that is.
  preparable: (register, from, to, manner) =>
    operationsOf(register.key, from, to, manner).every(
      (operation) =>
        operation.do === "replaceFile" || operation.do === "makeLink" || (operation.do === "remove" && operation.is !== "directory"),
    ),
  contents: (state) => (state.is === "file" && state.content !== undefined ? [state.content] : []),

  parents(register) {
    if (register.key === "/") return [];
    const other = hardLinkOf(register);
    return other === undefined ? [dirname(register.key)] : [dirname(register.key), other];
  },

  settle: ({ key }, state) => (state.is === "other" ? [] : [{ do: "sync", path: key, is: state.is }]),
  torn: isTorn,
  refuse: ({ key }, from, to, manner) => refusal(key, from, to, manner),
  misfit: (register, after, parent) => misfit(register, after, parent),
  private: (state) => state.is === "file" && state.mode !== undefined && (Number.parseInt(state.mode, 8) & 0o004) === 0,
  enrich,
};

/** A register of the kind `path`; `other` where it is to be a second name of that file. */
export function pathRegister(key: string, other?: string): Register {
  return other === undefined ? { kind: "path", key } : { kind: "path", key, about: { hardLinkOf: other } };
}

function hardLinkOf(register: Register): string | undefined {
  const other = register.about?.hardLinkOf;
  return typeof other === "string" ? other : undefined;
}

function stateOf(sight: PathSight): PathState {
  switch (sight.is) {
    case "file":
      return {
        is: "file",
        content: sight.content,
        mode: formatMode(sight.mode),
        owner: sight.owner,
        group: sight.group,
        ...(sight.links !== undefined && sight.links > 1 && { links: sight.links }),
      };
    case "directory":
      return { is: "directory", mode: formatMode(sight.mode), owner: sight.owner, group: sight.group };
    default:
      return sight;
  }
}

/**
 * | from \ to | file | directory | symlink | absent |
 * | --- | --- | --- | --- | --- |
 * | absent | replace | make | make | |
 * | file | replace, write in place, or attributes | remove, make | make over | remove |
 * | directory | remove, replace | attributes | remove, make | remove |
 * | symlink | replace | remove, make | make over | remove |
 *
 * `other` is refused before it comes here: nothing leads from it or to it.
 */
function operationsOf(key: string, from: PathState, to: PathState, manner: Manner): readonly Operation[] {
  if (from.is === "other" || to.is === "other") return [];
  switch (to.is) {
    case "absent":
      return removed(key, from);
    case "directory":
      if (from.is === "directory") return attributesOnly(key, from, to);
      return [...removed(key, from), { do: "makeDirectory", path: key, ...attributesOf(to) }];
    case "symlink":
      if (from.is === "symlink" && from.to === to.to) return [];
      return [...removedDirectory(key, from), { do: "makeLink", path: key, to: to.to, over: standing(from), ...ownersOf(to) }];
    case "file":
      return [...removedDirectory(key, from), ...fileOperations(key, from, to, manner)];
    default:
      return unreachable(to);
  }
}

function fileOperations(key: string, from: PathState, to: FileState, manner: Manner): readonly Operation[] {
  const linked = (state: PathState): string | undefined =>
    state.is === "file" && state.hardLinkOf !== "none" ? state.hardLinkOf : undefined;
  const other = linked(to);
  if (other !== undefined && linked(from) !== other) return [{ do: "makeHardLink", path: key, to: other, over: standing(from) }];
  if (from.is === "file") {
    const unlinks = to.hardLinkOf === "none" && linked(from) !== undefined;
    const sameContent = !unlinks && (to.content === undefined || to.content === from.content);
    const shared = (from.links ?? 1) > 1;
    // A revert to one of several names of a file: its inode is what comes back, and attributes alone would not bring it.
    const rejoins = !shared && (to.links ?? 1) > 1 && manner.hardlinks === "break" && manner.write !== "in-place";
    if (sameContent && !rejoins) {
      const changes = attributesOnly(key, from, to);
      // Attributes belong to the inode, so all names of it would get them.
      const parts = shared && manner.hardlinks === "break" && manner.write !== "in-place" && linked(from) === undefined;
      if (changes.length === 0 || !parts || from.content === undefined) return changes;
      return [{ do: "replaceFile", path: key, content: from.content, over: "file", breaks: true, ...attributesOf(to) }];
    }
    if (to.content === undefined) return [];
    if (manner.write === "in-place" && !unlinks)
      return [{ do: "writeInPlace", path: key, content: to.content, ...changedAttributes(from, to) }];
    return [
      { do: "replaceFile", path: key, content: to.content, over: "file", ...(shared && { breaks: true as const }), ...attributesOf(to) },
    ];
  }
  if (to.content === undefined) return [];
  return [{ do: "replaceFile", path: key, content: to.content, over: standing(from), ...attributesOf(to) }];
}

function removed(key: string, from: PathState): readonly Operation[] {
  return from.is === "absent" || from.is === "other" ? [] : [{ do: "remove", path: key, is: from.is }];
}

function removedDirectory(key: string, from: PathState): readonly Operation[] {
  return from.is === "directory" ? removed(key, from) : [];
}

/** What a rename takes the place of, after a directory was removed. */
function standing(from: PathState): Standing {
  return from.is === "file" || from.is === "symlink" ? from.is : "absent";
}

function attributesOnly(key: string, from: FileState | DirectoryState, to: FileState | DirectoryState): readonly Operation[] {
  const changes = changedAttributes(from, to);
  return Object.keys(changes).length === 0 ? [] : [{ do: "setAttributes", path: key, is: to.is, ...changes }];
}

type Attributed = { readonly mode?: string; readonly owner?: string; readonly group?: string; readonly xattrs?: Xattrs };

function attributesOf({ mode, owner, group, xattrs }: Attributed): Attributes {
  return {
    ...(mode !== undefined && { mode: Number.parseInt(mode, 8) }),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    ...(xattrs !== undefined && { xattrs }),
  };
}

function ownersOf({ owner, group }: Attributed): Pick<Attributes, "owner" | "group"> {
  return attributesOf({ ...(owner !== undefined && { owner }), ...(group !== undefined && { group }) });
}

/** The attributes that `to` names and `from` has otherwise. No reading has xattrs, so they alone are no difference. */
function changedAttributes(from: Attributed, to: Attributed): Attributes {
  const changes = attributesOf({
    ...(to.mode !== undefined && to.mode !== from.mode && { mode: to.mode }),
    ...(to.owner !== undefined && to.owner !== from.owner && { owner: to.owner }),
    ...(to.group !== undefined && to.group !== from.group && { group: to.group }),
  });
  const moved = to.xattrs !== undefined && from.xattrs !== undefined && !sameJson(from.xattrs, to.xattrs);
  const along = to.xattrs !== undefined && from.xattrs === undefined && Object.keys(changes).length > 0;
  return moved || along ? { ...changes, xattrs: to.xattrs as Xattrs } : changes;
}

/**
 * Whether a killed transition between the two may have left what was found. In both directions, as a revert may be killed too:
 *
 * | before, after | found |
 * | --- | --- |
 * | the same type | content and attributes, each as in one of the two |
 * | the same file, written in place | any content |
 * | by way of a removal | absent |
 * | one is a directory | a directory whose attributes are not set yet |
 */
function isTorn(found: PathState, before: PathState, after: PathState, manner: Manner): boolean {
  if (before.is === after.is) {
    if (found.is !== before.is) return false;
    const ends = [before, after] as readonly Attributed[];
    const has = found as Attributed;
    // A change of owner takes setuid and setgid away; the mode is set after it.
    const cleared = (mode: string): string => formatMode(Number.parseInt(mode, 8) & ~0o6000);
    const mixed =
      ends.some(({ mode }) => mode === undefined || mode === has.mode || cleared(mode) === has.mode) &&
      (["owner", "group"] as const).every((name) => ends.some((end) => end[name] === undefined || end[name] === has[name]));
    if (!mixed || found.is === "directory") return mixed && found.is === "directory";
    if (found.is !== "file") return false;
    return (
      manner.write === "in-place" ||
      ends.some((end) => (end as FileState).content === undefined || (end as FileState).content === found.content)
    );
  }
  if (found.is === "absent") return before.is === "directory" || after.is === "directory";
  if (found.is !== "directory") return false;
  const made = before.is === "directory" ? before : after.is === "directory" ? after : undefined;
  // A directory is made as its maker's own, less open than wanted where the umask says so, and with its parent's setgid bit.
  const open = Number.parseInt(made?.mode ?? "0755", 8) | 0o7000;
  return made !== undefined && (Number.parseInt(found.mode ?? "0", 8) & ~open) === 0;
}

const mayReplace = "Set `replace: true` on the resource to let it take the place of what stands there.";

function refusal(
  key: string,
  from: PathState,
  to: PathState,
  manner: Manner,
): { readonly summary: string; readonly detail: string } | undefined {
  if (from.is === "other" && !sameJson(from, to)) {
    return { summary: "a special file is never changed", detail: `${key} is a ${from.what}. Remove it by hand, or choose another path.` };
  }
  if (to.is === "other")
    return sameJson(from, to)
      ? undefined
      : { summary: "a special file is never made", detail: `${key} would have to become a ${to.what}.` };
  if (from.is === "absent" || to.is === "absent") return undefined;
  if (from.is !== to.is) {
    if (manner.replace) return undefined;
    if (from.is === "symlink" && to.is === "file") {
      return {
        summary: "a symbolic link stands in the way",
        detail: `${key} is ${nounOf(from)}, and a file should be there. Set \`follow: true\` to manage the file it leads to, or \`replace: true\` to put a file in the place of the link.`,
      };
    }
    return {
      summary: "another type of thing stands in the way",
      detail: `${key} is ${nounOf(from)}, and ${nounOf(to)} should be there. ${mayReplace}`,
    };
  }
  if (from.is !== "file" || to.is !== "file") return undefined;
  if (to.hardLinkOf !== undefined || from.hardLinkOf !== undefined) {
    if (to.hardLinkOf === from.hardLinkOf || to.hardLinkOf === undefined || manner.replace) return undefined;
    return {
      summary: "another file stands in the way",
      detail: `${key} is a file of its own, not a name of ${to.hardLinkOf}. ${mayReplace}`,
    };
  }
  const changes = (to.content !== undefined && to.content !== from.content) || Object.keys(changedAttributes(from, to)).length > 0;
  if (!changes || (from.links ?? 1) < 2 || manner.hardlinks === "break" || manner.write === "in-place") return undefined;
  return {
    summary: "the file has other names",
    detail: `${key} is one of ${from.links} names (hard links) of one file. Set \`hardlinks: break\` to change only this name, or \`write: in-place\` to change the file under all of them.`,
  };
}

/** Why nothing can stand at a path while its parent, or the file that it is to be a second name of, is in that state. */
function misfit(
  register: Register,
  after: PathState,
  { key, state }: { readonly key: string; readonly state: PathState },
): { readonly summary: string; readonly detail: string } | undefined {
  if (after.is === "absent" || after.is === "other") return undefined;
  if (key === hardLinkOf(register)) {
    if (state.is === "file" || after.is !== "file" || after.hardLinkOf !== key) return undefined;
    return {
      summary: "a hard link needs a file",
      detail: `${register.key} is to be a second name of ${key}, where ${nounOf(state)} stands`,
    };
  }
  if (state.is === "directory") return undefined;
  if (state.is === "absent")
    return { summary: "the folder does not exist", detail: `${register.key} needs the folder ${key}: declare it as a \`directory\`` };
  if (state.is === "symlink") {
    const real = resolve(dirname(key), state.to, register.key.slice(key.length + 1));
    return {
      summary: "a path leads through a link",
      detail: `${key} is ${nounOf(state)}: name the real path ${real} in place of ${register.key}`,
    };
  }
  return { summary: "a parent is no directory", detail: `${register.key} needs the folder ${key}, where ${nounOf(state)} stands` };
}

/** Adds the extended attributes of files and directories that the change takes away, so that a revert can give them back. */
function enrich(
  found: readonly { readonly register: Register; readonly before: PathState; readonly after: PathState }[],
  reader: Reader,
): readonly PathState[] {
  const losers = found.filter(({ before, after }) => losesXattrs(before, after));
  if (losers.length === 0) return found.map(({ before }) => before);
  const all = reader.xattrs(losers.map(({ register }) => register.key));
  return found.map(({ register, before, after }) => {
    const xattrs = losesXattrs(before, after) ? all.get(register.key) : undefined;
    return xattrs === undefined || Object.keys(xattrs).length === 0 ? before : ({ ...before, xattrs } as PathState);
  });
}

function losesXattrs(before: PathState, after: PathState): boolean {
  if (before.is !== "file" && before.is !== "directory") return false;
  return (
    after.is !== before.is ||
    (after.is === "file" && after.hardLinkOf !== undefined && after.hardLinkOf !== (before as FileState).hardLinkOf)
  );
}

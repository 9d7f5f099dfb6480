import {
  applyMode,
  CannotConverge,
  type Contents,
  type Digest,
  formatMode,
  type Goal,
  type JsonObject,
  type Mode,
  parseMode,
  type RegisterId,
} from "../core/index.ts";
import { absent, type DirectoryState, type FileState, nounOf, type PathState } from "./path-state.ts";

/** Attributes as declared: octal or symbolic mode, owner and group by name; left out: not managed. */
export type AttributesWant = { readonly mode?: string; readonly owner?: string; readonly group?: string };

/** `only`: what may be taken away; anything else that stands there is refused. */
export type AbsentWant = { readonly only?: "file" | "directory" | "symlink" };

export type WholeFileWant = AttributesWant & {
  /** Left out: not managed, and empty where the file is made. */
  readonly content?: Digest;
  /** A file that is there keeps its content. */
  readonly create_only?: true;
};

/** Its own mode for what is a directory, as `recurse` has it. */
export type SweptWant = { readonly owner?: string; readonly group?: string; readonly file_mode?: string; readonly directory_mode?: string };

/** A goal on a path; `W` is the author's knowledge of what its type puts into a setting. */
export function pathGoal<W extends JsonObject>(
  name: string,
  converge: Goal<PathState, W>["converge"],
  more: Pick<Goal<PathState, W>, "release" | "prepare"> = {},
): Goal {
  return { kind: "path", name, converge, ...more } as unknown as Goal;
}

/** A regular file: its whole content where that is declared, and its attributes. */
export const wholeFile = pathGoal<WholeFileWant>("whole-file", (now, want, view) => {
  const kept = now.is === "file" ? now : undefined;
  const content =
    kept !== undefined && (want.create_only || want.content === undefined) ? kept.content : (want.content ?? view.contents.put(""));
  return fileWith(kept, content, want);
});

/** Nothing at the path. */
export const absentPath = pathGoal<AbsentWant>("absent", (now, want) => {
  if (now.is === "absent") return now;
  if (now.is === "other") throw new CannotConverge("a special file is never changed", `a ${now.what} stands there: remove it by hand`);
  const fits = want.only === undefined || now.is === want.only || (want.only === "file" && now.is === "symlink");
  if (fits) return absent;
  throw new CannotConverge(
    "another type of thing stands in the way",
    `${nounOf(now)} stands there. Declare it as \`${now.is === "symlink" ? "link" : now.is}\` with \`state: absent\`, or set \`replace: true\` to remove whatever stands there.`,
  );
});

/** A directory with its attributes. */
export const directoryAt = pathGoal<AttributesWant>("directory", (now, want) => {
  const kept = now.is === "directory" ? now : undefined;
  return kept === undefined ? { is: "directory", ...attributes(want, "0755", {}, true) } : withAttributes(kept, want);
});

/** A directory that is made only because something in it needs it; one that is there is left alone. */
export const ancestor = pathGoal<Record<string, never>>("ancestor", (now) => {
  if (now.is === "absent") return { is: "directory", mode: "0755" };
  if (now.is === "directory" || now.is === "symlink") return now;
  throw new CannotConverge("a parent is no directory", `${nounOf(now)} stands where a directory is needed for what is declared below it`);
});

/** A symbolic link. */
export const symlinkAt = pathGoal<{ readonly to: string }>("symlink", (now, want) =>
  now.is === "symlink" && now.to === want.to ? now : { is: "symlink", to: want.to },
);

/** A second name of the file at `to`, which the setting reads. */
export const hardLink = pathGoal<{ readonly to: string }>("hard-link", (now, want, view) => {
  const other = view.state(`path:${want.to}` as RegisterId) as PathState;
  if (other.is !== "file")
    throw new CannotConverge("a hard link needs a file", `${nounOf(other)} stands at ${want.to}, and only a file can have a second name`);
  return now.is === "file" && now.hardLinkOf === want.to ? now : { is: "file", hardLinkOf: want.to };
});

/** Mode, owner and group of whatever file or directory stands there; what does not stand there has none. */
export const attributesOfPath = pathGoal<AttributesWant>(
  "attributes",
  (now, want) => (now.is === "file" || now.is === "directory" ? withAttributes(now, want) : now),
  {
    release(now, want, was) {
      if ((now.is !== "file" && now.is !== "directory") || (was.is !== "file" && was.is !== "directory")) return now;
      const back: Record<string, string> = {};
      for (const name of ["mode", "owner", "group"] as const) {
        const value = was[name];
        if (want[name] !== undefined && value !== undefined) back[name] = value;
      }
      return withAttributes(now, back);
    },
  },
);

/** What `recurse` wants of whatever is found below its folder: another mode for files than for directories. */
export const sweptAttributes = pathGoal<SweptWant>("swept-attributes", (now, { owner, group, file_mode, directory_mode }) => {
  if (now.is !== "file" && now.is !== "directory") return now;
  const mode = now.is === "file" ? file_mode : directory_mode;
  return withAttributes(now, {
    ...(mode !== undefined && { mode }),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
  });
});

/** The file as it is with another content; itself where the content is the same. */
export function withContent(now: FileState, content: Digest): FileState {
  return now.content === content ? now : { ...alone(now), content };
}

/** Without the count of names: a change may make it a file of its own. */
function alone(now: FileState): FileState {
  const { links: _links, ...kept } = now;
  return kept;
}

/** A file made by an edit of one that was not there. */
export function freshFile(content: Digest): FileState {
  return { is: "file", content, mode: "0644" };
}

/** The bytes of a state's content. */
export function bytesOf(state: FileState, contents: Contents): Buffer {
  return state.content === undefined ? Buffer.alloc(0) : contents.bytes(state.content);
}

function fileWith(kept: FileState | undefined, content: Digest | undefined, want: AttributesWant): FileState {
  if (kept === undefined) return { is: "file", ...(content !== undefined && { content }), ...attributes(want, "0644", {}, false) };
  return withAttributes(content === undefined ? kept : withContent(kept, content), want);
}

function withAttributes<S extends FileState | DirectoryState>(now: S, want: AttributesWant): S {
  const next = attributes(want, now.mode ?? (now.is === "directory" ? "0755" : "0644"), now, now.is === "directory");
  if (next.mode === now.mode && next.owner === now.owner && next.group === now.group) return now;
  return { ...(now.is === "file" ? alone(now) : now), ...next } as S;
}

/** Attributes after what is wanted is laid over those that are there; a mode is always among them. */
function attributes(want: AttributesWant, mode: string, now: AttributesWant, isDirectory: boolean): AttributesWant {
  const owner = want.owner ?? now.owner;
  const group = want.group ?? now.group;
  return {
    mode: want.mode === undefined ? mode : resolveMode(want.mode, mode, isDirectory),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
  };
}

const parsed = new Map<string, Mode>();

/** The four octal digits that a declared mode means for something that has `current`. */
function resolveMode(wanted: string, current: string, isDirectory: boolean): string {
  let mode = parsed.get(wanted);
  if (mode === undefined) {
    const result = parseMode(wanted);
    if (!result.ok) throw new CannotConverge(result.summary, result.detail);
    mode = result.value;
    parsed.set(wanted, mode);
  }
  return formatMode(applyMode(mode, Number.parseInt(current, 8), isDirectory));
}

/** The goals of paths that need nothing but themselves. */
export const pathGoals: readonly Goal[] = [
  wholeFile,
  absentPath,
  directoryAt,
  ancestor,
  symlinkAt,
  hardLink,
  attributesOfPath,
  sweptAttributes,
];

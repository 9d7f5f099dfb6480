import { dirname } from "node:path";
import { type Digest, type DirectoryEntry, fields, resourceType, type Setting, type World } from "../core/index.ts";
import { account, attributesWanted, mode } from "./attributes.ts";
import { globMatcher, loadGlobs } from "./globs.ts";
import { missingParents, pathSetting } from "./paths.ts";
import { sourceFile } from "./sources.ts";
import { removedTree, swept } from "./sweep.ts";

const { boolean, choice, listOf, path, text } = fields;

/** A folder copied whole. */
export const tree = resourceType({
  type: "tree",
  summary: "A folder copied from a source folder with all that is in it.",
  notes: [
    "Files whose name ends in `template_suffix` are rendered as templates, and the suffix is taken off. Symbolic links are copied as links.",
    "Files get the mode 0755 where the source is executable and 0644 otherwise, unless `file_mode` says another; folders get 0755.",
    "Globs are relative to the source folder; one without a slash fits names at any depth. What `exclude` names is not copied, and `exact` does not remove it.",
  ].join("\n"),
  example: ["- tree: /srv/site", "  source: site", "  exclude: [ '*.bak', .git ]", "  exact: true", "  owner: root"].join("\n"),
  fields: {
    tree: path("Path of the folder."),
    state: choice(["present", "absent"], "Whether the folder exists; `absent` removes it with all that is in it.").or("present"),
    source: path("The folder to copy, relative to the playbook's folder.").optional(),
    template_suffix: text("What the names of templates end in; an empty text renders none.").or(".liquid"),
    include: listOf(text("A glob."), "Globs of the files to copy; left out, all.").or([]),
    exclude: listOf(text("A glob."), "Globs of files and folders not to copy.").or([]),
    exact: boolean("Remove from the folder what is not in the source and what no other resource declares.").or(false),
    file_mode: mode("Mode of the files.").optional(),
    directory_mode: mode("Mode of the folders.").or("0755"),
    owner: account("Owner of all that is copied.").optional(),
    group: account("Group of all that is copied.").optional(),
    replace: boolean("Take the place of other types of things that stand where something is copied to.").or(false),
  },

  prepare: (spec) => loadGlobs(spec.include, spec.exclude),

  check(spec, report) {
    if (spec.state === "present" && spec.source === undefined)
      report({ code: "tree-without-source", summary: "a tree without a source", detail: "`source` names the folder to copy" });
  },

  settings(spec, world) {
    const root = world.target(spec.tree);
    if (spec.state === "absent") return removedTree(root, spec.replace, world, {});
    const given = world.source(spec.source ?? "");
    // A link to a folder stands for the folder, but no link inside it does.
    const source = dirname(world.reader.resolve(`${given}/-`));
    if (world.reader.list(source) === undefined) {
      world.report({
        code: "missing-source",
        summary: "a source does not exist",
        detail: `there is no folder ${given}`,
        field: ["source"],
      });
      return [];
    }
    const found = collect(source, spec, world);
    const owners = attributesWanted({ owner: spec.owner, group: spec.group }, world);
    const manner = spec.replace ? { manner: { replace: true as const } } : {};
    const declared = Object.keys(owners);
    const at = (relative: string): string => `${root}/${relative}`;
    const folder = { ...owners, mode: spec.directory_mode };
    const folderAspects = ["exists", "mode", ...declared];
    const fileAspects = ["exists", "content", "mode", ...declared];
    const settings: Setting[] = [...missingParents(root, world), pathSetting(root, "directory", folder, folderAspects, manner)];
    for (const relative of found.folders) settings.push(pathSetting(at(relative), "directory", folder, folderAspects, manner));
    for (const { relative, content, executable } of found.files) {
      settings.push(
        pathSetting(
          at(relative),
          "whole-file",
          { content, ...owners, mode: spec.file_mode ?? (executable ? "0755" : "0644") },
          fileAspects,
          manner,
        ),
      );
    }
    for (const { relative, to } of found.links) settings.push(pathSetting(at(relative), "symlink", { to }, ["target"], manner));
    return settings;
  },

  sweep(spec, world, named) {
    if (spec.state === "absent" || !spec.exact) return [];
    return swept(world.target(spec.tree), globMatcher(spec.exclude), named, world);
  },
});

type Selection = { readonly template_suffix: string; readonly include: readonly string[]; readonly exclude: readonly string[] };

/** What is copied, by its path below the folder: folders above what is in them, then files and links in order of names. */
type Found = {
  readonly folders: readonly string[];
  readonly files: readonly { readonly relative: string; readonly content: Digest; readonly executable: boolean }[];
  readonly links: readonly { readonly relative: string; readonly to: string }[];
};

function collect(source: string, spec: Selection, world: World): Found {
  const { reader } = world;
  const excluded = globMatcher(spec.exclude);
  const all = spec.include.length === 0;
  const included = globMatcher(spec.include);
  const folders: string[] = [];
  const wanted = new Set<string>();
  const files: { relative: string; content: Digest; executable: boolean }[] = [];
  const links: { relative: string; from: string }[] = [];
  const taken = new Map<string, string>();

  /** Notes that something is copied, and so the folders that lead to it are; false where its place is taken. */
  const claim = (relative: string, from: string): boolean => {
    const other = taken.get(relative);
    if (other !== undefined) {
      world.report({
        code: "copied-twice",
        summary: "two sources have one target",
        detail: `${other} and ${from} would both become ${relative}: rename one of them`,
        field: ["source"],
      });
      return false;
    }
    taken.set(relative, from);
    if (!all) for (let up = dirname(relative); up !== "." && !wanted.has(up); up = dirname(up)) wanted.add(up);
    return true;
  };

  const visit = ({ name, type }: DirectoryEntry, below: string): string | undefined => {
    const relative = below + name;
    const from = `${source}/${relative}`;
    if (excluded(relative)) return undefined;
    if (type === "directory") {
      folders.push(relative);
      if (!all && included(relative)) wanted.add(relative);
      return relative;
    }
    const isTemplate =
      type === "file" && spec.template_suffix !== "" && name.endsWith(spec.template_suffix) && name !== spec.template_suffix;
    const target = isTemplate ? relative.slice(0, -spec.template_suffix.length) : relative;
    if (!all && !included(relative) && !included(target)) return undefined;
    if (type === "symlink") {
      if (claim(target, from)) links.push({ relative: target, from });
    } else if (type === "file") {
      const found = sourceFile(from, "source", world);
      if (found === undefined || !claim(target, from)) return undefined;
      const content = isTemplate ? world.contents.put(world.render(world.contents.text(found.content), {}, from)) : found.content;
      files.push({ relative: target, content, executable: (found.mode & 0o111) !== 0 });
    } else {
      world.report({
        code: "special-source",
        summary: "a special file cannot be copied",
        detail: `${from} is a ${type}: exclude it`,
        field: ["source"],
      });
    }
    return undefined;
  };

  // Folders of one depth before the next, so that a folder is always listed after the one that holds it.
  for (let level = [""]; level.length > 0; ) {
    const next: string[] = [];
    for (const below of level) {
      for (const entry of reader.list(below === "" ? source : `${source}/${below.slice(0, -1)}`) ?? []) {
        const folder = visit(entry, below);
        if (folder !== undefined) next.push(`${folder}/`);
      }
    }
    level = next;
  }
  const sights = links.length === 0 ? [] : reader.lookAt(links.map(({ from }) => from));
  return {
    folders: all ? folders : folders.filter((relative) => wanted.has(relative)),
    files,
    links: links.flatMap(({ relative }, index) => {
      const sight = sights[index];
      return sight?.is === "symlink" ? [{ relative, to: sight.to }] : [];
    }),
  };
}
